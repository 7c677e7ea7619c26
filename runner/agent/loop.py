"""The agent loop: takes a run up, plays it until it ends or waits for a person, and lets go of it.

Everything it needs to go on is data: the checkpointed history, the journal of tool calls, the approvals. So
any process can take any run up, after a pause or after a kill -9, by the same few lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic_ai.exceptions import AgentRunError, ModelAPIError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.usage import UsageLimits

from runner.agent.govern import Built, GovernedAgent, Governor
from runner.agent.session import Session
from runner.agent.toolgate import Pending, ToolGate
from runner.agent.turns import TurnGate, TurnLimitReached
from runner.control import ancestry, approvals, runs
from runner.control.access import Ruling, agent_target, may
from runner.control.approvals import UNKNOWN_OUTCOME, PauseReason, Request, money_at_stake, rule_sentence
from runner.control.recover import close_open_calls
from runner.control.runs import LEASE_LIFETIME
from runner.control.store import Transaction
from runner.errors import BudgetRefused, PriceUnknown

# A person who has to look into an unknown outcome gets a working week.
_UNKNOWN_OUTCOME_PATIENCE = dt.timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where a run stands when this process lets go of it: ended, or waiting with its open requests."""

    run_id: str
    status: str
    end_state: str | None = None
    answer: str | None = None
    reason: str | None = None
    requests: tuple[Request, ...] = ()


async def play(session: Session, built: Built) -> Outcome:
    """Play a claimed run until it ends or waits. Raises LeaseLost and RelayError; then it stays as it is."""
    tools = ToolGate(session)
    turns = TurnGate(session, built.tool_bytes)
    if session.run.status == "running":
        await session.flush()  # intents of a process that died before its flush
    lost = _lost_access(session)
    if lost is not None:
        return await end_run(session, "cancelled", reason=lost.sentence, error_type=lost.rule_id)
    async with _heartbeat(session):
        try:
            answer = await _answer(session, built.agent, turns, tools)
        except (BudgetRefused, PriceUnknown) as error:
            return await end_run(session, "stopped_budget", reason=str(error), error_type=error.rule)
        except TurnLimitReached as error:
            return await end_run(session, "failed", reason=str(error), error_type="TurnLimitReached")
        except AgentRunError as error:
            return await end_run(session, "failed", reason=_sentence(error), error_type=type(error).__name__)
        if answer is None:
            return await _park(session, tools)
        return await end_run(session, "completed", answer=answer)


async def _answer(session: Session, agent: GovernedAgent, turns: TurnGate, tools: ToolGate) -> str | None:
    """The final answer, or None when calls wait for a person."""
    history = _history(session)
    if history and isinstance(last := history[-1], ModelResponse):
        if not last.tool_calls:
            return last.text or ""  # answered, and the process died before it could say so
        tools.load()
    os.environ.setdefault("PYDANTIC_AI_NO_BANNER", "1")
    result = await agent.run(
        None if history else session.run.task,
        message_history=history or None,
        model=await turns.model(),
        capabilities=[Governor(turns, tools)],
        # The version's own max_turns counts, over pauses and processes.
        usage_limits=UsageLimits(request_limit=None),
        infer_name=False,
    )
    return result.output if isinstance(result.output, str) else None


def _lost_access(session: Session) -> Ruling | None:
    """The rule by which the run's person may not run the agent any more: left, or without the grant."""
    run = session.run
    target = agent_target(session.registry, run.agent_id)
    ruling = may(session.registry, run.requested_by, "run_agent", target)
    return None if ruling.allowed else ruling


def _history(session: Session) -> list[ModelMessage]:
    if session.run.messages is None:
        return []
    return ModelMessagesTypeAdapter.validate_json(session.run.messages)


async def _park(session: Session, tools: ToolGate) -> Outcome:
    """Let the run wait as data, with a request for each call that needs a person."""
    pending = [tools.pending[index] for index in sorted(tools.pending)]
    for_people = [one for one in pending if one.pause_reason != "delegate"]

    def change(tx: Transaction) -> list[Request]:
        for one in for_people:
            approvals.ask(tx, session.run, _request(tx, session, one))
        asked = approvals.of_run(tx.sql, session.run.run_id, status="waiting")
        runs.park(tx, session.run, session.owner, _pause_reason(pending, asked))
        ancestry.release(tx, session.run.run_id)  # a delegate may have ended before this run could wait
        return asked

    requests = await session.write_last(change)
    await session.flush()
    why = _pause_reason(pending, requests)
    return Outcome(run_id=session.run.run_id, status="waiting", reason=why, requests=tuple(requests))


def _pause_reason(pending: list[Pending], asked: list[Request]) -> PauseReason:
    """What the run waits for; people before delegates, for they are the slower ones."""
    if "unknown_outcome" in {one.pause_reason for one in pending} | {one.pause_reason for one in asked}:
        return "unknown_outcome"
    return "approval" if asked else "delegate"


def _request(tx: Transaction, session: Session, pending: Pending) -> Request:
    call, rule = pending.call, pending.tool.approval
    is_unknown = pending.pause_reason == "unknown_outcome"
    arguments = approvals.plain(call.arguments) or {}
    if is_unknown or rule is None:
        rule_id, text = UNKNOWN_OUTCOME, "the call was started and has no result: did it take effect?"
        patience = _UNKNOWN_OUTCOME_PATIENCE
    else:
        rule_id, text = rule.id, rule_sentence(rule)
        patience = dt.timedelta(minutes=rule.expires_minutes)
    return Request(
        approval_id=f"ap-{secrets.token_hex(5)}",
        run_id=session.run.run_id,
        call_index=call.call_index,
        pause_reason=pending.pause_reason,
        agent_id=session.run.agent_id,
        agent_version=session.run.agent_version,
        team_id=session.run.team_id,
        tool_name=call.tool_name,
        arguments=call.arguments,
        arguments_digest=call.arguments_digest or "",
        rule_id=rule_id,
        rule_text=text,
        approver_role=rule.approver_role if rule else _approver_role(session),
        is_other_than_requester=rule.other_than_requester if rule else False,
        approvers_needed=rule.approvers_needed if rule and not is_unknown else 1,
        money_at_stake_nano_usd=money_at_stake(rule, arguments) if rule else None,
        requested_by=session.run.requested_by,
        requested_at=tx.now,
        expires_at=tx.now + patience,
    )


def _approver_role(session: Session) -> str:
    """For a tool without a rule: the nearest role to the work that may decide at all."""
    roles = [
        (role.scope != "team", role_id)
        for role_id, role in session.registry.roles.items()
        if "decide_approval" in role.may
    ]
    return min(roles)[1] if roles else session.run.role_id


async def end_run(
    session: Session,
    end_state: str,
    *,
    answer: str | None = None,
    reason: str | None = None,
    error_type: str | None = None,
) -> Outcome:
    """End the run in hand; every call without an end gets one first. Raises LeaseLost, RelayError."""

    def change(tx: Transaction) -> None:
        close_open_calls(tx, session.run, "the run ended")
        runs.end(tx, session.run, end_state, answer=answer, error_type=error_type, reason=reason)

    await session.write_last(change)
    await session.flush()
    return Outcome(
        run_id=session.run.run_id, status="ended", end_state=end_state, answer=answer, reason=reason
    )


@contextlib.asynccontextmanager
async def _heartbeat(session: Session) -> AsyncIterator[None]:
    """Renew the lease while a long model or tool call keeps the run busy."""
    interval = LEASE_LIFETIME.total_seconds() / 3

    async def beat() -> None:
        while True:
            await asyncio.sleep(interval)
            await session.write(lambda tx: None)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        # A lost lease shows itself at the next step of the run; here it only ends the beating.
        await asyncio.gather(task, return_exceptions=True)


def _sentence(error: AgentRunError) -> str:
    """What happened · with which values · what to do now."""
    detail = " ".join(str(error).split())[:300]
    if isinstance(error, ModelAPIError):
        return (
            f"Run failed: the endpoint of model {error.model_name} did not serve the call ({detail}). "
            "Check the endpoint and the variables of its provider (docs/models.md), and start the run again."
        )
    return (
        f"Run failed: the model's answers could not be used ({type(error).__name__}: {detail}). "
        "Try again, or give the agent another model or clearer instructions."
    )
