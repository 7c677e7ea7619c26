"""Evidence bundles: chosen events, all that it takes to prove them, and a verifier that needs no Fleetbook.

An event is proven by the chain from it to the head that its segment's manifest line states, by the Merkle
proof of that line, and by the signed checkpoint over the tree. So the bundle also holds the later events of
each segment (bodies, no texts); before the first chosen event one chain value is enough.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest import evidence_verify
from ingest.contract import rfc3339
from ingest.errors import EvidenceError
from ingest.log.checkpoint import checkpoint_files, known_verifier
from ingest.log.disk import make_folder, write_file
from ingest.log.lake import SealedFile
from ingest.log.manifest import Segment
from ingest.log.merkle import inclusion_proof, tree_root
from ingest.log.note import Checkpoint
from ingest.log.recover import recover
from ingest.log.segments import ROW_GROUP_ROWS, event_table
from ingest.log.view import View, look, open_chunks
from ingest.log.writer import utc_now
from ingest.payload_store import StoreDamage, stored_payloads
from ingest.workspace import Workspace

_COLUMNS = [
    "event_type",
    "payload_id",
    "payload_commit",
    "run_id",
    "agent_id",
    "occurred_at",
    "writer_id",
    "seq",
]
_PROOF_COLUMNS = ["writer_id", "seq", "body", "hash"]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a bundle is about: one run, one agent, or one month ("2026-10", of occurred_at, UTC)."""

    run_id: str | None = None
    agent_id: str | None = None
    month: str | None = None

    @property
    def parts(self) -> dict[str, str]:
        """The part that is set, by name."""
        every = {"run_id": self.run_id, "agent_id": self.agent_id, "month": self.month}
        return {name: wanted for name, wanted in every.items() if wanted is not None}

    @property
    def first_moment(self) -> dt.datetime | None:
        """Where the month begins, None without a month. Raises EvidenceError for a month that is none."""
        if self.month is None:
            return None
        try:
            return dt.datetime.strptime(self.month, "%Y-%m").replace(tzinfo=dt.UTC)
        except ValueError as error:
            raise EvidenceError(
                f"No evidence made: {self.month!r} is no month. Write it as 2026-10."
            ) from error

    def rows_of(self, table: pa.Table) -> pa.Table:
        """The rows of ``table`` in scope. Raises EvidenceError for a month that is none."""
        first = self.first_moment
        if first is None:
            ((name, wanted),) = self.parts.items()
            return table.filter(pc.equal(table[name], wanted))
        following = (first + dt.timedelta(days=31)).replace(day=1)
        at = table["occurred_at"]
        return table.filter(pc.and_(pc.greater_equal(at, first), pc.less(at, following)))


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What was written: events in scope, texts, events whose text was not kept because that is declared,
    texts whose key is not at hand, and events in scope that no checkpoint covers yet.
    """

    folder: Path
    event_count: int
    text_count: int
    unkept_count: int
    locked_count: int
    unsigned_count: int
    content_sha256: str  # of bundle.json, which names the digest of every other file


@dataclass
class _Chosen:
    """The events in scope, the erasures of their texts, and the payloads they name."""

    in_scope: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    erasures: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    payload_ids: set[str] = field(default_factory=set)
    erased_ids: set[str] = field(default_factory=set)

    def seqs(self, writer_id: str) -> set[int]:
        return self.in_scope.get(writer_id, set()) | self.erasures.get(writer_id, set())


def make_bundle(
    workspace: Workspace,
    scope: Scope,
    folder: Path,
    *,
    with_texts: bool = True,
    clock: Callable[[], dt.datetime] = utc_now,
) -> Bundle:
    """Write the evidence for ``scope`` into ``folder``, which must be new or empty.

    Raises EvidenceError when nothing in scope is sealed and signed, or the log differs from its newest
    checkpoint; SegmentError, OSError.
    """
    _require_one_scope_and_room(scope, folder)
    recover(workspace)
    with look(workspace) as view:
        note, checkpoint, vkey = _newest_checkpoint(workspace, view)
        chosen = _choose(workspace, view, scope)
        chains, events = _prove(workspace, view, chosen, checkpoint.size)
    proven = sum(bool(event["is_in_scope"]) for event in events)
    unsigned = sum(map(len, chosen.in_scope.values())) - proven
    if not proven:
        raise EvidenceError(
            f"No evidence made: of {scope.parts} {unsigned} events are in the log, none sealed and signed. "
            "Check the id; run `fleetbook notarise` for events of today."
        )
    payloads = _payloads(workspace, chosen, with_texts=with_texts)
    bodies = (json.loads(str(event["body"])) for event in events if event["is_in_scope"])
    unkept = sum(map(evidence_verify.is_unkept, bodies))
    counts = {"event_count": proven, "unsigned_event_count": unsigned, "unkept_text_count": unkept}
    files = {
        "events.jsonl": _lines(events),
        "chains.jsonl": _lines(chains),
        "payloads.jsonl": _lines(payloads),
        "checkpoint": note.encode(),
        "notary.vkey": f"{vkey}\n".encode(),
        "verify.py": Path(evidence_verify.__file__).read_bytes(),
    }
    files["bundle.json"] = _about(scope, clock(), counts, files)
    make_folder(folder)
    for name, content in files.items():
        write_file(folder / name, content)
    return Bundle(
        folder=folder,
        event_count=proven,
        text_count=sum(payload["state"] == "text" for payload in payloads),
        unkept_count=unkept,
        locked_count=sum(payload["state"] == "locked" for payload in payloads),
        unsigned_count=unsigned,
        content_sha256=sha256(files["bundle.json"]).hexdigest(),
    )


def _require_one_scope_and_room(scope: Scope, folder: Path) -> None:
    if len(scope.parts) != 1:
        raise EvidenceError("No evidence made: it is about one run, one agent or one month. Choose one.")
    _ = scope.first_moment  # a month that is none is said before anything is looked for
    if folder.exists() and any(folder.iterdir()):
        raise EvidenceError(f"No evidence made: {folder} is not empty. Name a new folder.")


def _about(
    scope: Scope, made_at: dt.datetime, counts: Mapping[str, int], files: Mapping[str, bytes]
) -> bytes:
    """What the bundle is about, how many events it holds, and the digest of each of its files."""
    about = {
        "format": "fleetbook-evidence/1",
        "scope": scope.parts,
        "made_at": rfc3339(made_at),
        **counts,
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
    }
    return (json.dumps(about, indent=2) + "\n").encode()


def _lines(rows: Iterable[Mapping[str, object]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _newest_checkpoint(workspace: Workspace, view: View) -> tuple[str, Checkpoint, str]:
    """Note, checkpoint and public key; the log must be what the checkpoint states."""
    verifier, files = known_verifier(workspace), checkpoint_files(workspace)
    if verifier is None or not files:
        raise EvidenceError(
            "No evidence made: the log was never signed, so nothing could be proven. "
            "Run `fleetbook notarise`, then make the evidence again."
        )
    note = files[-1].read_text(encoding="utf-8")
    checkpoint = Checkpoint.parse(verifier.open(note))
    lines = view.lines[: checkpoint.size]
    if len(lines) < checkpoint.size or tree_root(lines) != checkpoint.root:
        raise EvidenceError(
            f"No evidence made: the manifest is not what {files[-1].name} states. "
            "Run `fleetbook verify` and keep everything as it is."
        )
    return note, checkpoint, verifier.vkey


def _choose(workspace: Workspace, view: View, scope: Scope) -> _Chosen:
    chosen = _Chosen()
    for table in _tables(workspace, view):
        rows = scope.rows_of(table)
        _add_positions(chosen.in_scope, rows)
        named = rows.filter(pc.is_valid(rows["payload_commit"]))
        chosen.payload_ids.update(named["payload_id"].drop_null().to_pylist())
    wanted = pa.array(sorted(chosen.payload_ids), pa.string())
    for table in _tables(workspace, view):
        erasures = table.filter(pc.equal(table["event_type"], "payload_erased"))
        erasures = erasures.filter(pc.is_in(erasures["payload_id"], value_set=wanted))
        _add_positions(chosen.erasures, erasures)
        chosen.erased_ids.update(erasures["payload_id"].to_pylist())
    return chosen


def _add_positions(found: dict[str, set[int]], rows: pa.Table) -> None:
    for writer_id, seq in zip(rows["writer_id"].to_pylist(), rows["seq"].to_pylist(), strict=True):
        found[writer_id].add(seq)


def _tables(workspace: Workspace, view: View) -> Iterator[pa.Table]:
    for file in view.sealed.files:
        yield _read(workspace, file, _COLUMNS)
    for _, chunk in open_chunks(view, ROW_GROUP_ROWS):
        yield event_table(chunk).select(_COLUMNS)


def _read(workspace: Workspace, file: SealedFile, columns: list[str]) -> pa.Table:
    with pq.ParquetFile(workspace.lake_dir / file.file, page_checksum_verification=True) as parquet:
        return parquet.read(columns=columns)


def _prove(
    workspace: Workspace, view: View, chosen: _Chosen, size: int
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Chains and events of the segments that hold chosen events and are in the tree of ``size`` lines."""
    signed: dict[str, list[tuple[int, Segment]]] = defaultdict(list)
    for index, entry in enumerate(view.entries[:size]):
        if isinstance(entry, Segment):
            signed[entry.writer_id].append((index, entry))
    chains: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    for file in view.sealed.files:
        writers = {stretch.writer_id for stretch in file.stretches if chosen.seqs(stretch.writer_id)}
        rows = _read(workspace, file, _PROOF_COLUMNS) if writers else None
        for writer_id in sorted(writers):
            for index, segment in signed[writer_id]:
                first = _first_in(file, segment, chosen.seqs(writer_id))
                if rows is None or first is None:
                    continue
                own = _own_events(rows, segment, first, chosen.in_scope.get(writer_id, set()))
                events += own[1:] if first > segment.first_seq else own
                chains.append(
                    {
                        "line": view.lines[index].decode(),
                        "index": index,
                        "proof": [node.hex() for node in inclusion_proof(view.lines[:size], index)],
                        "first_seq": first,
                        "hash_before": own[0]["hash"] if first > segment.first_seq else segment.prev_head,
                        "event_count": segment.last_seq - first + 1,
                    }
                )
    return chains, events


def _first_in(file: SealedFile, segment: Segment, seqs: set[int]) -> int | None:
    """The first chosen event of ``segment``, when it lies in ``file``."""
    is_inside = any(
        stretch.writer_id == segment.writer_id and stretch.first_seq <= segment.first_seq <= stretch.last_seq
        for stretch in file.stretches
    )
    own = [seq for seq in seqs if segment.first_seq <= seq <= segment.last_seq] if is_inside else []
    return min(own, default=None)


def _own_events(rows: pa.Table, segment: Segment, first: int, in_scope: set[int]) -> list[dict[str, object]]:
    """The events from ``first`` to the end of ``segment``, with the one before as their neighbour."""
    is_own = pc.and_(
        pc.equal(rows["writer_id"], segment.writer_id),
        pc.and_(
            pc.greater_equal(rows["seq"], max(first - 1, segment.first_seq)),
            pc.less_equal(rows["seq"], segment.last_seq),
        ),
    )
    return [
        {"is_in_scope": row["seq"] in in_scope, "hash": row["hash"], "body": row["body"]}
        for row in rows.filter(is_own).sort_by("seq").to_pylist()
    ]


def _payloads(workspace: Workspace, chosen: _Chosen, *, with_texts: bool) -> list[dict[str, object]]:
    """One entry for each text that an event in scope names: the text, or why it is not there."""
    found: dict[str, dict[str, object]] = {}
    for block in stored_payloads(workspace) if chosen.payload_ids else ():
        if isinstance(block, StoreDamage):
            raise EvidenceError(
                f"No evidence made: {block.file} of the payload store cannot be read ({block.detail}). "
                "Restore it from a backup, then make the evidence again."
            )
        for payload_id, salt, content in block.rows:
            if payload_id in chosen.payload_ids:
                text = {"salt": salt.hex(), "content": content} if with_texts else {}
                state = "text" if with_texts else "withheld"
                found[payload_id] = {"payload_id": payload_id, "state": state, **text}
        for payload_id, key_id in block.locked:
            if payload_id in chosen.payload_ids:
                found[payload_id] = {"payload_id": payload_id, "state": "locked", "key_id": key_id}
    for payload_id in chosen.payload_ids - found.keys():
        state = "erased" if payload_id in chosen.erased_ids else "missing"
        found[payload_id] = {"payload_id": payload_id, "state": state}
    return [found[payload_id] for payload_id in sorted(found)]
