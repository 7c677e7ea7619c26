"""AgentDojo results: one JSON document per run of a tool-using agent, mostly under prompt injection.

Sources: ethz-spylab/agentdojo (``messages``) and SaFo-Lab/DRIFT (``conversations``, ``tool_permission``,
``total_tokens``).

``security`` is true when the attack SUCCEEDED, and it is true in every run without an injection, where it
means nothing. Other benchmarks use the same word for "safe"; a document without the words that make it
AgentDojo is therefore no AgentDojo document.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal

import msgspec

from ingest.importers.draft import RunDraft, attempt
from ingest.importers.facts import Counts, Identity, Result, Verdict, content_id
from ingest.importers.figures import nanoseconds
from ingest.importers.formats import ImportedRun, Item, Reading
from ingest.importers.probe import Probe
from ingest.importers.source import Json, SourceFile
from ingest.importers.times import Moment, read_moment

NAME = "agentdojo"
UNSTATED = ("turns", "other_side_calls", "approvals")
EFFECTS = {"Read": "read", "Write": "write"}
# Pydantic's and AgentDojo's own words for calls that could not be made; the rest failed inside the tool.
INVALID_CALLS = ("ValidationError", "Invalid tool", "Invalid arguments")


class Call(msgspec.Struct, frozen=True):
    """A tool call; the tool's name is in ``function``."""

    function: Annotated[str, msgspec.Meta(min_length=1)]
    args: dict[str, object] = {}
    id: str | None = None


class Part(msgspec.Struct, frozen=True):
    """One part of a message's content in newer AgentDojo."""

    content: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One line of the conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    error: str | None = None

    @property
    def text(self) -> str | None:
        """The text of all parts."""
        if isinstance(self.content, list):
            return "\n".join(part.content for part in self.content if part.content)
        return self.content


class Document(msgspec.Struct, frozen=True):
    """One run: a user task, with or without an injection task."""

    suite_name: str
    pipeline_name: str
    user_task_id: str
    utility: bool
    injection_task_id: str | None = None
    attack_type: str | None = None
    security: bool | None = None
    messages: list[Message] | None = None
    conversations: list[Message] | None = None
    tool_permission: dict[str, str] | None = None
    total_tokens: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)] | None = None
    duration: Annotated[float, msgspec.Meta(ge=0, le=9e6)] | None = None
    evaluation_timestamp: str | None = None
    error: str | None = None

    @property
    def lines(self) -> list[Message]:
        """The conversation, under whichever of its two names."""
        return self.conversations or self.messages or []

    @property
    def agent(self) -> str:
        """DRIFT runs its own agent; AgentDojo names the pipeline."""
        return "drift" if self.conversations is not None else self.pipeline_name

    @property
    def source_run_id(self) -> str:
        """The path under which the benchmark files the run, without the pipeline."""
        attack = self.attack_type or "none"
        return f"{self.suite_name}/{self.user_task_id}/{attack}/{self.injection_task_id or 'none'}"


class AgentDojo:
    """The importer ``agentdojo``."""

    name = NAME
    summary = "AgentDojo and DRIFT results, one JSON file per run"

    def recognises(self, probe: Probe) -> bool:
        """An object with suite, pipeline, user task and verdicts."""
        return probe.kind == "object" and probe.has(
            "suite_name", "pipeline_name", "user_task_id", "utility", "security"
        )

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """The one run of the document, or a reject. Raises SourceError when it is no JSON."""
        raw = source.document()
        yield attempt(partial(_run, raw, source, reading), raw=raw, source_run_id=source.stem)


FORMAT = AgentDojo()


def _run(raw: Json, source: SourceFile, reading: Reading) -> ImportedRun:
    document = msgspec.convert(raw, type=Document)
    draft = RunDraft(
        Identity(
            format_name=NAME,
            # The names repeat between experiments with the same pipeline; the content does not.
            run_id=content_id(NAME, raw),
            source_run_id=document.source_run_id,
            source_task_id=document.user_task_id,
            source_file=source.name,
            source_agent=document.agent,
            source_domain=document.suite_name,
            model=document.pipeline_name,
            started=_started(document, reading),
            carried_at=reading.imported_at,
        ),
        reading.places,
    )
    for message in document.lines:
        _message(draft, message, document.tool_permission or {})
    draft.counted(
        Counts(
            user_messages=_count(document, "user"),
            assistant_messages=_count(document, "assistant"),
            tool_results=_count(document, "tool"),
            total_tokens=document.total_tokens,
            unstated=UNSTATED,
        )
    )
    draft.end(
        "failed" if document.error else "completed",
        machine_ns=nanoseconds(document.duration),
        error_type="agent_error" if document.error else None,
    )
    _verdicts(draft, document)
    return draft.finish()


def _started(document: Document, reading: Reading) -> Moment | None:
    if document.evaluation_timestamp is None:
        return None
    return read_moment(document.evaluation_timestamp, reading.time_zone, "evaluation_timestamp")


def _count(document: Document, role: str) -> int:
    return sum(message.role == role for message in document.lines)


def _message(draft: RunDraft, message: Message, permissions: dict[str, str]) -> None:
    if message.role == "tool":
        draft.result(draft.open_call(message.tool_call_id), _result(message))
        return
    if message.text:
        draft.say(message.role, message.text)
    for call in message.tool_calls or ():
        effect = EFFECTS.get(permissions.get(call.function, ""))
        draft.call(call.function, call.args, call_id=call.id, tool_effect=effect)


def _result(message: Message) -> Result:
    if not message.error:
        return Result(outcome="succeeded", text=message.text)
    error_class = "invalid_args" if message.error.startswith(INVALID_CALLS) else "upstream"
    return Result(
        outcome="failed",
        error_class=error_class,
        error_type=message.error.partition(":")[0][:60] if ":" in message.error else None,
        text=message.text or message.error,
    )


def _verdicts(draft: RunDraft, document: Document) -> None:
    draft.verdict(Verdict(kind="task_reward", name="utility", is_good=document.utility))
    if document.injection_task_id is not None and document.security is not None:
        draft.verdict(
            Verdict(kind="security", name=document.injection_task_id, is_good=not document.security)
        )
