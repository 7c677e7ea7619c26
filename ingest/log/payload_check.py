"""The payload store against the log: kept, changed, erased on record, or gone without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ingest.contract import rfc3339
from ingest.log.findings import Finding, event_name
from ingest.log.rows import NAMED_PER_KIND, LogEvent
from ingest.payload_store import StoreDamage, stored_payloads
from ingest.payloads import ID_HEX, is_proven
from ingest.workspace import Workspace

_ID_PREFIX = len("p202611-")


@dataclass
class PayloadCheck:
    """What the payload store holds: findings, notes, and the number of texts whose commitment is right."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    count: int = 0
    locked_count: int = 0  # texts that are there, encrypted with a key that is not at hand


def check_payloads(
    workspace: Workspace, named: Sequence[pa.Table], log_events: Sequence[LogEvent]
) -> PayloadCheck:
    """Hash every text again and look for every payload that the log names.

    ``named`` are rows of ``PAYLOAD_COLUMNS``; erasures are read from ``log_events``.
    """
    found = PayloadCheck()
    kept: list[pa.Array] = []
    locked: set[str] = set()
    for block in stored_payloads(workspace):
        if isinstance(block, StoreDamage):
            found.findings.append(
                Finding(code="payload_unreadable", object=f"file {block.file}", detail=block.detail)
            )
            continue
        ids = [payload_id for payload_id, _ in block.locked] + block.changed
        locked.update(key_id for _, key_id in block.locked)
        found.locked_count += len(block.locked)
        for payload_id in block.changed:
            detail = "its ciphertext is not what its key wrote"
            _add(found, "payload_changed", f"payload {payload_id} in {block.file}", detail)
        for payload_id, salt, content in block.rows:
            if not is_proven(payload_id, salt, content):
                detail = "salt and content do not give the commitment in its id"
                _add(found, "payload_changed", f"payload {payload_id} in {block.file}", detail)
            ids.append(payload_id)
        found.count += len(block.rows)
        kept.append(pa.array(ids, pa.string()))
    if locked:
        found.notes.append(_locked_note(found.locked_count, locked))
    # A commitment without an id is that of a text that was never kept: there is nothing to look for.
    named = [table.filter(pc.is_valid(table["payload_id"])) for table in named]
    for table in named:
        found.findings += _wrong_ids(table)
    _look_for(found, named, pa.chunked_array(kept, pa.string()).combine_chunks(), log_events)
    return found


def _locked_note(count: int, key_ids: set[str]) -> str:
    return (
        f"{count} texts are encrypted with key {', '.join(sorted(key_ids))}, which is not at hand: that they "
        "are there was checked, their commitments were not. Set FLEETBOOK_PAYLOAD_KEY and verify again."
    )


def _add(found: PayloadCheck, code: str, what: str, detail: str, recorded_at: str = "") -> None:
    number = sum(finding.code == code for finding in found.findings)
    if number < NAMED_PER_KIND:
        found.findings.append(Finding(code=code, object=what, detail=detail, recorded_at=recorded_at))
    elif number == NAMED_PER_KIND:
        found.findings.append(Finding(code=code, object="payloads/", detail="and more of this kind"))


def _wrong_ids(table: pa.Table) -> Iterator[Finding]:
    """A payload id holds the first half of the commitment; where they differ, it names another text."""
    stated = pc.utf8_slice_codeunits(table["payload_id"], _ID_PREFIX, _ID_PREFIX + ID_HEX)
    meant = pc.utf8_slice_codeunits(table["payload_commit"], 0, ID_HEX)
    for row in pc.indices_nonzero(pc.fill_null(pc.not_equal(stated, meant), True)).to_pylist():
        detail = f"payload_id {table['payload_id'][row]} does not hold payload_commit"
        yield Finding(code="payload_changed", object=_event(table, row), detail=detail)


def _look_for(
    found: PayloadCheck, named: Sequence[pa.Table], kept: pa.Array, log_events: Sequence[LogEvent]
) -> None:
    erasures = [event for event in log_events if event.event_type == "payload_erased"]
    erased_ids = {event.payload_id for event in erasures if event.payload_id}
    # An erasure that names its text excuses that text alone.
    erased_runs = {event.run_id for event in erasures if event.run_id and not event.payload_id}
    _name_unfinished(found, erased_ids, kept)
    erased_count = 0
    named_count = 0
    for table in named:
        named_count += table.num_rows
        absent = pc.invert(pc.is_in(table["payload_id"], value_set=kept))
        for row in pc.indices_nonzero(absent).to_pylist():
            payload_id, run_id = table["payload_id"][row].as_py(), table["run_id"][row].as_py()
            if payload_id in erased_ids or run_id in erased_runs:
                erased_count += 1
            else:
                detail = f"payload {payload_id} is not in the store, and no event records its erasure"
                recorded_at = rfc3339(table["recorded_at"][row].as_py())
                _add(found, "payload_missing", _event(table, row), detail, recorded_at)
    if erased_count:
        found.notes.append(f"{erased_count} of {named_count} payloads were erased, each on record.")


def _name_unfinished(found: PayloadCheck, erased_ids: set[str], kept: pa.Array) -> None:
    ids = pa.array(sorted(erased_ids), pa.string())
    for payload_id in ids.filter(pc.is_in(ids, value_set=kept)).to_pylist():
        detail = "its erasure is on record; run `fleetbook log erase` again, and look where it came back from"
        _add(found, "erasure_unfinished", f"payload {payload_id}", detail)


def _event(table: pa.Table, row: int) -> str:
    return event_name(*(table[name][row].as_py() for name in ("event_id", "writer_id", "seq")))
