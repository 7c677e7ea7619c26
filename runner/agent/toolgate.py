"""The gate of tool calls: nothing runs without its intent in the log, nothing gated without a person.

Every call of the model comes through :meth:`ToolGate.execute`, the first time and on every resumption. The
journal says what happened before; the approvals say what a person decided.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from pydantic_ai.exceptions import ApprovalRequired, ModelRetry, ToolFailed
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDenied

from runner.agent.progress import ToolDone
from runner.agent.session import Session
from runner.agent.tools import (
    IDEMPOTENCY_KEY,
    Arguments,
    Binding,
    InvalidArguments,
    UpstreamError,
)
from runner.control import approvals, journal
from runner.control.approvals import PauseReason, Request, needs_person
from runner.control.journal import Call, End, ErrorClass
from runner.control.store import Transaction
from runner.control.versions import FrozenTool

# Executes the tool function; the result comes as JSON text (see runner.agent.govern).
Handler = Callable[[dict[str, object]], Awaitable[object]]

# Longer error texts of tools only cost tokens.
_LONGEST_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A call that waits for a person, and why."""

    call: Call
    tool: FrozenTool
    pause_reason: PauseReason


class ToolSaysRetry(Exception):
    """A tool asked the model to try again with other arguments."""


class ToolGate:
    """Admits, executes and records the tool calls of one session; ``pending`` ones wait for a person."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._begun: dict[str, int] = {}
        self._calls: dict[str, Call] = {}
        self.pending: dict[int, Pending] = {}

    def adopt(self, calls: Iterable[Call]) -> None:
        """Take the calls of a fresh answer, as they were just written into the journal."""
        self._calls = {call.tool_call_id: call for call in calls}

    def load(self) -> None:
        """Read the journal of the turn in hand: what was asked for, started and finished before."""
        session = self._session
        with session.control.store.read() as connection:
            self.adopt(journal.of_turn(connection, session.run.run_id, session.turn_count - 1))

    def check(self, part: ToolCallPart, raw: object) -> dict[str, object]:
        """The validated arguments of a call. Raises ModelRetry, which tells the model what is wrong."""
        checked = self._binding(part.tool_name).check(raw if isinstance(raw, Mapping) else None)
        if isinstance(checked, InvalidArguments):
            raise ModelRetry(f"Arguments of {part.tool_name} do not fit: {checked.problem}")
        return dict(checked.values)

    async def execute(self, part: ToolCallPart, arguments: dict[str, object], handler: Handler) -> object:
        """Execute a call once, replay it, deny it, or let it wait.

        Raises ApprovalRequired when a person has to decide first, ToolFailed with the text for the model.
        """
        call, tool = self._calls[part.tool_call_id], self._tool(part.tool_name)
        if call.state == "finished":
            return _replayed(call)
        await self._session.gate()
        checked = self._binding(tool.name).check(arguments)
        if isinstance(checked, InvalidArguments) or checked.digest != call.arguments_digest:
            text = (
                "The arguments differ from those that were asked for and recorded, so nothing was executed."
            )
            await self._finish(call, End(outcome="refused", result=text, refusal_rule="arguments-changed"))
            return ToolDenied(text)
        if call.state == "started" and (tool.approval or not self._is_repeatable(tool)):
            return await self._decided(call, tool, checked, handler, "unknown_outcome")
        if tool.approval and needs_person(tool.approval, checked.plain):
            return await self._decided(call, tool, checked, handler, "approval")
        if not self._is_repeatable(tool):
            await self._session.write(lambda tx: journal.start(tx, self._session.run.run_id, call))
        return await self._run(call, tool, checked, handler)

    async def fail(self, part: ToolCallPart, error: Exception) -> ToolFailed:
        """Record that the tool raised ``error``; returns what the model is told."""
        text = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
        end = End(
            outcome="failed",
            result=text,
            error_class=_error_class(error),
            error_type=type(error).__name__,
            duration_ns=self._duration(part.tool_call_id),
            approval_id=self._approval_id(part.tool_call_id),
        )
        await self._finish(self._calls[part.tool_call_id], end)
        return ToolFailed(text)

    # A person's decision

    async def _decided(
        self, call: Call, tool: FrozenTool, checked: Arguments, handler: Handler, why: PauseReason
    ) -> object:
        session = self._session
        with session.control.store.read() as connection:
            request = approvals.of_call(connection, session.run.run_id, call.call_index)
        if request is None or request.pause_reason != why or request.consumed_at is not None:
            self.pending[call.call_index] = Pending(call=call, tool=tool, pause_reason=why)
            raise ApprovalRequired()
        if request.status == "waiting":
            raise ApprovalRequired()
        if request.status in ("rejected", "expired"):
            return await self._deny(call, request, why)
        return await self._use(call, tool, checked, handler, request)

    async def _deny(self, call: Call, request: Request, why: PauseReason) -> ToolDenied:
        said = f": {request.reason}" if request.reason else "."
        if why == "unknown_outcome":
            text = f"Whether the call took effect is unknown; {request.decided_by} did not repeat it{said}"
        elif request.status == "expired":
            text = "Nobody decided in time, so the call was not executed."
        else:
            text = f"{request.decided_by} rejected the call{said}"
        end = End(
            outcome="unknown" if why == "unknown_outcome" else "denied",
            result=text,
            refusal_rule=request.rule_id,
            approval_id=request.approval_id,
            reason=request.reason,
        )
        await self._finish(call, end)
        return ToolDenied(text)

    async def _use(
        self, call: Call, tool: FrozenTool, checked: Arguments, handler: Handler, request: Request
    ) -> object:
        session = self._session
        changed = approvals.plain(request.changed_arguments)
        used = checked if changed is None else self._binding(tool.name).check(changed)

        def change(tx: Transaction) -> bool:
            if isinstance(used, InvalidArguments):
                return False
            again = call.state == "started"
            return approvals.consume(tx, session.run, request, used.digest) and journal.start(
                tx, session.run.run_id, call, again=again
            )

        is_valid = await session.write(change)
        if not is_valid or isinstance(used, InvalidArguments):
            text = "The approval does not cover this call: it was used before, or for other arguments."
            await self._finish(call, End(outcome="refused", result=text, refusal_rule="approval-not-valid"))
            return ToolDenied(text)
        self._calls[call.tool_call_id] = replace(call, arguments_digest=used.digest)
        await session.flush()  # the consumed approval is in the log before the effect
        return await self._run(self._calls[call.tool_call_id], tool, used, handler, request.approval_id)

    # Execution

    async def _run(
        self,
        call: Call,
        tool: FrozenTool,
        checked: Arguments,
        handler: Handler,
        approval_id: str | None = None,
    ) -> object:
        self._begun[call.tool_call_id] = time.monotonic_ns()
        values = dict(checked.values)
        if self._binding(tool.name).takes_idempotency_key:
            values[IDEMPOTENCY_KEY] = f"{self._session.run.run_id}:{call.call_index}"
        try:
            text = str(await asyncio.wait_for(handler(values), tool.timeout_s))
        except TimeoutError:
            return await self._timed_out(call, tool, approval_id)
        end = End(
            outcome="succeeded",
            result=text,
            approval_id=approval_id,
            duration_ns=self._duration(call.tool_call_id),
        )
        await self._finish(call, end)
        return json.loads(text)

    async def _timed_out(self, call: Call, tool: FrozenTool, approval_id: str | None) -> object:
        if not self._is_repeatable(tool):
            # It may have taken effect: a person has to look.
            self.pending[call.call_index] = Pending(call=call, tool=tool, pause_reason="unknown_outcome")
            raise ApprovalRequired()
        text = f"{tool.name} did not answer within {tool.timeout_s:g} s."
        end = End(
            outcome="failed",
            result=text,
            error_class="timeout",
            error_type="TimeoutError",
            approval_id=approval_id,
            duration_ns=self._duration(call.tool_call_id),
        )
        await self._finish(call, end)
        raise ToolFailed(text)

    async def _finish(self, call: Call, end: End) -> None:
        session = self._session
        await session.write(lambda tx: journal.finish(tx, session.run, call, end))
        self._calls[call.tool_call_id] = replace(
            call, state="finished", tool_outcome=end.outcome, result=end.result
        )
        session.tell(
            ToolDone(
                call_index=call.call_index,
                tool_name=call.tool_name,
                outcome=end.outcome,
                result=end.result,
                duration_ns=end.duration_ns,
            )
        )

    def _is_repeatable(self, tool: FrozenTool) -> bool:
        """True when executing a started call again cannot do harm."""
        if tool.effect == "read":
            return True
        return tool.effect == "write" and self._binding(tool.name).takes_idempotency_key

    def _approval_id(self, tool_call_id: str) -> str | None:
        session = self._session
        call = self._calls[tool_call_id]
        with session.control.store.read() as connection:
            request = approvals.of_call(connection, session.run.run_id, call.call_index)
        return request.approval_id if request else None

    def _duration(self, tool_call_id: str) -> int | None:
        begun = self._begun.get(tool_call_id)
        return None if begun is None else time.monotonic_ns() - begun

    def _tool(self, name: str) -> FrozenTool:
        tool = self._session.frozen.tool(name)
        assert tool is not None  # only tools of the version are offered, so only they come here
        return tool

    def _binding(self, name: str) -> Binding:
        return self._session.binding(self._tool(name))


def _replayed(call: Call) -> object:
    """The recorded end of a finished call, as the model gets it."""
    text = call.result or ""
    if call.tool_outcome == "succeeded":
        return json.loads(text)
    if call.tool_outcome == "failed":
        raise ToolFailed(text)
    return ToolDenied(text)


def _error_class(error: Exception) -> ErrorClass:
    if isinstance(error, ToolSaysRetry):
        return "invalid_args"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "upstream" if isinstance(error, UpstreamError | ConnectionError) else "crash"
