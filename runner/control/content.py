"""Content: whether the texts of an agent's runs are kept, by the applied registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy.engine import Connection

from ingest.capture import Capture, strictest
from ingest.contract import Value
from ingest.payload_capture import content_key, unkept_columns
from ingest.workspace import Workspace
from runner.control.registry import Registry
from runner.errors import RegistryNotApplied

# The columns of an event whose text is not kept; None when it is to be kept.
Unkept = Callable[[Mapping[str, Value], str], dict[str, Value] | None]
# The rule as a transaction sees it: asked for once in each.
UnkeptIn = Callable[[Connection], Unkept]


def keep_all(connection: Connection) -> Unkept:
    """Every text is kept: what a store without a registry does."""
    return _kept


def content_capture(registry: Registry, team_id: str | None, agent_id: str | None) -> Capture:
    """The stricter word of the agent and its team; on for what is not declared."""
    agent = registry.agents.get(agent_id or "")
    team = registry.teams.get(team_id or (agent.team if agent else ""))
    return strictest(*(part.content_capture for part in (agent, team) if part is not None))


def by_registry(workspace: Workspace, registry_in: Callable[[Connection], Registry]) -> UnkeptIn:
    """The rule of the registry that ``registry_in`` finds; texts are hashed with the key of ``workspace``."""

    def unkept_in(connection: Connection) -> Unkept:
        try:
            return _rule(workspace, registry_in(connection))
        except RegistryNotApplied:
            return _kept  # nothing is declared, so nothing runs

    return unkept_in


def _kept(event: Mapping[str, Value], text: str) -> dict[str, Value] | None:
    return None


def _rule(workspace: Workspace, registry: Registry) -> Unkept:
    def unkept(event: Mapping[str, Value], text: str) -> dict[str, Value] | None:
        team_id, agent_id = (str(event.get(name) or "") for name in ("team_id", "agent_id"))
        capture = content_capture(registry, team_id, agent_id)
        if capture == "on":
            return None
        return unkept_columns(text, capture, content_key(workspace) if capture == "hashed" else b"")

    return unkept
