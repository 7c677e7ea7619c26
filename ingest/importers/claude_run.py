"""One Claude Code session as events of the log.

- A turn is a distinct message id: usage stands on every line of a message, and the line with the most output
  tokens has the newest. Output tokens are a lower bound: often they are written when the answer begins.
- A person's no is a decision and no tool error. A yes leaves no trace in a transcript, except for plans: the
  record of approvals is one-sided.
- Nothing says that a session is over: an answer that asks for no tool is its end, until more lines come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ingest.importers import facts
from ingest.importers.claude_shape import Block, Line, Usage, text_of
from ingest.importers.claude_words import (
    PLAN_TOOLS,
    SYNTHETIC_MODEL,
    ending_of,
    is_interrupt,
    is_prompt,
)
from ingest.importers.draft import RunDraft
from ingest.importers.figures import nano_usd
from ingest.importers.formats import ImportedRun, Reading
from ingest.importers.source import SourceFile
from ingest.importers.times import Moment, read_moment

NAME = "claude_code"
SOURCE_AGENT = "claude-code"
SUBAGENT = "claude-code-subagent"
SOURCE_DOMAIN = "coding"
UNSTATED = ("other_side_calls", "approvals")
NANOS_PER_MS = 1_000_000


@dataclass(kw_only=True)
class _Answer:
    """One message of the model, put together from its lines."""

    model: str
    lines: list[Line] = field(default_factory=list)
    turn_index: int | None = None

    @property
    def text(self) -> str:
        return "\n".join(line.message.text for line in self.lines if line.message and line.message.text)

    @property
    def usage(self) -> Usage | None:
        stated = [line.message.usage for line in self.lines if line.message and line.message.usage]
        return max(stated, key=lambda usage: usage.output_tokens or 0, default=None)

    @property
    def stop_reason(self) -> str | None:
        reasons = [line.message.stop_reason for line in self.lines if line.message]
        return next((reason for reason in reversed(reasons) if reason), None)


class TranscriptDraft:
    """The lines of one session on their way to events."""

    def __init__(self, session: str, lines: list[Line], source: SourceFile, reading: Reading) -> None:
        self._session = session
        self._lines = lines
        self._zone = reading.time_zone
        self._is_subagent = all(line.is_sidechain for line in lines if line.message)
        self._answers = _answers(lines)
        self._draft = RunDraft(self._identity(source, reading), reading.places)
        self._called: dict[str, tuple[int, str]] = {}
        self._closing: Line | None = None

    def run(self) -> ImportedRun:
        for line in self._lines:
            if line.timestamp:
                self._draft.at(self._moment(line.timestamp).at)
            if line.type == "result":
                self._closing = line
            elif line.type == "assistant":
                self._assistant(line)
            elif line.type == "user":
                self._user(line)
        self._end()
        return self._draft.finish()

    def _identity(self, source: SourceFile, reading: Reading) -> facts.Identity:
        first = next((line.timestamp for line in self._lines if line.timestamp), None)
        own_id = self._session
        if self._is_subagent:
            agent = next((line.agent_id for line in self._lines if line.agent_id), None)
            own_id = f"{self._session}/{agent or self._lines[0].uuid or source.stem}"
        return facts.Identity(
            format_name=NAME,
            run_id=f"{NAME}-{own_id}",
            parent_run_id=f"{NAME}-{self._session}" if self._is_subagent else None,
            source_run_id=own_id,
            source_file=source.name,
            source_agent=SUBAGENT if self._is_subagent else SOURCE_AGENT,
            source_domain=SOURCE_DOMAIN,
            model=next((answer.model for answer in self._answers.values()), ""),
            provider="anthropic",
            # After /clear a conversation goes on in a new session under the same slug.
            conversation_id=next((line.slug for line in self._lines if line.slug), None),
            started=self._moment(first) if first else None,
            carried_at=reading.imported_at,
        )

    def _moment(self, text: str) -> Moment:
        return read_moment(text, self._zone, "timestamp")

    # Lines

    def _assistant(self, line: Line) -> None:
        message = line.message
        if message is None:
            return
        answer = self._answers.get(message.id or line.uuid or "")
        if answer is None:
            self._draft.say("assistant", message.text)
            return
        if answer.turn_index is None:
            answer.turn_index = self._turn(answer)
        for block in message.blocks:
            if block.type == "tool_use" and block.id not in self._called:
                self._call(block, answer.turn_index)

    def _turn(self, answer: _Answer) -> int:
        first, last = answer.lines[0], answer.lines[-1]
        finished = self._moment(last.timestamp).at if last.timestamp else None
        asked_at, costs = self._draft.now, [line.cost_usd for line in answer.lines if line.cost_usd]
        index = self._draft.turn(
            facts.Turn(
                text=answer.text or None,
                requested_at=asked_at,
                finished_at=finished,
                model=answer.model,
                usage=_usage(answer.usage),
                cost_nano_usd=nano_usd(max(costs)) if costs else None,
                finish_reason=answer.stop_reason,
                edition=last.uuid or "",
            )
        )
        self._draft.at(self._moment(first.timestamp).at if first.timestamp else None)
        return index

    def _call(self, block: Block, turn_index: int) -> None:
        name = block.name or "unnamed"
        index = self._draft.call(name, block.input, call_id=block.id, turn_index=turn_index)
        if block.id:
            self._called[block.id] = (index, name)

    def _user(self, line: Line) -> None:
        if line.message is None:
            return
        for block in line.message.blocks:
            if block.type == "tool_result":
                self._result(line, block)
        if is_interrupt(line):
            self._draft.intervention("interrupted", line.uuid or str(self._draft.turn_count))
        elif line.is_compact_summary:
            self._draft.say("system", line.message.text)
        elif is_prompt(line):
            self._draft.say("user", line.message.text)

    def _result(self, line: Line, block: Block) -> None:
        index, tool_name = self._called.get(block.tool_use_id or "", (None, ""))
        ending = ending_of(line, block.content, is_error=bool(block.is_error))
        approval_id = None
        if index is not None and (ending.outcome == "denied" or tool_name in PLAN_TOOLS):
            approval_id = self._decision(index, tool_name, is_denied=ending.outcome == "denied")
        self._draft.result(
            index,
            facts.Result(
                outcome=ending.outcome,
                error_class=ending.error_class,
                text=text_of(block.content),
                approval_id=approval_id,
            ),
        )

    def _decision(self, index: int, tool_name: str, *, is_denied: bool) -> str:
        is_plan = tool_name in PLAN_TOOLS
        return self._draft.approval(
            facts.Approval(
                part=f"call-{index}",
                tool_name=tool_name,
                call_index=index,
                decision="rejected" if is_denied else "approved",
                decider_kind="person",
                approval_rule="plan" if is_plan else "permission",
            )
        )

    # The end

    def _end(self) -> None:
        last = self._lines[-1]
        edition = last.uuid or str(len(self._lines))
        closing = self._closing
        self._draft.counted(
            facts.Counts(
                user_messages=sum(self._is_typed(line) for line in self._lines),
                assistant_messages=sum(bool(answer.text) for answer in self._answers.values()),
                tool_results=sum(
                    block.type == "tool_result"
                    for line in self._lines
                    if line.type == "user" and line.message
                    for block in line.message.blocks
                ),
                cost_nano_usd=nano_usd(closing.total_cost_usd) if closing else None,
                unstated=UNSTATED,
                edition=edition,
            )
        )
        state = self._state()
        if state is None:
            self._draft.step("run_resumed", edition)  # an older snapshot may have ended here for a while
            return
        self._draft.end(
            state,
            edition=edition,
            error_type="agent_error" if state == "failed" else None,
            machine_ns=_machine_ns(closing),
            source_end_reason=(closing.subtype if closing else None) or self._stop_reason(),
        )

    def _is_typed(self, line: Line) -> bool:
        """Prompts of the person; in a subagent's own file the task it was given."""
        return line.type == "user" and is_prompt(line) and (self._is_subagent or not line.is_sidechain)

    def _stop_reason(self) -> str | None:
        answers = list(self._answers.values())
        return answers[-1].stop_reason if answers else None

    def _state(self) -> str | None:
        """The end state; None while the last line leaves something to do."""
        if self._closing:
            return "failed" if self._closing.is_error else "completed"
        last = next((line for line in reversed(self._lines) if line.type in ("user", "assistant")), None)
        if last is None or last.type == "user" or last.message is None:
            return None
        if last.is_api_error:
            return "failed"
        return None if any(block.type == "tool_use" for block in last.message.blocks) else "completed"


def _answers(lines: list[Line]) -> dict[str, _Answer]:
    """The model's messages by id, in order; what the program wrote itself is none of them."""
    answers: dict[str, _Answer] = {}
    for line in lines:
        message = line.message
        if line.type != "assistant" or message is None or message.model in (None, SYNTHETIC_MODEL):
            continue
        key = message.id or line.uuid or ""
        answers.setdefault(key, _Answer(model=message.model or "")).lines.append(line)
    return answers


def _usage(usage: Usage | None) -> facts.Usage:
    if usage is None:
        return facts.NO_USAGE
    return facts.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_tokens=usage.cache_creation_input_tokens,
        is_cache_in_input=False,
    )


def _machine_ns(closing: Line | None) -> int | None:
    if closing is None or closing.duration_ms is None:
        return None
    return round(closing.duration_ms * NANOS_PER_MS)
