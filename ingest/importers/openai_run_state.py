"""RunState snapshots of the OpenAI Agents SDK: where the approvals of its runs are.

Source: openai/openai-agents-python, ``run_state.py`` and ``run_context.py``, schemas 1.0 and later. A
snapshot holds a run that stands still: what the model answered, which calls wait for a person
(``current_step``), and what persons decided: by call id, or for all calls of a tool (``approved: true``). The
SDK's traces and OTel spans hold none of it. There are no times; usage of 0 with 0 requests is what an empty
counter looks like.

A second snapshot of the same run (same trace, else same first answer) adds to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from ingest.importers.draft import RunDraft, attempt
from ingest.importers.facts import (
    Approval,
    Counts,
    Identity,
    MalformedError,
    Result,
    Turn,
    Usage,
    arguments_digest,
    content_id,
)
from ingest.importers.formats import ImportedRun, Item, Reading, Rejected
from ingest.importers.lines import read_lines
from ingest.importers.probe import Probe
from ingest.importers.run_state_shape import (
    Decision,
    DecisionEntry,
    ModelResponse,
    RawItem,
    RunItem,
    RunState,
    TokenUsage,
    is_supported,
)
from ingest.importers.source import Json, JsonReader, SourceFile

NAME = "openai_run_state"
UNSTATED = ("tool_errors", "other_side_calls")
VERSION_KEY = "$schemaVersion"
CALLS = (
    "function_call",
    "mcp_call",
    "mcp_approval_request",
    "custom_tool_call",
    "computer_call",
    "shell_call",
)
OUTPUT_SUFFIX = "_output"
INTERRUPTED, FINISHED = "next_step_interruption", "next_step_final_output"


class OpenAIRunState:
    """The importer ``openai_run_state``."""

    name = NAME
    summary = "RunState snapshots of the OpenAI Agents SDK (.json, .jsonl)"

    def recognises(self, probe: Probe) -> bool:
        """Objects with the schema's version and an agent."""
        if probe.kind == "lines":
            return all(isinstance(one, dict) and VERSION_KEY in one for one in probe.records)
        return probe.kind == "object" and VERSION_KEY in probe.keys

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """One run per snapshot. Raises SourceError when the document is no JSON."""
        with source.open() as stream:
            reader = JsonReader(stream, source.title)
            value = reader.value()
            is_single = reader.at_end()
        if is_single:
            yield _item(value, 0, source, reading)
            return
        for position, line in enumerate(read_lines(source)):
            if line.problem:
                yield Rejected(position=position, source_run_id="", reason=line.problem, raw=line.text)
            else:
                yield _item(line.value, position, source, reading)


FORMAT = OpenAIRunState()


def _item(raw: Json, position: int, source: SourceFile, reading: Reading) -> Item:
    return attempt(partial(_run, raw, source, reading), raw=raw, position=position, source_run_id=source.stem)


def _run(raw: Json, source: SourceFile, reading: Reading) -> ImportedRun:
    version = raw.get(VERSION_KEY) if isinstance(raw, dict) else None
    if not is_supported(version):
        raise MalformedError(f"schema version {str(version)[:20]!r} is none that this release reads (1.x)")
    return _StateDraft(msgspec.convert(raw, type=RunState), raw, source, reading).run()


class _StateDraft:
    """One snapshot on its way to events."""

    def __init__(self, state: RunState, raw: Json, source: SourceFile, reading: Reading) -> None:
        self._state = state
        first = next((one.response_id for one in state.model_responses if one.response_id), None)
        trace_id = state.trace.id if state.trace else None
        self._draft = RunDraft(
            Identity(
                format_name=NAME,
                # A snapshot without ids of its own is only its content.
                run_id=content_id(NAME, trace_id or first or raw),
                source_run_id=trace_id or first or source.stem,
                source_file=source.name,
                source_agent=state.current_agent.name,
                source_domain=(state.trace.workflow_name or "") if state.trace else "",
                conversation_id=state.conversation_id,
                provider="openai",
                carried_at=reading.imported_at,
            ),
            reading.places,
        )
        self._indexes: dict[str, int] = {}
        self._arguments: dict[str, object] = {}
        self._approval_ids: dict[str, str] = {}
        self._is_waiting = False
        self._rejected: set[str] = set()

    def run(self) -> ImportedRun:
        state = self._state
        if isinstance(state.original_input, str):
            self._draft.say("user", state.original_input)
        for response in state.model_responses:
            self._response(response)
        for one in (*state.generated_items, *self._interruptions()):
            self._ask_for(one)
        self._decide()
        for item in state.generated_items:
            self._output(item)
        self._end()
        return self._draft.finish()

    def _interruptions(self) -> list[RunItem]:
        step = self._state.current_step
        return step.data.interruptions if step and step.data and step.type == INTERRUPTED else []

    # What was asked

    def _response(self, response: ModelResponse) -> None:
        texts = [item.text for item in response.output if item.type == "message"]
        index = self._draft.turn(Turn(text="\n".join(texts) or None, usage=_usage(response.usage)))
        for item in response.output:
            if item.type in CALLS:
                self._call(item, item.name, index)

    def _ask_for(self, one: RunItem) -> None:
        if one.raw_item and one.raw_item.type in CALLS:
            self._call(one.raw_item, one.tool_name or one.raw_item.name, None)

    def _call(self, item: RawItem, name: str | None, turn_index: int | None) -> None:
        call_id = item.call_id or item.id
        if call_id is None or call_id in self._indexes:
            return
        self._arguments[call_id] = item.arguments
        self._indexes[call_id] = self._draft.call(
            name or item.type, item.arguments, call_id=call_id, turn_index=turn_index
        )

    # What was decided

    def _decide(self) -> None:
        context = self._state.context
        entries = [*context.function_tool_approvals, *context.hosted_mcp_approvals]
        for tool_name, decision in context.approvals.items():
            self._decisions(tool_name, decision)
        for entry in entries:
            self._decisions(_tool_of(entry), entry.decision)
        for one in self._interruptions():
            if one.call_id and one.call_id not in self._approval_ids:
                self._approval(one.call_id, one.tool_name, None, None)
                self._is_waiting = True

    def _decisions(self, tool_name: str, decision: Decision) -> None:
        for call_id in decision.approved if isinstance(decision.approved, list) else ():
            self._approval(call_id, tool_name, "approved", None)
        for call_id in decision.rejected if isinstance(decision.rejected, list) else ():
            self._rejected.add(call_id)
            self._approval(call_id, tool_name, "rejected", decision.rejection_messages.get(call_id))
        for given, word in ((decision.approved, "approved"), (decision.rejected, "rejected")):
            if given is True:
                self._standing(tool_name, word, decision.sticky_rejection_message)

    def _standing(self, tool_name: str, word: str, message: str | None) -> None:
        """One decision for all calls of a tool; it covers the calls that no decision of their own names."""
        self._draft.approval(
            Approval(
                part=f"always-{tool_name}",
                tool_name=tool_name,
                decision=word,
                source_decision=f"always {word}",
                decider_kind="person",
                approval_rule="always",
                reason=message if word == "rejected" else None,
            )
        )

    def _approval(self, call_id: str, tool_name: str | None, word: str | None, reason: str | None) -> None:
        digest = arguments_digest(self._arguments[call_id]) if call_id in self._arguments else None
        self._approval_ids[call_id] = self._draft.approval(
            Approval(
                part=call_id,
                tool_name=tool_name,
                call_index=self._indexes.get(call_id),
                decision=word,
                decider_kind="person" if word else None,
                arguments_digest=digest,
                approved_digest=digest if word == "approved" else None,
                reason=reason,
            )
        )

    # How it ended

    def _output(self, item: RunItem) -> None:
        raw = item.raw_item
        if raw is None or not raw.type.endswith(OUTPUT_SUFFIX):
            return
        call_id = raw.call_id or ""
        self._draft.result(
            self._indexes.get(call_id),
            Result(
                outcome="denied" if call_id in self._rejected else "unknown",
                text=raw.output if isinstance(raw.output, str) else None,
                approval_id=self._approval_ids.get(call_id),
            ),
        )

    def _end(self) -> None:
        state = self._state
        edition = f"{len(state.model_responses)}-{len(state.generated_items)}"
        total = state.context.usage
        self._draft.counted(
            Counts(
                turns=(total.requests or None) if total else None,
                total_tokens=(total.total_tokens or None) if total else None,
                usage=_usage(total),
                unstated=UNSTATED if state.model_responses else ("turns", *UNSTATED),
                edition=edition,
            )
        )
        if self._is_waiting:
            self._draft.step("run_paused", edition, pause_reason="approval")
        elif state.current_step and state.current_step.type == FINISHED:
            self._draft.end("completed", edition=edition)
        elif self._approval_ids:
            self._draft.step("run_resumed", edition)  # an older snapshot may have waited here


def _tool_of(entry: DecisionEntry) -> str:
    if entry.tool_key:
        return entry.tool_key
    return entry.identity.tool_name if entry.identity else "unnamed"


def _usage(usage: TokenUsage | None) -> Usage:
    """Tokens of a call or of the run; a counter that counted no request says nothing."""
    if usage is None or not (usage.requests or usage.total_tokens or usage.input_tokens):
        return Usage()
    given = usage.input_tokens_details[0] if usage.input_tokens_details else None
    answered = usage.output_tokens_details[0] if usage.output_tokens_details else None
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=given.cached_tokens if given else None,
        cache_write_tokens=given.cache_write_tokens if given else None,
        reasoning_tokens=answered.reasoning_tokens if answered else None,
        is_cache_in_input=True,
    )
