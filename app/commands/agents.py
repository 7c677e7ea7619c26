"""``fleetbook agents``: the inventory, the card of an agent, its versions and what differs between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.admission import AgentState
    from runner.control.registry import Agent, Registry
    from runner.control.version_approval import VersionState

AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", help="Agent id, as `fleetbook agents` lists it.")
]


def register(app: typer.Typer) -> None:
    """Add ``agents`` to the command line."""
    from app.commands.agent_changes import add_changes

    group = typer.Typer(invoke_without_command=True, help="The agents: inventory, versions, changes.")
    group.callback()(list_agents)
    group.command("show")(show)
    group.command("versions")(versions)
    group.command("diff")(diff)
    add_changes(group)
    app.add_typer(group, name="agents")


def list_agents(
    context: typer.Context,
    orphans: Annotated[bool, typer.Option("--orphans", help="Only agents that nobody answers for.")] = False,
) -> None:
    """List the agents: decided status, version, model, risk, owner, and tools (* where a rule asks first).

    With a word after it, do something with one agent.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.people_changes import orphans as orphan_queue
    from runner.control.plane import Control

    with Control(Workspace.open(home())) as control:
        registry, states = control.registry(), control.agent_states()
    console = Console(highlight=False)
    if orphans:
        waiting = orphan_queue(registry)
        states = {agent_id: state for agent_id, state in states.items() if agent_id in waiting}
        if not states:
            console.print("No orphans: somebody answers for each agent.", markup=False)
    width = max((len(agent_id) for agent_id in states), default=0)
    for agent_id, state in states.items():
        _print_line(console, registry.agents.get(agent_id), state, width)
    if orphans and states:
        console.print("Name an owner: `fleetbook agents owner <agent> <person> --as <person>`.", markup=False)


def show(agent: AgentArgument) -> None:
    """Show the card of an agent: everything that is declared and decided about it."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.agent_changes import declared_agent
    from runner.control.lifecycle import find_agent
    from runner.control.plane import Control
    from runner.control.version_approval import versions_of

    with Control(Workspace.open(home())) as control, control.store.read() as connection:
        registry = control.registry_in(connection)
        declared = declared_agent(registry, agent)
        state = find_agent(connection, registry, agent)
        known = versions_of(connection, agent)
    console = Console(highlight=False)
    for name, text in _card(registry, agent, declared, state, known):
        _print_fact(console, name, text)


def versions(agent: AgentArgument) -> None:
    """List the versions of an agent: which is in force, who declared and who approved each."""
    from rich.console import Console
    from rich.text import Text

    from ingest.workspace import Workspace, home
    from runner.control.lifecycle import find_agent
    from runner.control.plane import Control
    from runner.control.version_approval import versions_of

    with Control(Workspace.open(home())) as control, control.store.read() as connection:
        find_agent(connection, control.registry_in(connection), agent)
        known = versions_of(connection, agent)
    console = Console(highlight=False)
    for one in known:
        when = f"{one.declared_at:%Y-%m-%d %H:%M} UTC"
        by = f" by {one.declared_by}" if one.declared_by else ""
        line = f"v{one.agent_version}  {one.version_hash[:12]}  declared {when}{by}  {_standing(one)}"
        console.print(Text(line, "bold" if one.is_in_force else ""), soft_wrap=True)


def diff(
    agent: AgentArgument,
    first: Annotated[int | None, typer.Argument(metavar="V1", help="Default: the version before V2.")] = None,
    second: Annotated[int | None, typer.Argument(metavar="V2", help="Default: the newest version.")] = None,
) -> None:
    """Show what differs between two versions of an agent, field by field."""
    from rich.console import Console
    from rich.text import Text

    from app.terminal import plain
    from ingest.workspace import Workspace, home
    from runner.control.lifecycle import find_agent
    from runner.control.plane import Control
    from runner.control.version_approval import find_version
    from runner.control.version_diff import version_diff

    with Control(Workspace.open(home())) as control, control.store.read() as connection:
        find_agent(connection, control.registry_in(connection), agent)
        new = find_version(connection, agent, second)
        old = find_version(connection, agent, first or max(new.agent_version - 1, 1))
    console = Console(highlight=False)
    console.print(f"{agent} v{old.agent_version} → v{new.agent_version} ({_standing(new)})", markup=False)
    changes = version_diff(old.frozen, new.frozen)
    if not changes:
        console.print("The specifications are the same.", markup=False)
    for change in changes:
        console.print(Text(change.field, "bold"))
        for sign, text, style in (("-", change.before, "red"), ("+", change.after, "green")):
            if text is not None:
                console.print(Text(f"  {sign} {plain(text)}", style), soft_wrap=True)


def _print_line(console: Console, agent: Agent | None, state: AgentState, width: int) -> None:
    from rich.text import Text

    from app.terminal import plain

    line = Text.assemble(
        (f"{state.agent_id:<{width}}", "bold"), f"  {state.status:<9} v{state.agent_version}"
    )
    if agent is None:
        console.print(line.append("  no longer declared", "yellow"))
        return
    owner = f"owner {agent.owner}" if agent.owner else "no owner"
    facts = [agent.team, f"{agent.risk.risk_class} risk", plain(agent.model), owner]
    if not state.is_approved:
        facts.append("waits for a second person")
    console.print(line.append(f"  {' · '.join(facts)}"), soft_wrap=True)
    tools = ", ".join(f"{use.tool}{'*' if use.approval else ''}" for use in agent.tools)
    console.print(Text(f"{'':<{width}}  {tools or 'no tools'}", "dim"), soft_wrap=True)


def _card(
    registry: Registry, agent_id: str, agent: Agent, state: AgentState, known: list[VersionState]
) -> list[tuple[str, str]]:
    """Name and text of each fact, in the order in which a reader asks."""
    from runner.control.content import content_capture

    since = f"since {state.decided_at:%Y-%m-%d}"
    why = f": {state.status_reason}" if state.status_reason else ""
    budgets = [one for one in registry.budgets if one.wallet in (f"agent:{agent_id}", f"run:{agent_id}")]
    caps = [f"{one.wallet_id} {'unlimited' if one.unlimited else f'{one.cap_usd} USD'}" for one in budgets]
    schedules = [
        f"{name} ({one.cron}, as {one.run_as}{', paused' if one.paused else ''})"
        for name, one in registry.schedules.items()
        if one.agent == agent_id
    ]
    current = next(one for one in known if one.agent_version == state.agent_version)
    return [
        ("agent", f"{agent_id}: {agent.name}"),
        ("status", f"{state.status} {since}{why}"),
        ("version", f"v{current.agent_version} {current.version_hash[:12]}, {_standing(current)}"),
        ("newer", ", ".join(f"v{one.agent_version}, {_standing(one)}" for one in known if one.is_waiting)),
        ("team", agent.team),
        ("owner", agent.owner or "nobody: it cannot start until one is named"),
        ("deputy", agent.deputy or ""),
        ("author", agent.author or ""),
        ("purpose", agent.purpose),
        *_risk_facts(agent),
        *_template_facts(registry, agent),
        ("model", ", then ".join((agent.model, *agent.fallback_models))),
        ("limits", f"{agent.max_output_tokens} output tokens per answer, {agent.max_turns} turns per run"),
        ("instructions", agent.instructions),
        *_access_facts(registry, agent),
        ("budgets", ", ".join(caps)),
        ("schedules", ", ".join(schedules)),
        ("expected use", agent.expected_use),
        ("texts kept", content_capture(registry, agent.team, agent_id)),
    ]


def _risk_facts(agent: Agent) -> list[tuple[str, str]]:
    risk = agent.risk
    reasons = f" ({', '.join(risk.reasons)})" if risk.reasons else ""
    by = f", assessed by {risk.assessor}" if risk.assessor else ""
    until = f", again by {risk.review_by.isoformat()}" if risk.review_by else ""
    return [("risk", f"{risk.risk_class}{reasons}{by}{until}")]


def _template_facts(registry: Registry, agent: Agent) -> list[tuple[str, str]]:
    from runner.control.divergence import diverged_fields

    if agent.template is None:
        return [("template", "custom")]
    differing = diverged_fields(registry, agent)
    newest = registry.templates[agent.template.id].version
    behind = f", the template is at v{newest}" if newest != agent.template.version else ""
    said = f"differs in {', '.join(differing)}" if differing else "as the template says"
    return [("template", f"{agent.template.id} v{agent.template.version}, {said}{behind}")]


def _access_facts(registry: Registry, agent: Agent) -> list[tuple[str, str]]:
    """Tools with effect and rule, sources with sensitivity, and agents it may ask."""
    from runner.control.approvals import rule_sentence

    tools = []
    for use in agent.tools:
        tool = registry.tools[use.tool]
        grant = ", needs a grant" if tool.needs_grant else ""
        asks = f"; {rule_sentence(use.approval)}" if use.approval else ""
        tools.append(f"{use.tool} ({tool.effect}{grant}{asks})")
    sources = [f"{name} ({registry.knowledge[name].sensitivity})" for name in agent.knowledge]
    return [
        ("tools", "\n".join(tools) or "none"),
        ("knowledge", ", ".join(sources)),
        ("delegates", ", ".join(agent.delegates)),
    ]


def _standing(version: VersionState) -> str:
    """Whether it is in force, waits, or was approved by whom."""
    if version.is_waiting:
        return "waits for a second person's approval"
    approved = f"approved by {version.approved_by}" if version.approved_by else "needed no approval"
    return f"in force, {approved}" if version.is_in_force else approved


def _print_fact(console: Console, name: str, text: str) -> None:
    """One fact; one that says nothing is left out."""
    from rich.text import Text

    from app.terminal import plain

    for index, line in enumerate(plain(text).splitlines()):
        label = name if index == 0 else ""
        console.print(Text.assemble((f"{label:<13} ", "dim"), line), soft_wrap=True)
