"""The tools of one worker process: what each version offers, and the connections to tool servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from runner.agent.mcp_client import ServerDown, ToolServers
from runner.agent.offers import Unrecorded, bindings_of
from runner.agent.tools import ArgumentCheck
from runner.control import tool_schemas
from runner.control.core import Core, Version
from runner.control.versions import FrozenTool


class Offer(NamedTuple):
    """The tools of a version by name; ``is_whole`` is False where a server's tool was never seen."""

    bindings: Mapping[str, ArgumentCheck]
    is_whole: bool


class Toolbox:
    """Knows the tools of versions; belongs to one event loop. Close it there."""

    def __init__(self, control: Core) -> None:
        self._control = control
        self.servers = ToolServers()

    async def offer(self, agent_id: str, version: Version) -> Offer:
        """What the model of this version gets. A server's tool is recorded when a version meets it first.

        Raises ToolUnusable for a function that cannot be loaded.
        """
        reasons = {}
        for tool in version.frozen.tools:
            if tool.home == "mcp":
                reasons[tool.name] = await self._meet(agent_id, version, tool)
        with self._control.store.read() as connection:
            registry = self._control.registry_in(connection)
            bindings = bindings_of(connection, registry, agent_id, version.agent_version, version.frozen)
        unseen = [binding for binding in bindings.values() if isinstance(binding, Unrecorded)]
        for binding in unseen:
            bindings[binding.name] = replace(binding, why=reasons.get(binding.name) or binding.why)
        return Offer(bindings, is_whole=not unseen)

    async def close(self) -> None:
        """Close the connections."""
        await self.servers.close()

    async def _meet(self, agent_id: str, version: Version, tool: FrozenTool) -> str | None:
        """Record a server's tool that this version does not know yet; why not, where that failed."""
        number, frozen = version.agent_version, version.frozen
        with self._control.store.read() as connection:
            known = tool_schemas.of_version(connection, agent_id, number, tool)
        if known is not None:
            return None
        if tool.schema_sha256 is None and frozen.risk.risk_class == "high":
            return "a high-risk agent gets only what a person has reviewed (`fleetbook mcp pin`)"
        try:
            shown = await self.servers.shown(tool)
        except ServerDown as error:
            return str(error)
        if shown is None:
            return f"the server shows no tool {tool.place}"
        if tool.schema_sha256 not in (None, shown.sha256):
            return "the server shows another description or schema than was reviewed"
        with self._control.store.write() as tx:
            tool_schemas.pin(tx, agent_id, number, tool, shown)
        return None
