"""Who may stop what: the owner and deputy of an agent, and holders of stop_run within their reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.control.access import Target, agent_target
from runner.control.lifecycle import find_agent
from runner.control.owners import answers_for, require_owner_or

if TYPE_CHECKING:
    from runner.control.core import Core


def require_stop(control: Core, scope: str, target_id: str, person_id: str) -> None:
    """Raise AccessRefused, with an event, unless the person may stop (and start again) the target.

    For the company that is whoever may stop the runs of every team. Raises NotFound.
    """
    registry = control.registry()
    control.known_person(registry, person_id)
    if scope == "company":
        for team_id in registry.teams:
            control.require(registry, person_id, "stop_run", Target(team_id=team_id))
    elif scope == "agent":
        with control.store.read() as connection:
            find_agent(connection, registry, target_id)
        require_owner_or(control, registry, person_id, "stop_run", target_id)
    else:
        run = control.run(target_id)
        if not answers_for(registry, person_id, run.agent_id):
            target = agent_target(registry, run.agent_id, person_id=run.requested_by)
            control.require(registry, person_id, "stop_run", target, run_id=run.run_id)
