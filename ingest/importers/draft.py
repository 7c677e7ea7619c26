"""A foreign run on its way to events of the log: ids, order, clock and pairing, the same for every format.

Ids are derived from the run and the position of what happened in it, never from the file or the time of the
import, so that a second import, or a grown snapshot of the same run, repeats them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ingest.contract import Value, derived_event_id, validate
from ingest.errors import ContractError
from ingest.importers.facts import (
    SHAPE_ERRORS,
    Approval,
    Counts,
    Identity,
    MalformedError,
    Result,
    Turn,
    Verdict,
    json_text,
)
from ingest.importers.figures import is_unicode, provider_of
from ingest.importers.formats import Draft, EventDict, ImportedRun, Places, Rejected
from ingest.importers.times import EPOCH, TimeError

# Verdicts and corrections come after a run; they are not among the events that its end declares.
AFTER_THE_RUN = ("outcome_recorded", "intervention_recorded")


@dataclass(frozen=True, kw_only=True)
class _OpenCall:
    call_id: str | None
    columns: dict[str, Value]


class RunDraft:
    """One run in the making. Its clock moves when the source gives a time; the order is that of the calls."""

    def __init__(self, identity: Identity, places: Places) -> None:
        self.identity = identity
        self.place = places.place(
            source_agent=identity.source_agent,
            source_domain=identity.source_domain,
            model=identity.model,
            file=identity.source_file,
        )
        self._provider = identity.provider or (provider_of(identity.model) if identity.model else None)
        self.now = identity.started.at if identity.started else identity.carried_at
        self._id_at = identity.started.id_at if identity.started else EPOCH
        self._drafts: list[Draft] = []
        self._open: deque[_OpenCall] = deque()
        self.turn_count = 0
        self.call_count = 0
        self._messages = 0
        self._approvals: dict[str, int] = {}
        self._begin()

    def _begin(self) -> None:
        identity = self.identity
        self._add(
            "run_requested",
            "0",
            {
                "trigger_kind": "import",
                "source_file": identity.source_file,
                "source_run_id": identity.source_run_id,
                "source_task_id": identity.source_task_id,
                "source_agent": identity.source_agent,
                "source_domain": identity.source_domain or None,
                "is_time_stated": None if identity.started else False,
                "provider_name": self._provider,
                "requested_model": identity.model or None,
                "parent_run_id": identity.parent_run_id,
                "conversation_id": identity.conversation_id,
            },
        )
        self._add("run_started", "0", {})

    def at(self, moment: dt.datetime | None) -> None:
        """Set the clock for what follows; None leaves it."""
        if moment is not None:
            self.now = moment

    def say(self, role: str, text: str | None, part: str = "") -> None:
        """A message that is no model turn, with its text if there is one."""
        self._add("message_recorded", part or str(self._messages), {"message_role": role}, text, "message")
        self._messages += 1

    def turn(self, turn: Turn) -> int:
        """A finished model call; returns its index in the run."""
        index = self.turn_count
        self.turn_count += 1
        self.restate_turn(index, turn, is_first=True)
        return index

    def restate_turn(self, index: int, turn: Turn, *, is_first: bool = False) -> None:
        """The same call again, when its end is known; of several, the last one counts."""
        columns: dict[str, Value] = {
            "turn_index": index,
            "attempt": 1,
            "provider_name": self._provider or provider_of(turn.model or ""),
            "requested_model": turn.model or self.identity.model or "unknown",
        }
        if is_first:
            self._add("turn_requested", str(index), columns, at=turn.requested_at)
        self.at(turn.finished_at)
        answer: dict[str, Value] = {
            **columns,
            **vars(turn.usage),
            "served_model": turn.served_model,
            "reported_cost_nano_usd": turn.cost_nano_usd,
            "duration_ns": turn.duration_ns,
            "finish_reason": turn.finish_reason,
            "error_type": turn.error_type,
        }
        part = f"{index}/{turn.edition}" if turn.edition else str(index)
        self._add("turn_finished", part, answer, turn.text, "turn")

    def call(
        self,
        name: str,
        arguments: object,
        *,
        call_id: str | None = None,
        turn_index: int | None = None,
        tool_effect: str | None = None,
        called_by: str = "agent",
    ) -> int:
        """A tool call that was asked for; returns its index in the run. ``arguments`` is text or JSON."""
        index = self.call_count
        self.call_count += 1
        columns: dict[str, Value] = {
            "call_index": index,
            "tool_name": name,
            "tool_call_id": call_id or None,
            "called_by": called_by,
        }
        self._open.append(_OpenCall(call_id=call_id, columns=columns))
        self._add(
            "tool_call_requested",
            str(index),
            {**columns, "turn_index": turn_index, "tool_effect": tool_effect},
            arguments if isinstance(arguments, str) else json_text(arguments),
            "arguments",
        )
        return index

    def open_call(self, call_id: str | None) -> int | None:
        """Index of the earliest call with this id that has no result yet: ids repeat within a run."""
        found = next((one for one in self._open if one.call_id == call_id), None)
        return int(str(found.columns["call_index"])) if found else None

    def result(self, index: int | None, result: Result) -> None:
        """The end of call ``index``. A result that belongs to no call counts as no call; its text is kept."""
        called = next((one for one in self._open if one.columns["call_index"] == index), None)
        if called is None:
            self.say("tool", result.text)
            return
        self._open.remove(called)
        self._add(
            "tool_call_finished",
            str(index),
            {
                **called.columns,
                "tool_outcome": result.outcome,
                "tool_error_class": result.error_class,
                "error_type": result.error_type,
                "duration_ns": result.duration_ns,
                "approval_id": result.approval_id,
                "reason": result.reason,
            },
            result.text,
            "result",
        )

    def approval(self, approval: Approval) -> str:
        """An approval, first as asked for, later as decided; returns its id."""
        columns: dict[str, Value] = {**vars(approval)}
        del columns["part"]
        approval_id = f"{self.identity.run_id}-{approval.part}"
        number = self._approvals[approval.part] = self._approvals.get(approval.part, -1) + 1
        part = f"{approval.part}/{number}/{approval.source_decision or approval.decision or 'asked'}"
        self._add("approval_reported", part, {**columns, "approval_id": approval_id})
        return approval_id

    def verdict(self, verdict: Verdict) -> None:
        """A verdict on the run."""
        self._add(
            "outcome_recorded",
            verdict.part or f"{verdict.kind}/{verdict.name or ''}",
            {
                "outcome_kind": verdict.kind,
                "outcome_name": verdict.name,
                "is_good": verdict.is_good,
                "score_micro": verdict.score_micro,
                "reason": verdict.reason,
                "person_id": verdict.person_id,
            },
        )

    def intervention(self, kind: str, part: str, *, person_id: str | None = None) -> None:
        """A person stepped in."""
        self._add("intervention_recorded", part, {"intervention_kind": kind, "person_id": person_id})

    def step(self, event_type: str, part: str, **columns: Value) -> None:
        """A bare step of the run, such as ``run_paused`` with its reason."""
        self._add(event_type, part, columns)

    def counted(self, counts: Counts) -> None:
        """The totals of the source's own record."""
        self._add(
            "run_counted",
            counts.edition or "0",
            {
                **vars(counts.usage),
                "turn_count": counts.turns,
                "user_message_count": counts.user_messages,
                "assistant_message_count": counts.assistant_messages,
                "tool_result_count": counts.tool_results,
                "total_tokens": counts.total_tokens,
                "reported_cost_nano_usd": counts.cost_nano_usd,
                "unstated_counts": ";".join(counts.unstated) or None,
            },
        )

    def end(self, state: str, *, edition: str = "", text: str | None = None, **columns: Value) -> None:
        """The end of the run. ``edition`` names a preliminary end of a record that may grow.

        A record that is complete declares how many events the run has; a growing one cannot.
        """
        known = sum(draft.event["event_type"] not in AFTER_THE_RUN for draft in self._drafts) + 1
        self._add(
            "run_ended",
            edition or "0",
            {"end_state": state, "declared_event_count": None if edition else known, **columns},
            text,
            "answer",
        )

    def finish(self) -> ImportedRun:
        """The run. Raises MalformedError when an event of it does not meet the contract."""
        for draft in self._drafts:
            try:
                validate(draft.event)
            except ContractError as error:
                raise MalformedError(f"{error.event_type}: {error.problem}") from error
        return ImportedRun(
            source_run_id=self.identity.source_run_id,
            run_id=self.identity.run_id,
            source_agent=self.identity.source_agent,
            agent_id=self.place.agent_id,
            drafts=tuple(self._drafts),
        )

    def _add(
        self,
        event_type: str,
        part: str,
        columns: dict[str, Value],
        text: str | None = None,
        text_kind: str = "",
        at: dt.datetime | None = None,
    ) -> None:
        identity = self.identity
        occurred_at = at or self.now
        event: EventDict = {
            "event_id": derived_event_id(
                self._id_at, identity.format_name, identity.run_id, event_type, part
            ),
            "event_type": event_type,
            "occurred_at": occurred_at,
            "team_id": self.place.team_id,
            "agent_id": self.place.agent_id,
            "run_id": identity.run_id,
            **columns,
        }
        for words in (text, *event.values()):
            if isinstance(words, str) and not is_unicode(words):
                raise MalformedError(f"a text of {event_type} is no valid Unicode")
        self._drafts.append(
            Draft(event=event, occurred_at=occurred_at, text=text or None, text_kind=text_kind)
        )


def attempt(
    build: Callable[[], ImportedRun], *, raw: object, position: int = 0, source_run_id: str = ""
) -> ImportedRun | Rejected:
    """The run that ``build`` makes, or a reject with the reason; ``raw`` is kept as a document of its own.

    ``raw`` is decoded JSON, or text.
    """
    try:
        return build()
    except RecursionError:
        reason, raw = "a value is nested too deeply", ""
    except (*SHAPE_ERRORS, MalformedError, TimeError) as error:
        reason = str(error)
    return Rejected(
        position=position,
        source_run_id=source_run_id if is_unicode(source_run_id) else "",
        reason=reason,
        raw=raw if isinstance(raw, str) else json.dumps(raw),
    )
