"""The tools of a version as its model gets them: functions, tools of servers, delegates, knowledge.

Each is bound by what the version froze; nothing here talks to a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy.engine import Connection

from runner.agent.tools import ArgumentCheck, Arguments, InvalidArguments, bind, bound
from runner.control import tool_schemas
from runner.control.registry import Registry
from runner.control.versions import Frozen, FrozenTool


@dataclass(frozen=True)
class Unrecorded:
    """A tool of a server that was never seen by this version: it is offered, and each call says why not."""

    name: str
    why: str
    takes_idempotency_key: bool = False

    @property
    def description(self) -> str:
        """For the model."""
        return f"Not usable now: {self.why}"

    def json_schema(self) -> dict[str, object]:
        """No arguments are known."""
        return {"type": "object", "properties": {}}

    def check(self, raw: str | Mapping[str, object] | None) -> Arguments | InvalidArguments:
        """Nothing fits what is not known."""
        return InvalidArguments(problem=f"{self.name} cannot be called: {self.why}")


def binding_of(connection: Connection, agent_id: str, agent_version: int, tool: FrozenTool) -> ArgumentCheck:
    """The check of one tool of a version. Raises ToolUnusable for a function that cannot be loaded."""
    if tool.home == "python":
        return bind(tool.name, tool.function)
    if tool.home == "mcp":
        shown = tool_schemas.of_version(connection, agent_id, agent_version, tool)
        if shown is None:
            return Unrecorded(tool.name, f"no schema of {tool.function} is recorded for this version")
        # Only for tools of servers: the package costs start-up time that commands and pages need not pay.
        from runner.agent.schema_check import SchemaBinding

        return SchemaBinding(tool.name, shown)
    own: Callable[..., object] = _ask if tool.home == "delegate" else _search
    return replace(bound(tool.name, tool.function, own), description=tool.description)


def bindings_of(
    connection: Connection, registry: Registry, agent_id: str, agent_version: int, frozen: Frozen
) -> dict[str, ArgumentCheck]:
    """The checks of all tools that a version offers, by name; what they are for is said as declared now."""
    found = {}
    for tool in frozen.offered:
        binding = binding_of(connection, agent_id, agent_version, tool)
        if tool.home in ("delegate", "knowledge"):
            binding = replace(binding, description=f"{tool.description} {_about(registry, frozen, tool)}")  # type: ignore[type-var]  # both are bindings of functions below
        found[tool.name] = binding
    return found


def _about(registry: Registry, frozen: Frozen, tool: FrozenTool) -> str:
    if tool.home == "delegate":
        delegate = registry.agents.get(tool.place)
        return f"It is for: {delegate.purpose}" if delegate else ""
    sources = ((name, registry.knowledge.get(name)) for name in frozen.knowledge)
    told = (f"{name} ({source.description or source.name})" for name, source in sources if source)
    return f"Sources: {', '.join(told)}."


# Signatures of the two; the gate of tool calls knows what to do (runner.agent.routes).


def _ask(task: str) -> None:
    """Give a task to another agent."""


def _search(query: str, source: str = "") -> None:
    """Search documents, of one source or of all."""
