"""``fleetbook review``: the quarterly review – proposals with their numbers, and the rules behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import review_decide

if TYPE_CHECKING:
    from rich.console import Console

    from app.review.cards import Card
    from app.review.quarters import Quarter
    from app.review.rules import Rules
    from app.review.verdict import Verdict
    from app.warehouse import Scoped
    from ingest.workspace import Workspace

QuarterOption = Annotated[
    str | None, typer.Option("--quarter", help="For example 2026Q3; the last finished one by default.")
]
DemoOption = Annotated[
    bool | None, typer.Option("--demo/--real", help="Which rows, where the build holds both.")
]
_STYLES = {"retire": "red", "refresh": "yellow", "promote": "green", "keep": "", "not_enough_data": "dim"}


def register(app: typer.Typer) -> None:
    """Add the group ``review`` to the command line."""
    group = typer.Typer(help="The quarterly review: keep, refresh, promote, retire.")
    group.callback(invoke_without_command=True)(review)
    group.command("rules")(show_rules)
    group.command("verdict")(verdict)
    group.command("pack")(pack)
    review_decide.register(group)
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

    from app.review.cards import make_cards
    from app.review.reading import scoped_of
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, person, demo)
    asked = _quarter(quarter, scoped)
    rules, source = _rules(workspace, [])
    console = Console(highlight=False)
    cards = make_cards(scoped, asked, rules, is_demo=is_demo)
    if what_if:
        changed, _ = _rules(workspace, what_if)
        _print_changes(console, cards, make_cards(scoped, asked, changed, is_demo=is_demo))
        return
    if agent is not None:
        _print_card(console, _one(cards, agent, asked))
        return
    _print_table(console, cards)
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

    from app.review.gather import ran_versions
    from app.review.reading import scoped_of
    from app.review.verdict import verdicts
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, None, demo)
    rules, _ = _rules(workspace, [])
    before, after = ran_versions(scoped, agent, old, new, is_demo=is_demo)
    found = verdicts(scoped, agent, before, after, is_demo=is_demo, minimum_runs=rules.minimum_runs)
    _print_verdicts(Console(highlight=False), f"{agent}: v{after} against v{before}", found)
    if any(one.word == "worse" for one in found):
        raise typer.Exit(1)


def pack(
    quarter: QuarterOption = None,
    folder: Annotated[Path | None, typer.Option(help="Where to; workspace/reviews by default.")] = None,
    demo: DemoOption = None,
) -> None:
    """Write what the management meeting reads: a PDF, a workbook with every number, and their digests."""
    from rich.console import Console

    from app.review.cards import make_cards
    from app.review.pack import write_pack
    from app.review.reading import scoped_of
    from ingest.workspace import Workspace, home
    from runner.control import reviews
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, None, demo)
    asked = _quarter(quarter, scoped)
    rules, source = _rules(workspace, [])
    cards = make_cards(scoped, asked, rules, is_demo=is_demo)
    with Control(workspace) as control, control.store.read() as connection:
        decided = reviews.decisions(connection, str(asked))
        company = control.registry().company.name
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


def _quarter(text: str | None, scoped: Scoped) -> Quarter:
    """The quarter that was asked for, else the last one that was over when the data ends."""
    import datetime as dt

    from app.review.quarters import Quarter

    if text is not None:
        return Quarter.parse(text)
    until = scoped.warehouse.data_until or dt.datetime.now(dt.UTC)
    return Quarter.of(until.date()).back(1)


def _rules(workspace: Workspace, changes: list[str]) -> tuple[Rules, str]:
    from app.errors import ReviewError
    from app.review.rules import rules_of

    pairs = dict(one.split("=", 1) for one in changes if "=" in one)
    if len(pairs) != len(changes):
        raise ReviewError(
            f"No rule change: {', '.join(changes)}. Write it as promote.user_teams=3, each once."
        )
    rules, file = rules_of(workspace, pairs)
    return rules, str(file) if file else "as shipped"


def _one(cards: list[Card], agent_id: str, quarter: Quarter) -> Card:
    from runner.control.declared import nearest
    from runner.errors import NotFound

    by_id = {card.subject.agent_id: card for card in cards}
    if agent_id not in by_id:
        advice = f"`fleetbook review --quarter {quarter}` lists those under review."
        raise NotFound("agent under review", agent_id, nearest(agent_id, by_id), advice)
    return by_id[agent_id]


def _print_table(console: Console, cards: list[Card]) -> None:
    from rich.table import Table
    from rich.text import Text

    from app.review.propose import KINDS, rate_text

    counts = {kind: sum(card.proposal.kind == kind for card in cards) for kind in KINDS}
    told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts.items())
    console.print(f"{len(cards)} agents: {told}.", markup=False)
    table = Table(box=None, pad_edge=False)
    for name, justify in (("proposal", "left"), ("agent", "left"), ("runs", "right"), ("success", "left")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # the two words rich knows
    table.add_column("USD per success", justify="right")
    table.add_column("because")
    for card in cards:
        kind, now = card.proposal.kind, card.subject.figures()
        cost = now.cost_per_success_usd
        table.add_row(
            Text(kind.replace("_", " "), _STYLES[kind]),
            Text(card.subject.agent_id),
            f"{now.runs:,}",
            rate_text(now.success) if now.runs else "–",
            "–" if cost is None else f"{cost:.4f}",
            Text(card.proposal.reason),
        )
    console.print(table)


def _print_card(console: Console, card: Card) -> None:
    from rich.text import Text

    from app.review.propose import counted, rate_text

    subject, now, before = card.subject, card.subject.figures(), card.subject.figures(1)
    kind = card.proposal.kind
    console.print(
        Text.assemble((subject.agent_name, "bold"), f" · {subject.agent_id} · team {subject.team_id}")
    )
    console.print(
        Text(f"{kind.replace('_', ' ')} (rule {card.proposal.rule}): {card.proposal.reason}", _STYLES[kind])
    )
    lines = [
        f"owner {subject.owner_id or 'nobody'} · {subject.risk_class or 'unknown'} risk · "
        f"{subject.status or 'not registered'}",
        f"success {rate_text(now.success)}; {subject.quarter.back(1)} {rate_text(before.success)}",
        f"tool errors {rate_text(now.tool_error)}; {subject.quarter.back(1)} {rate_text(before.tool_error)}",
        f"cost per success {_money(now.cost_per_success_usd)}; per run {_money(now.cost_per_run_usd)}",
        f"used by {counted(now.users, 'person', 'people')} of {counted(now.user_teams, 'team')}; refused "
        f"{counted(now.refusals, 'time')}, {now.wallet_refusals} by a wallet",
        f"value {_money(card.value_usd)} (declared minutes × hour)"
        if card.value_usd is not None
        else "value unknown: nobody declared the minutes it saves",
        f"expected use: {subject.expected_use or 'none declared'}",
    ]
    for version in subject.versions[:3]:
        lines.append(f"v{version.agent_version}: success {rate_text(version.figures.success)}")
    if card.unmet_gates:
        lines.append(f"not promoted, because: {'; '.join(card.unmet_gates)}")
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)


def _print_verdicts(console: Console, title: str, found: list[Verdict]) -> None:
    from rich.text import Text

    styles = {"improved": "green", "worse": "red"}
    console.print(Text(title, "bold"))
    for one in found:
        line = Text.assemble(f"  {one.measure}: ", (one.word, styles.get(one.word, "dim")))
        line.append(
            f" · {_value(one, one.old)} (n {one.old_count}) → {_value(one, one.new)} (n {one.new_count})"
        )
        if one.low is not None:
            line.append(f" · difference {_value(one, one.low)} to {_value(one, one.high)}")
        console.print(line, soft_wrap=True)


def _value(one: Verdict, number: float | None) -> str:
    if number is None:
        return "unknown"
    if one.unit == "share":
        return f"{100 * number:+.1f} points" if number in (one.low, one.high) else f"{number:.1%}"
    return f"{number:.4f} USD" if one.unit == "usd" else f"{number / 1000:.2f} s"


def _money(usd: object) -> str:
    return "unknown" if usd is None else f"{usd:.4f} USD"


def _print_changes(console: Console, cards: list[Card], changed: list[Card]) -> None:
    from rich.text import Text

    after = {card.subject.agent_id: card.proposal for card in changed}
    moved = [card for card in cards if after[card.subject.agent_id].kind != card.proposal.kind]
    if not moved:
        console.print("No proposal would change.", markup=False)
    for card in moved:
        new = after[card.subject.agent_id]
        line = f"{card.subject.agent_id}: {card.proposal.kind} → {new.kind}: {new.reason}"
        console.print(Text(line.replace("_", " ")), soft_wrap=True)
