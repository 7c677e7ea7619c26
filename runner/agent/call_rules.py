"""Rules that are asked at each tool call, not at the start of the run: people leave and servers change."""

from __future__ import annotations

from dataclasses import dataclass

from runner.agent.mcp_client import ServerDown
from runner.agent.session import Session
from runner.control import tool_schemas
from runner.control.access import Ruling, agent_target, may
from runner.control.registry import Registry
from runner.control.versions import FrozenTool


@dataclass(frozen=True, kw_only=True)
class No:
    """The call is not executed: by which rule and why. ``is_outage``: it failed rather than was refused."""

    rule: str
    sentence: str
    is_outage: bool = False


async def refusal(session: Session, registry: Registry, tool: FrozenTool) -> No | None:
    """The rule of ``registry``, as it is applied now, that keeps the run's person from this call, or None."""
    ruling = _access(session, registry, tool)
    if not ruling.allowed:
        sentence = f"{session.run.requested_by} may not use {tool.name} now: {ruling.sentence}."
        return No(rule=ruling.rule_id, sentence=sentence)
    return await _by_server(session, tool) if tool.home == "mcp" else None


def _access(session: Session, registry: Registry, tool: FrozenTool) -> Ruling:
    """What an agent may ask or search is ruled on where it does so."""
    run = session.run
    if tool.home in ("delegate", "knowledge"):
        return may(registry, run.requested_by, "run_agent", agent_target(registry, run.agent_id))
    target = agent_target(registry, run.agent_id, person_id=run.requested_by, tool=tool.name)
    return may(registry, run.requested_by, "use_tool", target)


async def _by_server(session: Session, tool: FrozenTool) -> No | None:
    """The server still shows what the version froze; a high-risk agent gets only what a person looked at."""
    run = session.run
    if session.frozen.risk.risk_class == "high" and tool.schema_sha256 is None:
        advice = f"`fleetbook mcp pin {tool.name} --as <person>` shows and records it"
        sentence = (
            f"A high-risk agent uses tools of a server only as reviewed, and {tool.name} was not: {advice}."
        )
        return No(rule="mcp:not-reviewed", sentence=sentence)
    with session.control.store.read() as connection:
        expected = tool_schemas.expected(connection, run.agent_id, run.agent_version, tool)
    try:
        shown = await session.servers.shown(tool)
    except ServerDown as error:
        return No(rule="mcp:server-down", sentence=f"{tool.name} was not called: {error}.", is_outage=True)
    if shown is None:
        return No(rule="mcp:tool-gone", sentence=f"The server shows no tool {tool.place} any more.")
    if shown.sha256 != expected:
        sentence = (
            f"The server shows another description or schema of {tool.name} than version {run.agent_version} "
            f"was declared with. `fleetbook mcp pin {tool.name} --as <person>` shows it and declares a new "
            "version."
        )
        return No(rule="mcp:schema-changed", sentence=sentence)
    return None
