"""``fleetbook review portfolio|duplicates|idle``: the fleet as a whole, between and in reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from decimal import Decimal

QuarterOption = Annotated[
    str | None, typer.Option("--quarter", help="For example 2026Q3; the last finished one by default.")
]
PersonOption = Annotated[
    str | None, typer.Option("--as", metavar="PERSON", help="Who looks; their scope applies.")
]
DemoOption = Annotated[
    bool | None, typer.Option("--demo/--real", help="Which rows, where the build holds both.")
]


def register(group: typer.Typer) -> None:
    """Add the commands about the fleet as a whole to the group ``review``."""
    group.command("portfolio")(portfolio)
    group.command("duplicates")(duplicates)
    group.command("idle")(idle)


def portfolio(quarter: QuarterOption = None, person: PersonOption = None, demo: DemoOption = None) -> None:
    """Show value against cost of each agent with its uncertainty, its adoption, and how teams spread."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from app.review.portfolio import holdings, spread
    from app.review.reading import cards_of, last_quarter, scoped_of
    from app.review.rules import rules_of
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, person, demo)
    asked, (rules, _) = last_quarter(quarter, scoped), rules_of(workspace)
    cards = cards_of(workspace, scoped, asked, rules, is_demo=is_demo)
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("agent", no_wrap=True)
    for name in ("runs", "people", "before", "value", "known cost", "net", "net, 95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in holdings(cards):
        floor = "≥ " if one.unknown_cost_runs and one.cost_usd is not None else ""
        table.add_row(
            Text(one.agent_id),
            f"{one.runs:,}",
            str(one.users),
            str(one.users_before),
            _usd(one.value_usd),
            floor + _usd(one.cost_usd),
            _usd(one.net_usd),
            f"{_usd(one.net_low_usd)} to {_usd(one.net_high_usd)}" if one.net_usd is not None else "–",
        )
    console.print(table)
    for team in spread(cards):
        console.print(
            Text(
                f"{team.team_id or 'no team'}: {team.agents} agents, {team.used} used, "
                f"{team.from_templates} from templates, {team.unregistered} not registered, "
                f"{team.runs:,} runs"
            ),
            soft_wrap=True,
        )
    console.print(
        f"{asked}, USD. Value is declared: successes × minutes × hour; its bounds are those of the success "
        "rate. – is unknown.",
        markup=False,
        style="dim",
        soft_wrap=True,
    )


def duplicates(
    at_least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Score from which on; the rules' by default.")
    ] = None,
) -> None:
    """Name agents with like purpose, instructions and tools, and what of each part they share."""
    from rich.console import Console
    from rich.text import Text

    from app.review.declared import described
    from app.review.duplicates import alike
    from app.review.rules import rules_of
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    rules, _ = rules_of(workspace)
    score = rules.duplicates.alike_at_least if at_least is None else at_least
    with Control(workspace) as control:
        agents = described(control)
    console, found = Console(highlight=False), alike(agents, score)
    if not found:
        console.print(f"No two of {len(agents)} agents are alike by {score:.0%} or more.", markup=False)
    for one in found:
        names = f"{one.first.agent_id} and {one.second.agent_id}"
        console.print(Text.assemble((names, "bold"), f" · {one.explained}"), soft_wrap=True)
        shared = ", ".join([*one.shared_words, *one.shared_tools])
        console.print(Text(f"  share: {shared or 'nothing by name'}", "dim"), soft_wrap=True)


def idle(person: PersonOption = None, demo: DemoOption = None) -> None:
    """Name agents without a run in four weeks, and whether that is their season; 1 when one has none.

    Retired agents that ran afterwards, by an outside way in, are named as well, and end it with 1.
    """
    from rich.console import Console
    from rich.text import Text

    from app.review.idle import idle_agents
    from app.review.reading import scoped_of, used_after_retirement, worked_of
    from ingest.workspace import Workspace, home

    scoped, is_demo = scoped_of(Workspace.open(home()), person, demo)
    worked, today = worked_of(scoped, is_demo=is_demo)
    found = idle_agents(worked, today)
    console = Console(highlight=False)
    if not found:
        console.print("No agent is idle.", markup=False)
    for one in found:
        since = f"since {one.last_run_on}" if one.last_run_on else "never used"
        style = "yellow" if one.season == "none" else "dim"
        console.print(Text.assemble((f"{one.agent_id} · {since}", style), f" · {one.why}"), soft_wrap=True)
    after = used_after_retirement(scoped, is_demo=is_demo)
    for used in after:
        told = f" · ran on {used.last_run_at:%Y-%m-%d}, by {used.recorded_via}: it is used elsewhere still"
        head = (f"{used.agent_id} · retired since {used.retired_at:%Y-%m-%d}", "red")
        console.print(Text.assemble(head, told), soft_wrap=True)
    if after or any(one.season == "none" for one in found):
        raise typer.Exit(1)


def _usd(amount: Decimal | None) -> str:
    return "–" if amount is None else f"{amount:,.2f}"
