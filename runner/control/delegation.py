"""Delegation: a call of ``ask_<agent>`` becomes a run of that agent, for the same person, by every rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from runner.control import journal, trials
from runner.control.ancestry import ancestors
from runner.control.journal import Call
from runner.control.lifecycle import find_agent
from runner.control.requests import Wish, admit
from runner.control.runs import Run
from runner.control.store import Transaction
from runner.control.tables import runs
from runner.control.versions import ungated_tools
from runner.errors import ModelUnusable, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core

# Runs above the deepest one: a fleet that needs more is a workflow, and nobody can follow it any more.
DEEPEST = 4


class Begun(NamedTuple):
    """The child run of a call, or the rule that refused it and why; a refused run has an id as well."""

    run_id: str | None
    rule: str | None = None
    sentence: str = ""


def begin(control: Core, tx: Transaction, parent: Run, call: Call, agent_id: str, task: str) -> Begun:
    """Start the run that answers ``call``, in one transaction with the mark that the call was started."""
    refused = _by_chain(tx, parent, agent_id)
    if refused is None:
        try:
            refused = _by_risk(control, tx, parent, agent_id)
            if refused is None:
                return _begin(control, tx, parent, call, agent_id, task)
        except (NotFound, ModelUnusable) as error:
            refused = Begun(None, "delegate-not-usable", str(error))
    return refused


def _begin(control: Core, tx: Transaction, parent: Run, call: Call, agent_id: str, task: str) -> Begun:
    wish = Wish(
        agent_id=agent_id,
        task=task,
        person_id=parent.requested_by,
        trigger_kind="delegate",
        parent_run_id=parent.run_id,
    )
    run, stop = admit(control, tx, wish)
    if stop is not None:
        return Begun(run.run_id, stop.rule, f"Agent {agent_id} was not asked: {stop.reason}.")
    place = sa.update(runs).where(runs.c.run_id == run.run_id)
    tx.sql.execute(place.values(parent_call_index=call.call_index))
    journal.start(tx, parent.run_id, call)
    return Begun(run.run_id)


def _by_chain(tx: Transaction, parent: Run, agent_id: str) -> Begun | None:
    above = ancestors(tx.sql, parent.run_id)
    chain = [one.agent_id for one in reversed(above)]
    if agent_id in chain:
        path = " → ".join([*chain, agent_id])
        return Begun(
            None, "delegate-cycle", f"Agent {agent_id} was not asked: it works on this itself ({path})."
        )
    if len(chain) > DEEPEST:
        sentence = (
            f"Agent {agent_id} was not asked: {len(chain)} agents are delegating already, and no more may."
        )
        return Begun(None, "delegate-depth", sentence)
    return None


def _by_risk(control: Core, tx: Transaction, parent: Run, agent_id: str) -> Begun | None:
    """What a high-risk agent may not do without a person it may not have done by another agent either."""
    above = ancestors(tx.sql, parent.run_id)
    versions = (control.version(tx.sql, one.agent_id, one.agent_version) for one in above)
    if all(version.frozen.risk.risk_class != "high" for version in versions):
        return None
    state = find_agent(tx.sql, control.registry_in(tx.sql), agent_id)
    numbers = trials.runnable_versions(tx.sql, state)
    versions = (control.version(tx.sql, agent_id, number) for number in numbers)
    open_tools = list(dict.fromkeys(tool for one in versions for tool in ungated_tools(one.frozen)))
    if not open_tools:
        return None
    sentence = (
        f"Agent {agent_id} was not asked: a high-risk agent delegates only to agents with an approval rule "
        f"on each consequential tool, and there is none on {', '.join(open_tools)}."
    )
    return Begun(None, "risk:ungated-delegate", sentence)
