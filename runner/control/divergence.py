"""Fields in which an agent differs from the template it was made from."""

from __future__ import annotations

from collections.abc import Iterator

from runner.control.registry import Agent, Registry, Risk, ToolUse


def diverged_fields(registry: Registry, agent: Agent) -> tuple[str, ...]:
    """Fields that differ from the template's defaults, and those that the agent says differ, sorted.

    A single tool is told as ``tools.<tool>``. Empty for an agent without a template. Where the registry holds
    another version of the template than the agent was made from, only the stated ones are known.
    """
    if agent.template is None:
        return ()
    template = registry.templates[agent.template.id]
    found = set(agent.template.diverged)
    if template.version == agent.template.version:
        for name in type(template.defaults).model_fields:
            default = getattr(template.defaults, name)
            if default is not None:
                found |= set(_differing(name, default, getattr(agent, name)))
    return tuple(sorted(found))


def _differing(name: str, default: object, actual: object) -> Iterator[str]:
    if isinstance(default, Risk) and isinstance(actual, Risk):
        # Who assessed it and until when is the agent's own, by nature.
        if (default.risk_class, set(default.reasons)) != (actual.risk_class, set(actual.reasons)):
            yield name
    elif name == "tools":
        ours, theirs = _by_tool(actual), _by_tool(default)
        yield from (
            f"tools.{tool}" for tool in ours.keys() | theirs.keys() if ours.get(tool) != theirs.get(tool)
        )
    elif default != actual:
        yield name


def _by_tool(uses: object) -> dict[str, ToolUse]:
    return {use.tool: use for use in uses if isinstance(use, ToolUse)} if isinstance(uses, tuple) else {}
