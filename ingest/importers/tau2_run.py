"""One tau2 simulation as events of the log, in the order they happened."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections import deque
from dataclasses import dataclass

from ingest.contract import Value, derived_event_id
from ingest.importers.facts import MalformedError
from ingest.importers.figures import is_unicode, millionths, nano_usd, nanoseconds, provider_of
from ingest.importers.formats import Draft, EventDict, ImportedRun, Reading
from ingest.importers.source import SourceFile
from ingest.importers.tau2_shape import Header, Message, Simulation, ToolCall

END_STATES = {
    "user_stop": ("completed", None),
    "agent_stop": ("completed", None),
    "max_steps": ("failed", "max_steps"),
    "too_many_errors": ("failed", "too_many_errors"),
    "agent_error": ("failed", "agent_error"),
    "user_error": ("failed", "user_error"),
    "infrastructure_error": ("failed", "infrastructure_error"),
}
UUID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class _OpenCall:
    """A tool call whose result has not appeared yet: the source's id, and the columns of its request."""

    source_id: str | None
    columns: dict[str, Value]


class RunDrafts:
    """One simulation on its way to events; the clock only moves forward when the source gives a time."""

    def __init__(self, simulation: Simulation, header: Header, source: SourceFile, reading: Reading) -> None:
        self._simulation = simulation
        self._zone = reading.time_zone
        self._started_at = self._time(simulation.start_time, "start_time")
        self._now = self._started_at
        self._model = header.agent_info.llm or ""
        self._source_agent = header.agent_info.implementation
        self._domain = header.environment_info.domain_name
        self._file = source.name
        self._place = reading.places.place(
            source_agent=self._source_agent, source_domain=self._domain, model=self._model, file=source.name
        )
        self.run_id = run_id_of(simulation)
        self._provider = provider_of(self._model)
        self._has_usage = any(message.usage for message in simulation.messages if message.role == "assistant")
        self._drafts: list[Draft] = []
        self._open: deque[_OpenCall] = deque()
        self._turns = 0
        self._calls = 0

    def read(self) -> ImportedRun:
        """The run as drafts. Raises MalformedError with the reason when a time or text cannot be taken in."""
        self._begin()
        for index, message in enumerate(self._simulation.messages):
            self._message(index, message)
        self._end()
        self._verdict()
        return ImportedRun(
            source_run_id=self._simulation.id,
            run_id=self.run_id,
            source_agent=self._source_agent,
            agent_id=self._place.agent_id,
            drafts=tuple(self._drafts),
        )

    def _begin(self) -> None:
        task_id = self._simulation.task_id
        self._add(
            "run_requested",
            "0",
            {
                "trigger_kind": "import",
                "source_file": self._file,
                "source_run_id": self._simulation.id,
                "source_task_id": None if task_id is None else str(task_id),
                "source_agent": self._source_agent,
                "source_domain": self._domain or None,
                "provider_name": self._provider if self._model else None,
                "requested_model": self._model or None,
            },
        )
        self._add("run_started", "0", {})

    def _message(self, index: int, message: Message) -> None:
        before = self._now
        if message.timestamp:
            self._now = self._time(message.timestamp, f"messages[{index}].timestamp")
        if message.role == "tool":
            self._result(index, message)
            return
        turn_index = None
        if message.role == "assistant" and self._is_model_call(index, message):
            turn_index = self._turn(message, before)
        elif message.content:
            self._add(
                "message_recorded", str(index), {"message_role": message.role}, message.content, "message"
            )
        for call in message.tool_calls or ():
            self._call(call, message, turn_index)

    def _say(self, index: int, message: Message) -> None:
        self._add("message_recorded", str(index), {"message_role": message.role}, message.content, "message")

    def _is_model_call(self, index: int, message: Message) -> bool:
        """Usage makes a turn; in a run with usage elsewhere so does any line but the scripted greeting."""
        return message.usage is not None or (self._has_usage and index > 0)

    def _turn(self, message: Message, asked_at: dt.datetime) -> int:
        turn_index = self._turns
        self._turns += 1
        columns: dict[str, Value] = {
            "turn_index": turn_index,
            "attempt": 1,
            "provider_name": self._provider,
            "requested_model": self._model or "unknown",
        }
        self._add("turn_requested", str(turn_index), columns, at=asked_at)
        usage = message.usage
        answer: dict[str, Value] = {
            **columns,
            "input_tokens": usage.prompt_tokens if usage else None,
            "output_tokens": usage.completion_tokens if usage else None,
            "reported_cost_nano_usd": nano_usd(message.cost) if usage else None,
            "finish_reason": message.raw_data.finish_reason if message.raw_data else None,
        }
        self._add("turn_finished", str(turn_index), answer, message.content, "turn")
        return turn_index

    def _call(self, call: ToolCall, message: Message, turn_index: int | None) -> None:
        called_by = "user" if (call.requestor or message.role) == "user" else "agent"
        columns: dict[str, Value] = {
            "call_index": self._calls,
            "tool_name": call.name,
            "tool_call_id": call.id or None,
            "called_by": called_by,
        }
        self._open.append(_OpenCall(source_id=call.id, columns=columns))
        self._calls += 1
        arguments = json.dumps(call.arguments, ensure_ascii=False, sort_keys=True)
        self._add(
            "tool_call_requested",
            str(columns["call_index"]),
            {**columns, "turn_index": turn_index},
            arguments,
            "arguments",
        )

    def _result(self, index: int, message: Message) -> None:
        called = next((open_call for open_call in self._open if open_call.source_id == message.id), None)
        if called is None:
            # A result nobody asked for counts as no call; its text is kept.
            self._say(index, message)
            return
        self._open.remove(called)
        self._add(
            "tool_call_finished",
            str(called.columns["call_index"]),
            {
                **called.columns,
                "tool_outcome": "failed" if message.error else "succeeded",
                "tool_error_class": "unclassified" if message.error else None,
            },
            message.content,
            "result",
        )

    def _end(self) -> None:
        simulation = self._simulation
        if simulation.end_time:
            self._now = self._time(simulation.end_time, "end_time")
        elif simulation.duration is not None:
            self._now = max(self._now, self._started_at + dt.timedelta(seconds=simulation.duration))
        word = simulation.termination_reason
        state, error_type = END_STATES.get(word, ("failed", "unknown_end"))
        self._add(
            "run_ended",
            "0",
            {
                "end_state": state,
                "error_type": error_type,
                "machine_ns": nanoseconds(simulation.duration),
                "declared_event_count": len(self._drafts) + 1,
                "reported_cost_nano_usd": nano_usd(simulation.agent_cost),
                "other_side_cost_nano_usd": nano_usd(simulation.user_cost),
                "source_end_reason": word,
            },
        )

    def _verdict(self) -> None:
        verdict = self._simulation.reward_info
        if verdict is None:
            return
        self._add(
            "outcome_recorded",
            "task_reward",
            {
                "outcome_kind": "task_reward",
                "is_good": verdict.reward == 1,
                "score_micro": millionths(verdict.reward),
            },
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
        occurred_at = at or self._now
        event: EventDict = {
            # Read as UTC whatever --time-zone says: a second import in another zone finds the same ids.
            "event_id": derived_event_id(self._id_time, "tau2", self.run_id, event_type, part),
            "event_type": event_type,
            "occurred_at": occurred_at,
            "team_id": self._place.team_id,
            "agent_id": self._place.agent_id,
            "run_id": self.run_id,
            **columns,
        }
        for words in (text, *event.values()):
            if isinstance(words, str) and not is_unicode(words):
                raise MalformedError(f"a text of {event_type} is no valid Unicode")
        self._drafts.append(
            Draft(event=event, occurred_at=occurred_at, text=text or None, text_kind=text_kind)
        )

    @property
    def _id_time(self) -> dt.datetime:
        return self._started_at.replace(tzinfo=dt.UTC)

    def _time(self, text: str, where: str) -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise MalformedError(f"{where} = {text[:40]!r} is no ISO 8601 time") from None
        if not 1970 < moment.year < 9999:  # before: not the time of an agent's run; after: no UTC form
            raise MalformedError(f"{where} = {text[:40]!r} is out of range")
        return moment if moment.tzinfo else moment.replace(tzinfo=self._zone)


def run_id_of(simulation: Simulation) -> str:
    """Run id from the simulation's own id, in whatever file; ids that are no UUID count with their start."""
    if UUID_PATTERN.fullmatch(simulation.id):
        return f"tau2-{simulation.id}"
    digest = hashlib.sha256(f"{simulation.id}\x1f{simulation.start_time}".encode("utf-8", "backslashreplace"))
    return f"tau2-{digest.hexdigest()[:32]}"
