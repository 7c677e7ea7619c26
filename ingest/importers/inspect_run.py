"""One Inspect sample as events of the log.

- A turn is a model event, the grader's included: its tokens were spent for this run.
- A call is what a model event asked for, or a tool event without such; it is decided by approval events and
  ended by its tool event. Without any events the messages are read instead.
- A person's no is no error: a call that an approver rejected or that ended the sample was not executed.
- The first score is the verdict; others are kept as scores.
"""

from __future__ import annotations

import json

import msgspec

from ingest.importers.draft import RunDraft
from ingest.importers.facts import (
    Approval,
    Counts,
    Identity,
    Result,
    Turn,
    arguments_digest,
    content_id,
)
from ingest.importers.figures import nanoseconds
from ingest.importers.formats import ImportedRun, Reading
from ingest.importers.inspect_shape import (
    ApprovalEvent,
    EvalSpec,
    Message,
    ModelEvent,
    Sample,
    ToolEvent,
)
from ingest.importers.inspect_words import (
    DECIDERS,
    DECISIONS,
    end_of,
    outcome_of,
    total_of,
    usage_of,
    verdict_of,
)
from ingest.importers.source import Json, SourceFile
from ingest.importers.times import Moment, read_moment

NAME = "inspect"
ATTACHMENT = "attachment://"


def sample_run(raw: Json, spec: EvalSpec, source: SourceFile, reading: Reading) -> ImportedRun:
    """The run of one sample. Raises MalformedError, TimeError or ValidationError with the reason."""
    return _SampleDraft(msgspec.convert(raw, type=Sample), spec, source, reading).run()


class _SampleDraft:
    """One sample on its way to events."""

    def __init__(self, sample: Sample, spec: EvalSpec, source: SourceFile, reading: Reading) -> None:
        self._sample = sample
        self._spec = spec
        self._zone = reading.time_zone
        self._draft = RunDraft(self._identity(source, reading), reading.places)
        self._approvals: dict[int, tuple[str, str]] = {}
        self._unsaid = list(sample.messages)
        self._is_approval_seen = False

    def run(self) -> ImportedRun:
        for event in self._sample.events:
            self._event(event)
        if not any(event.get("event") == "model" for event in self._sample.events):
            self._from_messages()
        else:
            self._say_until_assistant()
        self._end()
        return self._draft.finish()

    def _identity(self, source: SourceFile, reading: Reading) -> Identity:
        sample, spec = self._sample, self._spec
        task = spec.task.rpartition("/")[2]
        names = (spec.run_id, spec.eval_id, spec.task_id, spec.created, str(sample.id), str(sample.epoch))
        return Identity(
            format_name=NAME,
            # A retried evaluation copies samples, with their uuid, into a new log.
            run_id=f"{NAME}-{sample.uuid}" if sample.uuid else content_id(NAME, *names),
            source_run_id=sample.source_run_id,
            source_task_id=str(sample.id),
            source_file=source.name,
            source_agent=task,
            source_domain=task,
            model=spec.model,
            started=self._started(),
            carried_at=self._moment(spec.created, "eval.created").at,
        )

    def _started(self) -> Moment | None:
        first = self._sample.started_at or next(
            (str(event["timestamp"]) for event in self._sample.events if event.get("timestamp")), None
        )
        return self._moment(first, "started_at") if first else None

    def _moment(self, text: str, where: str) -> Moment:
        return read_moment(text, self._zone, where)

    # Events

    def _event(self, event: dict[str, object]) -> None:
        kind = event.get("event")
        if event.get("pending"):
            return
        if kind == "model":
            self._model(msgspec.convert(event, type=ModelEvent))
        elif kind == "tool":
            self._tool(msgspec.convert(event, type=ToolEvent))
        elif kind == "approval":
            self._approval(msgspec.convert(event, type=ApprovalEvent))

    def _model(self, event: ModelEvent) -> None:
        self._say_until_assistant()
        asked = self._moment(event.timestamp, "model.timestamp").at
        answered = self._moment(event.completed, "model.completed").at if event.completed else asked
        choice = event.output.choices[0] if event.output.choices else None
        turn_index = self._draft.turn(
            Turn(
                text=self._text(choice.message.content) if choice else None,
                requested_at=asked,
                finished_at=answered,
                model=event.model,
                served_model=event.output.model or None,
                usage=usage_of(event.output.usage),
                duration_ns=nanoseconds(event.output.time),
                finish_reason=choice.stop_reason if choice else None,
                error_type="model_error" if event.error or event.output.error else None,
            )
        )
        for call in (choice.message.tool_calls if choice else None) or ():
            self._draft.call(call.function, call.arguments, call_id=call.id, turn_index=turn_index)

    def _tool(self, event: ToolEvent) -> None:
        index = self._called(event.id, event.function, event.arguments, event.timestamp)
        ended = event.completed or event.timestamp
        asked, answered = (self._moment(text, "tool.timestamp").at for text in (event.timestamp, ended))
        self._draft.at(answered)
        approval_id, decision = self._approvals.get(index, (None, ""))
        outcome, error_class = outcome_of(event.error, is_failed=bool(event.failed), decision=decision)
        self._draft.result(
            index,
            Result(
                outcome=outcome,
                error_class=error_class,
                error_type=event.error.type if event.error else None,
                text=self._text(event.result) or (event.error.message if event.error else None),
                duration_ns=round((answered - asked).total_seconds() * 1e6) * 1000,
                approval_id=approval_id,
            ),
        )

    def _approval(self, event: ApprovalEvent) -> None:
        self._is_approval_seen = True
        index = self._called(event.call.id, event.call.function, event.call.arguments, event.timestamp)
        self._draft.at(self._moment(event.timestamp, "approval.timestamp").at)
        decision = DECISIONS.get(event.decision)
        approved = (event.modified or event.call).arguments if decision else None
        approval_id = self._draft.approval(
            Approval(
                part=f"call-{index}",
                tool_name=event.call.function,
                call_index=index,
                decision=decision,
                source_decision=event.decision,
                decider_kind=DECIDERS.get(event.approver, "unknown"),
                approval_rule=event.approver,
                arguments_digest=arguments_digest(event.call.arguments),
                approved_digest=arguments_digest(approved) if decision != "rejected" and decision else None,
                reason=event.explanation,
            )
        )
        self._approvals[index] = (approval_id, event.decision)

    def _called(self, call_id: str, name: str, arguments: object, timestamp: str) -> int:
        """The open call with this id; one that no model event asked for is asked for now."""
        index = self._draft.open_call(call_id)
        if index is None:
            self._draft.at(self._moment(timestamp, "timestamp").at)
            index = self._draft.call(name, arguments, call_id=call_id)
        return index

    # Messages

    def _say_until_assistant(self) -> None:
        """Say what users and the system said before the next answer of the assistant."""
        while self._unsaid:
            message = self._unsaid.pop(0)
            if message.role == "assistant":
                return
            if message.role != "tool":
                self._draft.say(message.role, self._text(message.content))

    def _from_messages(self) -> None:
        for message in self._unsaid:
            if message.role == "tool":
                self._result(message)
                continue
            self._draft.say(message.role, self._text(message.content))
            for call in message.tool_calls or ():
                self._draft.call(call.function, call.arguments, call_id=call.id)

    def _result(self, message: Message) -> None:
        outcome, error_class = outcome_of(message.error, is_failed=False, decision="")
        self._draft.result(
            self._draft.open_call(message.tool_call_id),
            Result(
                outcome=outcome,
                error_class=error_class,
                error_type=message.error.type if message.error else None,
                text=self._text(message.content),
            ),
        )

    def _text(self, content: object) -> str | None:
        """The text of a content: text, or the text parts of a list; long texts stand in the attachments."""
        if isinstance(content, list):
            parts = [part.get("text") for part in content if isinstance(part, dict)]
            content = "\n".join(part for part in parts if isinstance(part, str))
        if content is None:
            return None
        text = content if isinstance(content, str) else json.dumps(content)
        if text.startswith(ATTACHMENT):
            return self._sample.attachments.get(text.removeprefix(ATTACHMENT), text)
        return text

    # The end

    def _end(self) -> None:
        sample = self._sample
        has_model_events = self._draft.turn_count > 0
        approvals = self._is_approval_seen or self._spec.config.approval is not None
        unstated = (
            *(() if has_model_events else ("turns",)),
            "other_side_calls",
            *(() if approvals else ("approvals",)),
            # Inspect's total leaves out retries and waits that its parts contain; parts do not add up to it.
            *(() if sample.total_time is not None else ("machine_time",)),
        )
        total, usage = total_of(sample.model_usage)
        self._draft.counted(
            Counts(
                user_messages=self._count("user"),
                assistant_messages=self._count("assistant"),
                tool_results=self._count("tool"),
                total_tokens=total,
                usage=usage,
                unstated=unstated,
            )
        )
        state, error_type = end_of(sample.error, sample.limit)
        last = sample.completed_at or self._last_timestamp()
        self._draft.at(self._moment(last, "completed_at").at if last else None)
        self._draft.end(
            state,
            error_type=error_type,
            machine_ns=nanoseconds(sample.total_time),
            source_end_reason=sample.limit.type if sample.limit else None,
        )
        for number, (name, score) in enumerate((sample.scores or {}).items()):
            self._draft.verdict(verdict_of(name, score, is_first=number == 0))

    def _count(self, role: str) -> int:
        return sum(message.role == role for message in self._sample.messages)

    def _last_timestamp(self) -> str | None:
        events = self._sample.events
        return next((str(event["timestamp"]) for event in reversed(events) if event.get("timestamp")), None)
