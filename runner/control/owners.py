"""What an agent's owner and deputy may do besides what their roles allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.control.access import agent_target
from runner.control.declared import Action
from runner.control.registry import Registry

if TYPE_CHECKING:
    from runner.control.core import Core


def answers_for(registry: Registry, person_id: str, agent_id: str) -> bool:
    """True for owner and deputy of a declared agent."""
    agent = registry.agents.get(agent_id)
    return agent is not None and person_id in (agent.owner, agent.deputy)


def require_owner_or(
    control: Core,
    registry: Registry,
    person_id: str,
    action: Action,
    agent_id: str,
    *,
    run_id: str | None = None,
) -> None:
    """Raise AccessRefused, with an event, unless the person answers for the agent or may do ``action``.

    Raises NotFound for a person who is not declared.
    """
    control.known_person(registry, person_id)
    if not answers_for(registry, person_id, agent_id):
        control.require(registry, person_id, action, agent_target(registry, agent_id), run_id=run_id)
