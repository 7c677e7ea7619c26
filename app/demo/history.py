"""Writes the demo history into the log, day by day in the order in which things happened.

Every id is derived from the plan. A history that was interrupted is played again, and only the events that
are not in the log yet are written.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from app.demo.days import Days, of_last_month
from app.demo.record import Charge, Event, Happening
from app.demo.story import Plan
from ingest.log.writer import LogWriter
from ingest.payloads import Payload, make_payload
from ingest.reader import event_ids
from ingest.workspace import Workspace
from runner.control.slot_history import PastSlot

RECORDED_VIA = "demo"
BATCH_EVENTS = 8_000  # one fdatasync per batch; the log takes about 40,000 of these events a second


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a history holds: runs, events, and nano-USD per agent in the month in which it ends."""

    runs: int
    events: int
    spent: dict[str, int]
    slots: list[PastSlot]


Progress = Callable[[int, int, int], None]
"""Called with the days done, the days there are, and the events so far."""


def tell(
    workspace: Workspace, plan: Plan, days: Days, assured: Sequence[Happening], progress: Progress
) -> Told:
    """Write the whole history, or what is missing of it, and return what it holds.

    ``assured`` is what was recorded beside the runs, in order. Raises WriterError when the log cannot be
    written; the same call goes on afterwards.
    """
    known = event_ids(workspace, recorded_via=RECORDED_VIA)
    spent: dict[str, int] = defaultdict(int)
    runs = events = 0
    slots: list[PastSlot] = []
    pending: list[Happening] = list(assured)
    with LogWriter(workspace, recorded_via=RECORDED_VIA, is_demo=True, process_name="demo history") as writer:
        batch = _Batch(writer, known)
        for number, day in enumerate(plan.days, start=1):
            charges: list[Charge] = []
            for played in days.day(day):
                pending += played.happenings
                charges += played.charges
                runs += 1 + played.delegated
                slots += [played.slot] if played.slot else []
            for agent_id, nano_usd in of_last_month(charges, plan).items():
                spent[agent_id] += nano_usd
            pending.sort(key=_moment)
            past = _until(pending, plan.at(day + dt.timedelta(days=1)))
            events += len(past)
            batch.add(past)
            pending = pending[len(past) :]
            progress(number, len(plan.days), events)
        batch.add(pending)
        batch.write()
    return Told(runs=runs, events=events + len(pending), spent=dict(spent), slots=slots)


def _moment(happening: Happening) -> dt.datetime:
    return happening.at


def _until(pending: list[Happening], end: dt.datetime) -> list[Happening]:
    """The head of the sorted ``pending`` that happened before ``end``."""
    for position, happening in enumerate(pending):
        if happening.at >= end:
            return pending[:position]
    return pending


class _Batch:
    """Happenings on their way to the log; those that are there already are left out."""

    def __init__(self, writer: LogWriter, known: Set[str]) -> None:
        self._writer = writer
        self._known = known
        self._events: list[Event] = []
        self._payloads: list[Payload] = []

    def add(self, happenings: list[Happening]) -> None:
        """Take ``happenings`` in; write when the batch is full."""
        for happening in happenings:
            if happening.event["event_id"] in self._known:
                continue
            if happening.text:
                made = make_payload(
                    happening.text,
                    kind=happening.text_kind,
                    occurred_at=happening.at,
                    run_id=str(happening.event["run_id"]),
                    subject_id=str(happening.event["actor_id"]),
                )
                happening.event.update(made.columns)
                self._payloads.append(made.payload)
            self._events.append(happening.event)
            if len(self._events) >= BATCH_EVENTS:
                self.write()

    def write(self) -> None:
        """Append what is held."""
        if self._events:
            self._writer.append(self._events, self._payloads)
        self._events, self._payloads = [], []
