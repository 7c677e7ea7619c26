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
Unkept = Callable[[Connection, Mapping[str, Value], str], dict[str, Value] | None]


def keep_all(connection: Connection, event: Mapping[str, Value], text: str) -> dict[str, Value] | None:
    """Every text is kept: what a store without a registry does."""
    return None


def content_capture(registry: Registry, team_id: str | None, agent_id: str | None) -> Capture:
    """The stricter word of the agent and its team; on for what is not declared."""
    agent = registry.agents.get(agent_id or "")
    team = registry.teams.get(team_id or (agent.team if agent else ""))
    return strictest(*(part.content_capture for part in (agent, team) if part is not None))


def by_registry(workspace: Workspace, registry_in: Callable[[Connection], Registry]) -> Unkept:
    """The rule of the registry that ``registry_in`` finds; texts are hashed with the key of ``workspace``."""

    def unkept(connection: Connection, event: Mapping[str, Value], text: str) -> dict[str, Value] | None:
        try:
            registry = registry_in(connection)
        except RegistryNotApplied:
            return None  # nothing is declared, so nothing runs
        team_id, agent_id = (str(event.get(name) or "") for name in ("team_id", "agent_id"))
        capture = content_capture(registry, team_id, agent_id)
        if capture == "on":
            return None
        return unkept_columns(text, capture, content_key(workspace) if capture == "hashed" else b"")

    return unkept
