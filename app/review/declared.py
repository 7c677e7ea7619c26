"""What agents are declared to be, for the comparison of agents with each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.review.duplicates import Described

if TYPE_CHECKING:
    from runner.control.core import Core


def described(control: Core, is_seen: Callable[[str], bool] = lambda _agent_id: True) -> list[Described]:
    """Every declared agent that is not retired and that ``is_seen`` lets through, by id."""
    from runner.control import lifecycle

    registry = control.registry()
    with control.store.read() as connection:
        states = lifecycle.agent_states(connection)
    return [
        Described(
            agent_id=agent_id,
            agent_name=agent.name,
            team_id=agent.team,
            purpose=agent.purpose,
            instructions=agent.instructions,
            tools=frozenset(use.tool for use in agent.tools),
        )
        for agent_id, agent in sorted(registry.agents.items())
        if is_seen(agent_id) and (agent_id not in states or states[agent_id].status != "retired")
    ]
