"""Erasure: the texts of a run or a person go, with the salts of their commitments, and the log says so.

What stays is a commitment that nobody can guess from, and a ``payload_erased`` event for each text. Order:
recover (so that a dead writer's file brings nothing back), events, strike texts in open files, rewrite sealed
files. Whatever interrupts this, the next erasure does the rest, and until then verify says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from ingest.contract import Value, new_event_id
from ingest.errors import MaintenanceError
from ingest.holds import refuse_held
from ingest.log.recover import recover
from ingest.log.writer import LogWriter, utc_now
from ingest.payload_removal import remove_texts
from ingest.payload_store import StoredText, stored_texts
from ingest.payload_struck import strike, struck_ids, texts_alone
from ingest.reader import rows_where
from ingest.workspace import Workspace

_EVENTS_AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True)
class EraseReport:
    """What an erasure did: texts erased now, erasures of before finished now, texts in files still open."""

    erased_count: int
    finished_count: int
    open_count: int


def erase(
    workspace: Workspace,
    *,
    reason: str,
    person_id: str,
    run_id: str | None = None,
    subject_id: str | None = None,
    clock: Callable[[], dt.datetime] = utc_now,
) -> EraseReport:
    """Erase every text of the run ``run_id``, or about the person ``subject_id``.

    ``reason`` and ``person_id`` (who does it) go into the record. An agent's specification is not about a
    person and stays. Texts in files of living writers are hidden at once and gone when those are sealed.
    Of several machines all are told, and the shared record is rewritten. Raises MaintenanceError without run,
    person or reason, MaintenanceRefusal for texts under a legal hold, WriterError, SegmentError, PlaceError,
    OSError.
    """
    if (run_id is None) == (subject_id is None) or not reason.strip():
        raise MaintenanceError(
            "Not erased: an erasure needs a run or a person, not both, and a reason. "
            "Give --run RUN or --subject PERSON, and --reason."
        )
    recover(workspace)
    with texts_alone(workspace):
        elsewhere = stored_texts(workspace.record) if workspace.record != workspace else []
        stored = [*elsewhere, *stored_texts(workspace)]  # of one in both places the one here counts
        recorded = erased_ids(workspace)
        wanted = {
            text.payload_id: text
            for text in stored
            if (text.run_id == run_id if run_id is not None else _is_about(text, subject_id))
        }
        new = [text for payload_id, text in wanted.items() if payload_id not in recorded]
        refuse_held(workspace, {text.payload_id for text in new}, "Not erased")
        _record(workspace, new, reason, person_id, clock)
        struck = struck_ids(workspace)
        gone = wanted.keys() | recorded
        still_open = {text.payload_id for text in stored if text.is_open and text.payload_id in gone}
        strike(workspace, still_open - struck)
        finished = {text.payload_id for text in stored if not text.is_open and text.payload_id in gone}
        remove_texts(workspace, finished)
        new_ids = {text.payload_id for text in new}
    if workspace.record != workspace:
        _erase_in_record(workspace, finished | still_open, clock())
    return EraseReport(
        erased_count=len(new),
        finished_count=len((finished | (still_open - struck)) - new_ids),
        open_count=len(still_open),
    )


def _erase_in_record(workspace: Workspace, payload_ids: set[str], now: dt.datetime) -> None:
    """The record of the erasure goes ahead of it; every machine is told."""
    from ingest.shared.erasing import erase_at_place, list_erased
    from ingest.shared.joining import opened
    from ingest.shared.refreshing import refresh

    refresh(workspace)
    list_erased(opened(workspace).objects, payload_ids, now)
    erase_at_place(workspace.record, payload_ids)


def _is_about(text: StoredText, subject_id: str | None) -> bool:
    return text.subject_id == subject_id and text.kind != "specification"


def erased_ids(workspace: Workspace) -> set[str]:
    """The payload ids whose erasure the log records one by one."""
    found: set[str] = set()
    for table in rows_where(workspace, ["event_type", "payload_id"], "event_type", "payload_erased"):
        found.update(table["payload_id"].drop_null().to_pylist())
    return found


def _record(
    workspace: Workspace,
    texts: list[StoredText],
    reason: str,
    person_id: str,
    clock: Callable[[], dt.datetime],
) -> None:
    if not texts:
        return
    with LogWriter(workspace, recorded_via="app", process_name="fleetbook log erase", clock=clock) as writer:
        for start in range(0, len(texts), _EVENTS_AT_ONCE):
            now = clock()
            writer.append(
                [_event(text, reason, person_id, now) for text in texts[start : start + _EVENTS_AT_ONCE]]
            )


def _event(text: StoredText, reason: str, person_id: str, now: dt.datetime) -> dict[str, Value]:
    event: dict[str, Value] = {
        "event_id": new_event_id(now),
        "event_type": "payload_erased",
        "occurred_at": now,
        "payload_id": text.payload_id,
        "actor_id": person_id,
        "reason": reason,
        "row_count": 1,
    }
    return {**event, "run_id": text.run_id} if text.run_id is not None else event
