"""``fleetbook review``: the quarterly review – proposals with their numbers, and the rules behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import review_decide, review_fleet, review_refresh

if TYPE_CHECKING:
    from app.review.cards import Card
    from app.review.quarters import Quarter
    from app.review.rules import Rules
    from ingest.workspace import Workspace

QuarterOption = Annotated[
    str | None, typer.Option("--quarter", help="For example 2026Q3; the last finished one by default.")
]
DemoOption = Annotated[
    bool | None, typer.Option("--demo/--real", help="Which rows, where the build holds both.")
]


def register(app: typer.Typer) -> None:
    """Add the group ``review`` to the command line."""
    group = typer.Typer(help="The quarterly review: keep, refresh, promote, retire.")
    group.callback(invoke_without_command=True)(review)
    group.command("rules")(show_rules)
    group.command("verdict")(verdict)
    group.command("pack")(pack)
    review_decide.register(group)
    review_refresh.register(group)
    review_fleet.register(group)
    app.add_typer(group, name="review")


def review(
    context: typer.Context,
    quarter: QuarterOption = None,
    agent: Annotated[str | None, typer.Option(help="Only this agent, with all its numbers.")] = None,
    person: Annotated[
        str | None, typer.Option("--as", metavar="PERSON", help="Who looks; their scope applies.")
    ] = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if", metavar="RULE=VALUE", help="Another threshold, for example promote.user_teams=3."
        ),
    ] = None,
    demo: DemoOption = None,
) -> None:
    """Propose for each agent what to do, with the rule that led to it, its numbers and their uncertainty.

    Nothing is decided by it. With --what-if it names what another threshold would change.
    """
    if context.invoked_subcommand:
        return
    from rich.console import Console

    from app.commands.review_shown import print_card, print_changes, print_table
    from app.review.reading import cards_of, last_quarter, scoped_of
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, person, demo)
    asked = last_quarter(quarter, scoped)
    rules, source = _rules(workspace, [])
    console = Console(highlight=False)
    cards = cards_of(workspace, scoped, asked, rules, is_demo=is_demo)
    if what_if:
        changed, _ = _rules(workspace, what_if)
        print_changes(console, cards, cards_of(workspace, scoped, asked, changed, is_demo=is_demo))
        return
    if agent is not None:
        print_card(console, _one(cards, agent, asked))
        return
    print_table(console, cards)
    until = scoped.warehouse.data_until
    console.print(
        f"{asked}, {'demo data, ' if is_demo else ''}build {scoped.warehouse.build_id}"
        f"{f', data until {until:%Y-%m-%d %H:%M} UTC' if until else ''}. Rules: {source}. "
        "A proposal is no decision: see `fleetbook review decide --help`.",
        markup=False,
        style="dim",
    )


def verdict(
    agent: Annotated[str, typer.Argument(help="Agent id.")],
    old: Annotated[
        int | None, typer.Option(help="Version to compare with; the one before by default.")
    ] = None,
    new: Annotated[int | None, typer.Option(help="Version to judge; the newest that ran by default.")] = None,
    demo: DemoOption = None,
) -> None:
    """Say whether a version is better than the one before, per measure, with the interval of the difference.

    Ends with 1 when a measure got worse.
    """
    from rich.console import Console

    from app.commands.review_shown import print_verdicts
    from app.review.gather import ran_versions
    from app.review.reading import scoped_of
    from app.review.verdict import verdicts
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, None, demo)
    rules, _ = _rules(workspace, [])
    before, after = ran_versions(scoped, agent, old, new, is_demo=is_demo)
    found = verdicts(scoped, agent, before, after, is_demo=is_demo, minimum_runs=rules.minimum_runs)
    print_verdicts(Console(highlight=False), f"{agent}: v{after} against v{before}", found)
    if any(one.word == "worse" for one in found):
        raise typer.Exit(1)


def pack(
    quarter: QuarterOption = None,
    folder: Annotated[Path | None, typer.Option(help="Where to; workspace/reviews by default.")] = None,
    demo: DemoOption = None,
) -> None:
    """Write what the management meeting reads: a PDF, a workbook with every number, and their digests."""
    from rich.console import Console

    from app.review.declared import described
    from app.review.duplicates import alike
    from app.review.idle import idle_agents
    from app.review.pack import write_pack
    from app.review.reading import cards_of, last_quarter, scoped_of, worked_of
    from ingest.workspace import Workspace, home
    from runner.control import reviews
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, None, demo)
    asked = last_quarter(quarter, scoped)
    rules, source = _rules(workspace, [])
    cards = cards_of(workspace, scoped, asked, rules, is_demo=is_demo)
    with Control(workspace) as control, control.store.read() as connection:
        decided = reviews.decisions(connection, str(asked))
        company = control.registry().company.name
        found = alike(described(control), rules.duplicates.alike_at_least)
    place = folder or workspace.root / "reviews" / str(asked)
    made = write_pack(
        place,
        cards,
        decided,
        quarter=asked,
        company=company,
        build_id=scoped.warehouse.build_id,
        is_demo=is_demo,
        rules_source=source,
        look_alikes=found,
        idle=idle_agents(*worked_of(scoped, is_demo=is_demo)),
    )
    console = Console(highlight=False)
    for name, digest in made.items():
        console.print(f"{place / name}  sha256 {digest}", markup=False, soft_wrap=True)


def show_rules() -> None:
    """Print the rules that count in this workspace, and which file they come from."""
    from rich.console import Console

    from app.review.rules import FILE_NAME, text_of
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    text, file = text_of(workspace)
    console = Console(highlight=False)
    console.print(text, markup=False, soft_wrap=True)
    console.print(
        f"From {file}."
        if file
        else f"These come with the product; copy them into {FILE_NAME} to change them.",
        markup=False,
        style="dim",
    )


def _rules(workspace: Workspace, changes: list[str]) -> tuple[Rules, str]:
    from app.errors import ReviewError
    from app.review.rules import rules_of

    pairs = dict(one.split("=", 1) for one in changes if "=" in one)
    if len(pairs) != len(changes):
        raise ReviewError(
            f"No rule change: {', '.join(changes)}. Write it as promote.user_teams=3, each once."
        )
    rules, file = rules_of(workspace, pairs)
    return rules, file.name if file else "as shipped"


def _one(cards: list[Card], agent_id: str, quarter: Quarter) -> Card:
    from runner.control.declared import nearest
    from runner.errors import NotFound

    by_id = {card.subject.agent_id: card for card in cards}
    if agent_id not in by_id:
        advice = f"`fleetbook review --quarter {quarter}` lists those under review."
        raise NotFound("agent under review", agent_id, nearest(agent_id, by_id), advice)
    return by_id[agent_id]
