"""One tau2 simulation as events of the log, in the order they happened."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

from ingest.importers.draft import RunDraft
from ingest.importers.facts import Identity, Result, Turn, Usage, Verdict
from ingest.importers.figures import millionths, nano_usd, nanoseconds
from ingest.importers.formats import ImportedRun, Reading
from ingest.importers.source import SourceFile
from ingest.importers.tau2_shape import Header, Message, Simulation
from ingest.importers.times import Moment, read_moment

NAME = "tau2"
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


def read_simulation(
    simulation: Simulation, header: Header, source: SourceFile, reading: Reading
) -> ImportedRun:
    """The run of ``simulation``. Raises MalformedError and TimeError with the reason when there is none."""
    return _Run(simulation, header, source, reading).read()


class _Run:
    """One simulation on its way to events; the clock only moves forward when the source gives a time."""

    def __init__(self, simulation: Simulation, header: Header, source: SourceFile, reading: Reading) -> None:
        self._simulation = simulation
        self._zone = reading.time_zone
        started_at = self._time(simulation.start_time, "start_time")
        task_id = simulation.task_id
        identity = Identity(
            format_name=NAME,
            run_id=run_id_of(simulation),
            source_run_id=simulation.id,
            source_file=source.name,
            source_agent=header.agent_info.implementation,
            source_task_id=None if task_id is None else str(task_id),
            source_domain=header.environment_info.domain_name,
            model=header.agent_info.llm or "",
            # For ids the time as it is written, whatever its zone: so they have been from the beginning.
            started=Moment(started_at, started_at.replace(tzinfo=dt.UTC)),
            carried_at=started_at,
        )
        self._started_at = started_at
        self._draft = RunDraft(identity, reading.places)
        self._has_usage = any(message.usage for message in simulation.messages if message.role == "assistant")

    def read(self) -> ImportedRun:
        for index, message in enumerate(self._simulation.messages):
            self._message(index, message)
        self._end()
        verdict = self._simulation.reward_info
        if verdict is not None:
            is_good, score_micro = verdict.reward == 1, millionths(verdict.reward)
            self._draft.verdict(
                Verdict(kind="task_reward", is_good=is_good, score_micro=score_micro, part="task_reward")
            )
        return self._draft.finish()

    def _message(self, index: int, message: Message) -> None:
        before = self._draft.now
        if message.timestamp:
            self._draft.at(self._time(message.timestamp, f"messages[{index}].timestamp"))
        if message.role == "tool":
            self._result(index, message)
            return
        turn_index = None
        if message.role == "assistant" and self._is_model_call(index, message):
            turn_index = self._draft.turn(_turn(message, before))
        elif message.content:
            self._draft.say(message.role, message.content, str(index))
        for call in message.tool_calls or ():
            self._draft.call(
                call.name,
                call.arguments,
                call_id=call.id,
                turn_index=turn_index,
                called_by="user" if (call.requestor or message.role) == "user" else "agent",
            )

    def _is_model_call(self, index: int, message: Message) -> bool:
        """Usage makes a turn; in a run with usage elsewhere so does any line but the scripted greeting."""
        return message.usage is not None or (self._has_usage and index > 0)

    def _result(self, index: int, message: Message) -> None:
        call_index = self._draft.open_call(message.id)
        if call_index is None:
            # A result nobody asked for counts as no call; its text is kept.
            self._draft.say("tool", message.content, str(index))
            return
        outcome, error_class = ("failed", "unclassified") if message.error else ("succeeded", None)
        self._draft.result(call_index, Result(outcome=outcome, error_class=error_class, text=message.content))

    def _end(self) -> None:
        simulation, draft = self._simulation, self._draft
        if simulation.end_time:
            draft.at(self._time(simulation.end_time, "end_time"))
        elif simulation.duration is not None:
            draft.at(max(draft.now, self._started_at + dt.timedelta(seconds=simulation.duration)))
        word = simulation.termination_reason
        state, error_type = END_STATES.get(word, ("failed", "unknown_end"))
        draft.end(
            state,
            error_type=error_type,
            machine_ns=nanoseconds(simulation.duration),
            reported_cost_nano_usd=nano_usd(simulation.agent_cost),
            other_side_cost_nano_usd=nano_usd(simulation.user_cost),
            source_end_reason=word,
        )

    def _time(self, text: str, where: str) -> dt.datetime:
        return read_moment(text, self._zone, where).at


def _turn(message: Message, asked_at: dt.datetime) -> Turn:
    usage = message.usage
    return Turn(
        text=message.content,
        requested_at=asked_at,
        usage=Usage(
            input_tokens=usage.prompt_tokens if usage else None,
            output_tokens=usage.completion_tokens if usage else None,
        ),
        cost_nano_usd=nano_usd(message.cost) if usage else None,
        finish_reason=message.raw_data.finish_reason if message.raw_data else None,
    )


def run_id_of(simulation: Simulation) -> str:
    """Run id from the simulation's own id, in whatever file; ids that are no UUID count with their start."""
    if UUID_PATTERN.fullmatch(simulation.id):
        return f"{NAME}-{simulation.id}"
    digest = hashlib.sha256(f"{simulation.id}\x1f{simulation.start_time}".encode("utf-8", "backslashreplace"))
    return f"{NAME}-{digest.hexdigest()[:32]}"
