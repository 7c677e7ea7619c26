"""Decisions of people on requests for approval, each with its event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from runner.agent.offers import binding_of
from runner.agent.tools import Arguments
from runner.control import approvals, runs
from runner.control.access import Ruling, Target
from runner.control.approvals import DECISIONS, Decision, Request
from runner.control.registry import Registry
from runner.control.versions import Frozen
from runner.errors import DecisionRefused, NotFound

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from runner.control.core import Core

_ADVICE = {
    "approver-role": "Ask a holder of that role in the agent's team, or a platform lead.",
    "requester-is-approver": "Ask another holder of the role, or a platform lead.",
    "author-is-approver": "Ask somebody who did not write this version.",
    "second-person": "Ask another holder of the role, or a platform lead.",
    "same-for-both": "Reject it with what should change, and the agent asks anew.",
    "already-decided": "Nothing is left to do; `fleetbook approvals --all` shows the decision.",
    "expired": "Start the run again when the task still stands.",
    "not-a-decision": "Use approved, approved_changed or rejected.",
    "reason-missing": "Say why in one sentence; the agent and the log get it.",
    "arguments-invalid": "Correct the arguments; the tool's own check has refused them.",
}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants to decide."""

    person_id: str
    decision: str
    reason: str = ""
    changed_arguments: Mapping[str, object] | None = None
    # Decisions made in one go share it.
    batch_id: str | None = None


class _Bound(NamedTuple):
    """What a decision is bound to: changed arguments as canonical JSON (None: unchanged), and the digest."""

    changed: str | None
    digest: str


def shown(control: Core, approval_id: str, person_id: str) -> None:
    """See :meth:`runner.control.plane.Control.shown`."""
    with control.store.read() as connection:
        asked = find_request(connection, approval_id)
    target = Target(agent_id=asked.agent_id, team_id=asked.team_id, person_id=asked.requested_by)
    control.require(control.registry(), person_id, "view_metrics", target, run_id=asked.run_id)
    with control.store.write(recorded_via="app") as tx:
        request = find_request(tx.sql, approval_id)
        if request.status == "waiting":
            approvals.show(tx, request, person_id)


def decide(control: Core, approval_id: str, wish: Wish, *, recorded_via: str | None) -> str:
    """See :meth:`runner.control.plane.Control.decide`."""
    event_id: str | None = None
    with control.store.write(recorded_via=recorded_via) as tx:
        registry = control.registry_in(tx.sql)
        control.known_person(registry, wish.person_id)
        request = find_request(tx.sql, approval_id)
        runs.lock(tx, request.run_id)  # two decisions on one run come one after the other
        frozen = control.version(tx.sql, request.agent_id, request.agent_version).frozen
        ruling, bound = judge(tx.sql, registry, request, frozen, wish, tx.now)
        if ruling.allowed:
            event_id = approvals.decide(
                tx,
                request,
                wish.person_id,
                cast(Decision, wish.decision),
                wish.reason.strip(),
                changed=bound.changed,
                approved_digest=bound.digest,
                batch_id=wish.batch_id,
            )
            if not approvals.of_run(tx.sql, request.run_id, status="waiting"):
                runs.make_ready(tx, request.run_id)
    if event_id is None:
        refused = ruling if not ruling.allowed else _no("already-decided", "somebody else was faster")
        target = Target(agent_id=request.agent_id, team_id=request.team_id)
        control.tell_refusal(
            registry,
            wish.person_id,
            "decide_approval",
            refused,
            target,
            run_id=request.run_id,
            approval_id=approval_id,
        )
        advice = _ADVICE.get(
            refused.rule_id, f"`fleetbook may {wish.person_id} decide_approval` explains it."
        )
        raise DecisionRefused(approval_id, refused.rule_id, refused.sentence, advice)
    control.relay.flush()
    return event_id


def judge(
    connection: Connection,
    registry: Registry,
    request: Request,
    frozen: Frozen,
    wish: Wish,
    now: dt.datetime,
) -> tuple[Ruling, _Bound]:
    """Whether this wish may become the decision, and what it would be bound to."""
    unchanged = _Bound(None, request.arguments_digest)
    ruling = standing(registry, request, frozen, wish.person_id, now)
    if not ruling.allowed:
        return ruling, unchanged
    if wish.decision not in DECISIONS:
        return _no("not-a-decision", f"{wish.decision!r} is no decision"), unchanged
    if wish.decision == "rejected" and not wish.reason.strip():
        return _no("reason-missing", "a rejection needs a reason"), unchanged
    if wish.decision != "approved_changed":
        return ruling, unchanged
    if request.is_for_two:
        return _no("same-for-both", "two people have to approve the same arguments"), unchanged
    tool = frozen.tool(request.tool_name)
    checked = None
    if tool is not None:
        binding = binding_of(connection, request.agent_id, request.agent_version, tool)
        checked = binding.check(wish.changed_arguments)
    if not isinstance(checked, Arguments):
        problem = checked.problem if checked else f"version has no tool {request.tool_name}"
        return _no("arguments-invalid", f"the changed arguments do not fit the tool: {problem}"), unchanged
    return ruling, _Bound(checked.canonical, checked.digest)


def standing(
    registry: Registry, request: Request, frozen: Frozen, person_id: str, now: dt.datetime
) -> Ruling:
    """Whether ``person_id`` may decide ``request`` now: it waits, has not expired, and the rules agree."""
    if request.status == "expired" or (request.status == "waiting" and request.expires_at <= now):
        return _no("expired", f"the request lapsed at {request.expires_at:%Y-%m-%d %H:%M} UTC")
    if request.status != "waiting":
        return _no("already-decided", f"{request.decided_by} has decided: {request.status}")
    return approvals.may_decide(
        registry,
        request,
        person_id,
        author=frozen.author,
        risk_class=frozen.risk.risk_class,
    )


def deciders(registry: Registry, request: Request, frozen: Frozen, now: dt.datetime) -> list[str]:
    """Everybody who may decide ``request`` now; holders of the approver role first."""
    found = [
        person_id
        for person_id in registry.people
        if standing(registry, request, frozen, person_id, now).allowed
    ]
    return sorted(found, key=lambda one: (registry.people[one].role != request.approver_role, one))


def find_request(connection: Connection, approval_id: str) -> Request:
    """The request of that id. Raises NotFound."""
    found = approvals.find(connection, approval_id)
    if found is None:
        raise NotFound("approval", approval_id, None, "`fleetbook approvals` lists what waits.")
    return found


def _no(rule_id: str, sentence: str) -> Ruling:
    return Ruling(allowed=False, rule_id=rule_id, sentence=sentence)
