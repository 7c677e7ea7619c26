"""Retrieval: which sources a person may read now, what they say on a query, and the record of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from ingest.contract import Value
from ingest.workspace import Workspace
from runner.control.access import Ruling, Target, agent_target, may
from runner.control.registry import Registry
from runner.control.registry_extras import KnowledgeSource
from runner.control.store import Transaction
from runner.knowledge.index import Found, Index

# Enough to answer from, little enough to read: about 1,800 tokens.
MOST_PASSAGES = 6


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who reads: a person, through an agent or by themselves; ``about`` is the envelope of their events."""

    person_id: str
    agent_id: str | None = None
    about: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Permit:
    """Whether a reader may read a source now."""

    source: str
    declared: KnowledgeSource | None
    ruling: Ruling


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A passage that was found, its rank from 1, and the permit under which."""

    rank: int
    permit: Permit
    found: Found


def permits(registry: Registry, reader: Reader, sources: Iterable[str]) -> list[Permit]:
    """The ruling on each source, by the registry as it is applied now."""
    found = []
    for source in sources:
        if reader.agent_id is None:
            target = Target(person_id=reader.person_id, knowledge=source)
        else:
            target = agent_target(registry, reader.agent_id, person_id=reader.person_id, knowledge=source)
        ruling = may(registry, reader.person_id, "read_knowledge", target)
        found.append(Permit(source=source, declared=registry.knowledge.get(source), ruling=ruling))
    return found


def index_of(workspace: Workspace, source: str, declared: KnowledgeSource) -> Index:
    """The index of a declared source; its folder is relative to the workspace."""
    return Index(workspace.root / "knowledge" / f"{source}.db", workspace.root / declared.folder)


def look_up(workspace: Workspace, permitted: Iterable[Permit], query: str) -> list[Hit]:
    """The best passages of the permitted sources, taken in turns from each; blocks while it reads.

    Raises KnowledgeUnreadable.
    """
    columns = []
    for permit in permitted:
        if permit.declared is None:
            continue
        index = index_of(workspace, permit.source, permit.declared)
        index.refresh()
        columns.append([(permit, found) for found in index.find(query, MOST_PASSAGES)])
    in_turns = [pair for row in zip_longest(*columns) for pair in row if pair is not None]
    return [
        Hit(rank=rank, permit=permit, found=found)
        for rank, (permit, found) in enumerate(in_turns[:MOST_PASSAGES], 1)
    ]


def tell(
    tx: Transaction,
    reader: Reader,
    refused: Iterable[Permit],
    hits: Iterable[Hit],
    call_index: int | None = None,
) -> None:
    """One event per refused source and per passage; the text of a passage is its payload."""
    for permit in refused:
        tx.emit(
            "knowledge_refused",
            reader.about,
            knowledge_source=permit.source,
            sensitivity=permit.declared.sensitivity if permit.declared else None,
            refusal_rule=permit.ruling.rule_id,
            reason=permit.ruling.sentence,
            call_index=call_index,
        )
    for hit in hits:
        assert hit.permit.declared is not None  # only declared sources are looked up
        tx.emit(
            "knowledge_retrieved",
            reader.about,
            text=hit.found.text,
            kind="result",
            knowledge_source=hit.permit.source,
            sensitivity=hit.permit.declared.sensitivity,
            document=hit.found.document,
            chunk_sha256=hit.found.chunk_sha256,
            chunk_rank=hit.rank,
            rule_id=hit.permit.ruling.rule_id,
            call_index=call_index,
        )
