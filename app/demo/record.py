"""One run of the history as it is being recorded: events in order, on a clock that only moves forward."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ingest.contract import Value, derived_event_id

Event: TypeAlias = "dict[str, Value]"
MICROSECOND = dt.timedelta(microseconds=1)


class Happening(NamedTuple):
    """An event of the history with the text that belongs to it; ``text`` is empty where none is kept."""

    at: dt.datetime
    event: Event
    text: str
    text_kind: str


class Charge(NamedTuple):
    """One priced model call: when, for which agent, and what it cost in nano-USD."""

    at: dt.datetime
    agent_id: str
    nano_usd: int


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What every event of a run carries."""

    run_id: str
    agent_id: str
    agent_version: int
    team_id: str
    actor_id: str
    parent_run_id: str | None = None
    conversation_id: str | None = None

    def columns(self) -> Event:
        """The envelope as event columns."""
        return {
            "run_id": self.run_id,
            "agent_id": self.agent_id,
            "agent_version": self.agent_version,
            "team_id": self.team_id,
            "actor_id": self.actor_id,
            "parent_run_id": self.parent_run_id,
            "conversation_id": self.conversation_id,
        }


class Record:
    """The events of one run so far; ``keeps_texts`` says whether texts are kept."""

    def __init__(self, envelope: Envelope, begin: dt.datetime, *, keeps_texts: bool) -> None:
        self.envelope = envelope
        self.now = begin
        self.keeps_texts = keeps_texts
        self.happenings: list[Happening] = []
        self.machine_ns = 0
        self._columns = envelope.columns()

    def wait(self, milliseconds: float) -> None:
        """Let time pass in which no machine works for the run."""
        self.now += int(milliseconds * 1000) * MICROSECOND

    def work(self, milliseconds: float) -> int:
        """Let time pass in which the machine works for the run; returns it in nanoseconds."""
        micros = int(milliseconds * 1000)
        self.now += micros * MICROSECOND
        self.machine_ns += micros * 1000
        return micros * 1000

    def tell(
        self,
        event_type: str,
        shared: Mapping[str, Value] | None = None,
        *,
        text: str = "",
        kind: str = "",
        **columns: Value,
    ) -> None:
        """Record one event now, with the columns ``shared`` and ``columns`` and its text."""
        event: Event = {
            "event_id": derived_event_id(self.now, "demo", self.envelope.run_id, str(len(self.happenings))),
            "event_type": event_type,
            "occurred_at": self.now,
            **self._columns,
            **(shared or {}),
            **columns,
        }
        self.happenings.append(Happening(self.now, event, text if self.keeps_texts else "", kind))

    def end(
        self, end_state: str, *, text: str = "", error_type: str | None = None, reason: str | None = None
    ) -> None:
        """Record the end of the run with its exact number of events and its machine time."""
        self.tell(
            "run_ended",
            text=text,
            kind="answer",
            end_state=end_state,
            error_type=error_type,
            reason=reason,
            machine_ns=self.machine_ns,
            declared_event_count=len(self.happenings) + 1,
        )

    @property
    def has_ended(self) -> bool:
        """True when the last event is the end."""
        return self.happenings[-1].event["event_type"] == "run_ended"
