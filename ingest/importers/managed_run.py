"""One session of a managed agent as events of the log.

A turn is a model request; the messages before its end are its text. A call that a person denied is no error
and was not executed. Machine time leaves out the waits for people (for an answer to a question, for the next
message) and keeps those for the client's own tools.
"""

from __future__ import annotations

import datetime as dt

from ingest.importers.draft import RunDraft
from ingest.importers.facts import (
    Approval,
    Counts,
    Identity,
    MalformedError,
    Result,
    Turn,
    Usage,
    arguments_digest,
)
from ingest.importers.formats import ImportedRun, Reading
from ingest.importers.managed_shape import Event, ModelUsage, SessionEvents
from ingest.importers.source import SourceFile
from ingest.importers.times import read_moment

NAME = "managed_agents"
SOURCE_DOMAIN = "assistant"
UNSTATED = ("other_side_calls",)
CALLS = ("agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use")
RESULTS = ("agent.tool_result", "agent.mcp_tool_result", "user.custom_tool_result")
CONFIRMATION = "user.tool_confirmation"
DECISIONS = {"allow": "approved", "deny": "rejected"}
RUNNING, IDLE, TERMINATED = "session.status_running", "session.status_idle", "session.status_terminated"


def session_run(session: SessionEvents, source: SourceFile, reading: Reading) -> ImportedRun:
    """The run of one session. Raises MalformedError or TimeError with the reason."""
    return _SessionDraft(session, source, reading).run()


class _SessionDraft:
    """One session on its way to events."""

    def __init__(self, session: SessionEvents, source: SourceFile, reading: Reading) -> None:
        self._session = session
        self._zone = reading.time_zone
        self._draft = RunDraft(self._identity(source, reading), reading.places)
        self._asked_at: dict[str, dt.datetime] = {}
        self._texts: list[str] = []
        self._call_index: dict[str, int] = {}
        self._arguments: dict[str, object] = {}
        self._approvals: dict[str, str] = {}
        self._refused: set[str] = set()
        self._denied: dict[str, str] = {}
        self._machine = dt.timedelta()
        self._active_since: dt.datetime | None = None
        self._last_idle: Event | None = None
        self._is_paused = False

    def run(self) -> ImportedRun:
        for event in self._session.events:
            if event.processed_at:
                self._draft.at(self._at(event.processed_at))
            self._event(event)
        self._confirm_unrepeated()
        self._end()
        return self._draft.finish()

    def _identity(self, source: SourceFile, reading: Reading) -> Identity:
        events = self._session.events
        agent = self._session.session.agent if self._session.session else None
        first = next((event.processed_at for event in events if event.processed_at), None)
        if not self._session.session_id:
            raise MalformedError("the events name no session and have no ids")
        return Identity(
            format_name=NAME,
            run_id=f"{NAME}-{self._session.session_id}",
            source_run_id=self._session.session_id,
            source_file=source.name,
            source_agent=(agent.name if agent else "")
            or next((event.agent_name for event in events if event.agent_name), "")
            or NAME,
            source_domain=SOURCE_DOMAIN,
            model=agent.model_name if agent else "",
            provider="anthropic",
            started=read_moment(first, reading.time_zone, "processed_at") if first else None,
            carried_at=reading.imported_at,
        )

    def _at(self, text: str) -> dt.datetime:
        return read_moment(text, self._zone, "processed_at").at

    def _event(self, event: Event) -> None:
        if event.type in CALLS:
            self._call(event)
        elif event.type in RESULTS:
            self._result(event)
        elif event.type == CONFIRMATION:
            self._confirm(event)
        elif event.type == "user.message":
            self._draft.say("user", event.text)
        elif event.type == "agent.message":
            self._texts.append(event.text)
        elif event.type == "user.interrupt":
            self._draft.intervention("interrupted", event.id or str(self._draft.turn_count))
        elif event.type.startswith("span.model_request"):
            self._model_request(event)
        else:
            self._status(event)

    def _model_request(self, event: Event) -> None:
        if event.type == "span.model_request_start":
            self._asked_at[event.id or ""] = self._draft.now
        elif event.type == "span.model_request_end":
            asked = self._asked_at.pop(event.model_request_start_id or "", None)
            length = self._draft.now - asked if asked else None
            self._draft.turn(
                Turn(
                    text="\n".join(self._texts) or None,
                    requested_at=asked,
                    usage=_usage(event.model_usage),
                    duration_ns=_nanoseconds(length) if length is not None else None,
                    error_type="model_error" if event.is_error else None,
                )
            )
            self._texts = []

    def _call(self, event: Event) -> None:
        call_id = event.id or ""
        # Its turn ends after the call in the stream, hence the index of the turn to come.
        index = self._draft.call(
            event.name or "unnamed", event.input, call_id=call_id, turn_index=self._draft.turn_count
        )
        self._call_index[call_id] = index
        self._arguments[call_id] = event.input
        if event.evaluated_permission == "deny":
            self._refused.add(call_id)
        elif event.evaluated_permission == "ask":
            self._approvals[call_id] = self._draft.approval(
                Approval(
                    part=call_id,
                    tool_name=event.name,
                    call_index=index,
                    arguments_digest=arguments_digest(event.input),
                )
            )

    def _confirm(self, event: Event) -> None:
        call_id = event.call_id or ""
        decision = DECISIONS.get(event.result or "")
        if decision is None or call_id not in self._call_index:
            raise MalformedError(f"a tool confirmation says {event.result!r} about call {event.call_id!r}")
        digest = arguments_digest(self._arguments[call_id])
        self._approvals[call_id] = self._draft.approval(
            Approval(
                part=call_id,
                call_index=self._call_index[call_id],
                decision=decision,
                source_decision=event.result,
                decider_kind="person",
                arguments_digest=digest,
                approved_digest=digest if decision == "approved" else None,
                reason=event.deny_message,
            )
        )
        if decision == "rejected":
            self._denied[call_id] = event.deny_message or ""

    def _confirm_unrepeated(self) -> None:
        """Decisions that were sent when the recording ended: the stream did not repeat them any more."""
        repeated = {event.call_id for event in self._session.events if event.type == CONFIRMATION}
        for event in self._session.sent:
            if event.type == CONFIRMATION and event.call_id not in repeated:
                self._confirm(event)

    def _result(self, event: Event) -> None:
        call_id = event.call_id or ""
        self._draft.result(
            self._draft.open_call(call_id),
            Result(
                outcome=self._outcome(call_id, is_error=bool(event.is_error)),
                error_class="upstream" if self._is_failed(call_id, event) else None,
                text=event.text,
                approval_id=self._approvals.get(call_id),
                reason=self._denied.get(call_id) or None,
            ),
        )

    def _outcome(self, call_id: str, *, is_error: bool) -> str:
        if call_id in self._denied:
            return "denied"
        if call_id in self._refused:
            return "refused"
        return "failed" if is_error else "succeeded"

    def _is_failed(self, call_id: str, event: Event) -> bool:
        return self._outcome(call_id, is_error=bool(event.is_error)) == "failed"

    # Status and time

    def _status(self, event: Event) -> None:
        if event.type == RUNNING:
            if self._active_since is None:
                self._active_since = self._draft.now
            if self._is_paused:
                self._draft.step("run_resumed", event.id or str(self._draft.turn_count))
                self._is_paused = False
            self._last_idle = None
        elif event.type in (IDLE, TERMINATED):
            self._last_idle = event
            self._stop(event)

    def _stop(self, event: Event) -> None:
        """The session stands still; for a client's tool its clock goes on, for a person it does not."""
        waiting = event.stop_reason.event_ids if event.stop_reason else []
        is_person = any(call_id in self._approvals for call_id in waiting)
        if waiting and not is_person:
            return
        if self._active_since is not None:
            self._machine += self._draft.now - self._active_since
            self._active_since = None
        if is_person:
            self._is_paused = True
            self._draft.step("run_paused", event.id or str(self._draft.turn_count), pause_reason="approval")

    def _end(self) -> None:
        for text in self._texts:
            self._draft.say("assistant", text)
        edition = next((event.id for event in reversed(self._session.events) if event.id), "0")
        self._draft.counted(
            Counts(
                user_messages=self._count("user.message"),
                assistant_messages=self._count("agent.message"),
                tool_results=sum(event.type in RESULTS for event in self._session.events),
                unstated=UNSTATED if self._draft.turn_count else ("turns", *UNSTATED),
                edition=edition,
            )
        )
        idle = self._last_idle
        if idle is None:
            self._draft.step("run_resumed", f"end-{edition}")  # an older snapshot may have ended for a while
            return
        if self._is_paused or (idle.stop_reason and idle.stop_reason.event_ids):
            return  # it waits for somebody
        word = idle.stop_reason.type if idle.stop_reason else idle.type.rpartition("_")[2]
        is_completed = word == "end_turn"
        self._draft.end(
            "completed" if is_completed else "failed",
            edition=edition,
            error_type=None if is_completed else word,
            machine_ns=_nanoseconds(self._machine),
            source_end_reason=word,
        )

    def _count(self, event_type: str) -> int:
        return sum(event.type == event_type for event in self._session.events)


def _usage(usage: ModelUsage | None) -> Usage:
    if usage is None:
        return Usage()
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        is_cache_in_input=False,
    )


def _nanoseconds(length: dt.timedelta) -> int:
    return (length // dt.timedelta(microseconds=1)) * 1000
