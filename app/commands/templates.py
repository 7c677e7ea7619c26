"""``fleetbook templates``: the library of agents to start from – list, show, try, use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ingest.workspace import Workspace
    from runner.control.approvals import Request
    from runner.templates.trial import Step

TemplateArgument = Annotated[str, typer.Argument(help="Template id, see `fleetbook templates list`.")]


def register(app: typer.Typer) -> None:
    """Add the group ``templates`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="The library of agents to start from.")
    group.command("list")(list_templates)
    group.command("show")(show)
    group.command("try")(try_one)
    group.command("use")(use)
    group.command("adopters")(list_adopters)
    app.add_typer(group, name="templates")


def list_templates() -> None:
    """List the templates: risk, what they do, and which tools ask a person first."""
    from rich.console import Console
    from rich.text import Text

    from runner.templates.library import library

    console = Console(highlight=False)
    width = max(len(name) for name in library())
    for name, one in library().items():
        line = Text.assemble(
            (f"{name:<{width}}", "bold"), f"  v{one.version} · {one.defaults.risk.risk_class} risk"
        )
        asks = one.asks_a_person
        console.print(line.append(f" · asks a person: {', '.join(asks)}" if asks else ""), soft_wrap=True)
        console.print(Text(f"{'':<{width}}  {one.purpose}", "dim"), soft_wrap=True)


def show(template: TemplateArgument) -> None:
    """Show one template as it would stand in registry.yaml, and a task to try it with."""
    from importlib.resources import files

    from rich.console import Console
    from rich.syntax import Syntax

    from runner.templates.library import template as find

    find(template)
    text = files("runner.templates").joinpath(f"{template}.yaml").read_text(encoding="utf-8")
    console = Console(highlight=False)
    console.print(Syntax(text, "yaml", background_color="default", word_wrap=True))
    console.print(f"Try it: fleetbook templates try {template}", markup=False)


def try_one(
    template: TemplateArgument,
    task: Annotated[
        str | None, typer.Argument(help="What it shall do; the template's own task by default.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Say no to what waits for a person.")] = False,
) -> None:
    """Run a template on the simulated model in a throw-away workspace, with the real gates.

    Calls that wait for a person are approved by the trial's manager, or rejected with --reject. Ends with 1
    when the run does not complete.
    """
    from rich.console import Console
    from rich.text import Text

    from app.terminal import ProgressPrinter, foreign
    from runner.control.purses import usd_text
    from runner.templates.library import template as find
    from runner.templates.trial import try_template

    console = Console(highlight=False)
    wanted = task or find(template).sample_task
    console.print(Text.assemble((template, "bold"), " · trial, nothing of it is kept\n", wanted))

    def decide(request: Request) -> bool:
        word = "says no" if reject else "approves"
        console.print(Text(f"waits for a person: {request.rule_text}; the trial's manager {word}", "yellow"))
        console.print(foreign(f"  {request.tool_name}({request.arguments})", limit=400), soft_wrap=True)
        return not reject

    def report(step: Step) -> None:
        outcome = step.outcome
        if outcome.status == "ended":
            style = "bold green" if outcome.end_state == "completed" else "bold red"
            console.print(Text(f"{outcome.end_state} · {usd_text(step.spent_nano_usd)}", style))
            if outcome.reason:
                console.print(foreign(outcome.reason), soft_wrap=True)

    last = try_template(template, wanted, ProgressPrinter(console), decide, report)
    if last.outcome.end_state != "completed":
        raise typer.Exit(1)


def use(
    template: TemplateArgument,
    agent: Annotated[str, typer.Option(help="Id of the new agent.")],
    team: Annotated[str, typer.Option(help="Team it belongs to.")],
    person: Annotated[
        str, typer.Option("--as", metavar="PERSON", help="Who declares it; becomes its author.")
    ],
) -> None:
    """Add an agent made from a template to registry.yaml, as a draft, and apply it."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.amend import amend
    from runner.control.plane import Control
    from runner.templates.library import use_template

    workspace = Workspace.open(home())
    with Control(workspace, process_name="fleetbook templates use", recorded_via="registry") as control:
        edit = use_template(control.registry(), template, agent, team, person)
        done = amend(control, edit, person_id=person)
        is_high = control.registry().agents[agent].risk.risk_class == "high"
    _say_next(Console(highlight=False), len(done.changes), agent, person, is_high=is_high)


def list_adopters(
    template: Annotated[str, typer.Argument(help="Template of registry.yaml.")],
) -> None:
    """List the agents made from a template: who is behind, where each differs, and its net value."""
    from rich.console import Console
    from rich.text import Text

    from ingest.workspace import Workspace, home
    from runner.control.declared import nearest
    from runner.control.plane import Control
    from runner.control.promotions import adopters
    from runner.errors import NotFound

    workspace = Workspace.open(home())
    with Control(workspace) as control:
        registry = control.registry()
    if template not in registry.templates:
        close = nearest(template, list(registry.templates))
        raise NotFound("template", template, close, "Templates are declared in registry.yaml.")
    console = Console(highlight=False)
    found = adopters(registry, template)
    made = registry.templates[template].made_from
    origin = f", made from {made.agent} v{made.version}" if made else ""
    net = _net_values(workspace)
    console.print(
        f"{template} v{registry.templates[template].version}{origin}: {len(found)} agents.", markup=False
    )
    for one in found:
        state = f"behind, made from v{one.made_from_version}" if one.is_behind else "up to date"
        differs = f" · differs in {', '.join(one.diverged)}" if one.diverged else ""
        worth = f" · {net[one.agent_id]}" if one.agent_id in net else ""
        line = f" · team {one.team_id} · {state}{differs}{worth}"
        console.print(Text.assemble((one.agent_id, "bold"), line), soft_wrap=True)


def _net_values(workspace: Workspace) -> dict[str, str]:
    """Declared value − known cost of each agent in the last finished quarter; none before a build."""
    from app.errors import WarehouseError
    from app.review.portfolio import holdings
    from app.review.reading import cards_of, last_quarter, scoped_of
    from app.review.rules import rules_of

    try:
        scoped, is_demo = scoped_of(workspace, None, None)
    except WarehouseError:
        return {}
    quarter, (rules, _) = last_quarter(None, scoped), rules_of(workspace)
    cards = cards_of(workspace, scoped, quarter, rules, is_demo=is_demo)
    return {
        one.agent_id: f"{quarter} net value {one.net_usd:,.2f} USD "
        f"({one.net_low_usd:,.2f} to {one.net_high_usd:,.2f})"
        for one in holdings(cards)
        if one.net_usd is not None
    }


def _say_next(console: Console, count: int, agent: str, person: str, *, is_high: bool) -> None:
    lines = [
        f"Agent {agent} is a draft; {count} changes are applied and stand in registry.yaml.",
        "Point its tools at your systems (tools.<name>.function; now they simulate), and grant run_agent to "
        "those who shall use it.",
    ]
    if is_high:
        lines.append(
            "It is of high risk: a second person approves its version with "
            f"`fleetbook agents approve-version {agent}`."
        )
    lines.append(f"Make it live with `fleetbook agents status {agent} live --as {person}`.")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
