"""The gate of tool calls: nothing runs without its intent in the log, nothing gated without a person.

Every call of the model comes through :meth:`ToolGate.execute`, the first time and on every resumption. The
journal says what happened before; the approvals say what a person decided.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pydantic_ai.exceptions import ApprovalRequired, ModelRetry, ToolFailed
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDenied

from runner.agent import routes
from runner.agent.call_rules import No, refusal
from runner.agent.mcp_client import OutcomeUnknown
from runner.agent.progress import ToolDone
from runner.agent.results import bounded
from runner.agent.session import Session
from runner.agent.tools import (
    ArgumentCheck,
    Arguments,
    CallRefused,
    InvalidArguments,
    ToolSaysRetry,
    UpstreamError,
)
from runner.control import approvals, delegation, journal
from runner.control.approvals import PauseReason, Request, needs_person
from runner.control.journal import Call, End, ErrorClass
from runner.control.store import Transaction
from runner.control.versions import FrozenTool

# Longer error texts of tools only cost tokens.
_LONGEST_ERROR = 500
# A tool that is given up on may tell its service so.
_CANCEL_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A call that waits for a person or for a delegate, and why."""

    call: Call
    tool: FrozenTool
    pause_reason: PauseReason


class ToolGate:
    """Admits, executes and records the tool calls of one session; ``pending`` ones wait."""

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

    async def execute(self, part: ToolCallPart, arguments: dict[str, object]) -> object:
        """Execute a call once, replay it, deny it, or let it wait.

        Raises ApprovalRequired when it waits for a person or a delegate, ToolFailed when it did not work.
        """
        call, tool = self._calls[part.tool_call_id], self._tool(part.tool_name)
        if call.state == "finished":
            return _replayed(call)
        registry = await self._session.gate()
        checked = self._binding(tool.name).check(arguments)
        if isinstance(checked, InvalidArguments) or checked.digest != call.arguments_digest:
            text = (
                "The arguments differ from those that were asked for and recorded, so nothing was executed."
            )
            return await self._refuse(call, No(rule="arguments-changed", sentence=text))
        if call.state == "requested" and (no := await refusal(self._session, registry, tool)) is not None:
            return await self._refuse(call, no)
        if tool.home == "delegate":
            return await self._delegate(call, tool, checked)
        if call.state == "started" and (tool.approval or not self._is_repeatable(tool)):
            return await self._decided(call, tool, checked, "unknown_outcome")
        if tool.approval and needs_person(tool.approval, checked.plain):
            return await self._decided(call, tool, checked, "approval")
        if not self._is_repeatable(tool):
            await self._session.write(lambda tx: journal.start(tx, self._session.run.run_id, call))
        return await self._run(call, tool, checked)

    async def _refuse(self, call: Call, no: No) -> ToolDenied:
        """By a rule: what was not started was not executed; what was started has an unknown outcome."""
        if no.is_outage and call.state == "requested":
            end = End(outcome="failed", result=no.sentence, error_class="upstream", error_type="ServerDown")
        else:
            end = End(
                outcome="unknown" if call.state == "started" else "refused",
                result=no.sentence,
                refusal_rule=no.rule,
                reason=no.sentence,
            )
        await self._finish(call, end)
        if end.outcome == "failed":
            raise ToolFailed(no.sentence)
        return ToolDenied(no.sentence)

    # A delegate's run

    async def _delegate(self, call: Call, tool: FrozenTool, checked: Arguments) -> object:
        """Begin the delegate's run once, then wait for its end, which finishes this call."""
        session = self._session
        if call.state == "requested":
            task = str(checked.values["task"])
            begun = await session.write(
                lambda tx: delegation.begin(session.control, tx, session.run, call, tool.place, task)
            )
            if begun.rule is not None:
                return await self._refuse(call, No(rule=begun.rule, sentence=begun.sentence))
        self.pending[call.call_index] = Pending(call=call, tool=tool, pause_reason="delegate")
        raise ApprovalRequired()

    # A person's decision

    async def _decided(self, call: Call, tool: FrozenTool, checked: Arguments, why: PauseReason) -> object:
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
        return await self._use(call, tool, checked, request)

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

    async def _use(self, call: Call, tool: FrozenTool, checked: Arguments, request: Request) -> object:
        session = self._session
        # Between the decision and now the person may have left, or the server changed.
        if (no := await refusal(session, session.control.registry(), tool)) is not None:
            return await self._refuse(call, no)
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
            return await self._refuse(call, No(rule="approval-not-valid", sentence=text))
        self._calls[call.tool_call_id] = replace(call, arguments_digest=used.digest)
        await session.flush()  # the consumed approval is in the log before the effect
        return await self._run(self._calls[call.tool_call_id], tool, used, request.approval_id)

    # Execution

    async def _run(
        self, call: Call, tool: FrozenTool, checked: Arguments, approval_id: str | None = None
    ) -> object:
        self._begun[call.tool_call_id] = time.monotonic_ns()
        task = asyncio.ensure_future(routes.execute(self._session, call, tool, checked.values))
        try:
            await asyncio.wait({task}, timeout=tool.timeout_s)
        finally:
            task.cancel()  # an ended task does not mind
        if not task.done():
            await asyncio.wait({task}, timeout=_CANCEL_S)
            return await self._broken_off(call, tool, approval_id, None)
        error = task.exception()
        if isinstance(error, CallRefused):
            return await self._refuse(call, No(rule=error.rule, sentence=str(error)))
        if isinstance(error, OutcomeUnknown):
            return await self._broken_off(call, tool, approval_id, error)
        if error is not None:
            raise await self._failed(call, error, approval_id) from error
        result = bounded(task.result())
        end = End(
            outcome="succeeded",
            result=result.text,
            approval_id=approval_id,
            duration_ns=self._duration(call.tool_call_id),
            content_sha256=result.whole_sha256,
        )
        await self._finish(call, end)
        return json.loads(result.text)

    async def _broken_off(
        self, call: Call, tool: FrozenTool, approval_id: str | None, error: Exception | None
    ) -> object:
        """No answer in time (then without ``error``), or none that can be read."""
        if not self._is_repeatable(tool):
            # It may have taken effect: a person has to look.
            self.pending[call.call_index] = Pending(call=call, tool=tool, pause_reason="unknown_outcome")
            raise ApprovalRequired()
        if error is None:
            error = TimeoutError(f"{tool.name} did not answer within {tool.timeout_s:g} s.")
        raise await self._failed(call, error, approval_id)

    async def _failed(self, call: Call, error: BaseException, approval_id: str | None) -> ToolFailed:
        """Record that the tool raised ``error``; what the model is told."""
        text = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
        end = End(
            outcome="failed",
            result=text,
            error_class=_error_class(error),
            error_type=type(error).__name__,
            duration_ns=self._duration(call.tool_call_id),
            approval_id=approval_id,
        )
        await self._finish(call, end)
        return ToolFailed(text)

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

    def _duration(self, tool_call_id: str) -> int | None:
        begun = self._begun.get(tool_call_id)
        return None if begun is None else time.monotonic_ns() - begun

    def _tool(self, name: str) -> FrozenTool:
        tool = self._session.frozen.tool(name)
        assert tool is not None  # only tools of the version are offered, so only they come here
        return tool

    def _binding(self, name: str) -> ArgumentCheck:
        return self._session.binding(self._tool(name))


def _replayed(call: Call) -> object:
    """The recorded end of a finished call, as the model gets it."""
    text = call.result or ""
    if call.tool_outcome == "succeeded":
        return json.loads(text)
    if call.tool_outcome == "failed":
        raise ToolFailed(text)
    return ToolDenied(text)


def _error_class(error: BaseException) -> ErrorClass:
    if isinstance(error, ToolSaysRetry):
        return "invalid_args"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "upstream" if isinstance(error, UpstreamError | ConnectionError) else "crash"
