"""Versions of an agent as the registry keeps them: what differs between two of them."""

from __future__ import annotations

from app.desk import Desk
from app.live.reach import sees_agent
from runner.control.version_approval import versions_of
from runner.control.version_diff import FieldChange, version_diff

__all__ = ["FieldChange", "differences", "numbers"]


def numbers(desk: Desk, person_id: str, agent_id: str) -> list[int]:
    """The agent's version numbers, newest first; none for an agent the person may not see."""
    if not sees_agent(desk.control.registry(), person_id, agent_id):
        return []
    with desk.control.store.read() as connection:
        return sorted((one.agent_version for one in versions_of(connection, agent_id)), reverse=True)


def differences(desk: Desk, person_id: str, agent_id: str, old: int, new: int) -> list[FieldChange]:
    """The fields in which version ``new`` differs from ``old``; none where the agent may not be seen."""
    if not sees_agent(desk.control.registry(), person_id, agent_id):
        return []
    with desk.control.store.read() as connection:
        frozen = {one.agent_version: one.frozen for one in versions_of(connection, agent_id)}
    return version_diff(frozen[old], frozen[new]) if {old, new} <= frozen.keys() else []
