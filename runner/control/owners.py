"""What an agent's owner and deputy may do besides what their roles allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.control.access import agent_target
from runner.control.declared import Action
from runner.control.registry import Registry

if TYPE_CHECKING:
    from runner.control.core import Core


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
    agent = registry.agents.get(agent_id)
    control.known_person(registry, person_id)
    if agent is None or person_id not in (agent.owner, agent.deputy):
        control.require(registry, person_id, action, agent_target(registry, agent_id), run_id=run_id)
