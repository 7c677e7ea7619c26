"""How far a person sees on the live side: the one question every module here asks first."""

from __future__ import annotations

from runner.control.access import Target, agent_target, may
from runner.control.registry import Registry


def sees(registry: Registry, person_id: str, target: Target) -> bool:
    """Whether the person may see figures of ``target`` (view_metrics)."""
    return may(registry, person_id, "view_metrics", target).allowed


def sees_agent(registry: Registry, person_id: str, agent_id: str) -> bool:
    """Whether the person may see figures of the agent."""
    return sees(registry, person_id, agent_target(registry, agent_id))


def sees_all(registry: Registry, person_id: str) -> bool:
    """Whether the person's role reaches every team: what belongs to no team is shown to them only."""
    person = registry.people.get(person_id)
    return person is not None and registry.roles[person.role].scope == "all"
