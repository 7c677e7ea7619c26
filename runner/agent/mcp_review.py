"""Review of tool servers: what they show beside what is declared, and a person's word that it is right."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml.comments import CommentedMap

from runner.agent.mcp_client import ServerDown, ToolServers
from runner.control import tool_schemas
from runner.control.access import WHOLE_COMPANY
from runner.control.amend import amend
from runner.control.declared import nearest
from runner.control.plan import Plan
from runner.control.registry import Registry, Tool
from runner.control.registry_extras import McpServer
from runner.control.tool_schemas import Shown
from runner.errors import NotFound, ToolUnusable

if TYPE_CHECKING:
    from runner.control.plane import Control


@dataclass(frozen=True, kw_only=True)
class Server:
    """A declared server, what it shows now by tool, or why it shows nothing, and the declared tools of it."""

    name: str
    shown: dict[str, Shown]
    problem: str | None
    declared: dict[str, Tool]


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """What was recorded of a tool, the hash that was declared before, and what applying it changed."""

    shown: Shown
    before: str | None
    done: Plan


def servers(registry: Registry) -> list[Server]:
    """Every declared server with what it shows now; a server that cannot be reached is listed as such."""

    async def look() -> list[Server]:
        connections = ToolServers()
        try:
            looks = (_look(connections, registry, *item) for item in registry.mcp_servers.items())
            return list(await asyncio.gather(*looks))
        finally:
            await connections.close()

    return asyncio.run(look())


def pin(control: Control, tool_name: str, person_id: str) -> Pinned:
    """Record what the server shows of a tool now, and declare its hash in registry.yaml.

    Every agent that has the tool gets a new version. Raises NotFound, AccessRefused, RegistryDrifted,
    ToolUnusable when the server cannot be reached or shows no such tool.
    """
    registry = control.registry()
    tool = registry.tools.get(tool_name)
    if tool is None or tool.mcp is None:
        servers_tools = [name for name, one in registry.tools.items() if one.mcp]
        advice = "Tools of servers are declared under tools with mcp: server/tool."
        raise NotFound("tool of a server", tool_name, nearest(tool_name, servers_tools), advice)
    control.require(registry, person_id, "apply_registry", WHOLE_COMPANY)
    server_name, _, name = tool.mcp.partition("/")
    there = asyncio.run(_shown(registry.mcp_servers[server_name], tool_name, tool))
    shown = there.get(name)
    if shown is None:
        names = ", ".join(sorted(there)) or "none"
        raise ToolUnusable(
            tool_name, tool.target, f"server {server_name} shows no tool {name}", f"It shows: {names}."
        )
    with control.store.write() as tx:
        tool_schemas.record(tx, tool_name, shown, person_id=person_id)

    def edit(tree: CommentedMap) -> None:
        tree["tools"][tool_name]["schema_sha256"] = shown.sha256

    done = amend(control, edit, person_id=person_id)
    return Pinned(shown=shown, before=tool.schema_sha256, done=done)


async def _look(connections: ToolServers, registry: Registry, name: str, server: McpServer) -> Server:
    shown: dict[str, Shown] = {}
    problem = None
    try:
        shown = await connections.all_shown(server)
    except ServerDown as error:
        problem = str(error)
    declared = {key: tool for key, tool in registry.tools.items() if (tool.mcp or "").startswith(f"{name}/")}
    return Server(name=name, shown=shown, problem=problem, declared=declared)


async def _shown(server: McpServer, tool_name: str, tool: Tool) -> dict[str, Shown]:
    connections = ToolServers()
    try:
        return await connections.all_shown(server)
    except ServerDown as error:
        advice = "Start it, or correct its command, url and environment under mcp_servers in registry.yaml."
        raise ToolUnusable(tool_name, tool.target, str(error), advice) from error
    finally:
        await connections.close()
