"""``fleetbook review decide|confirm|withdraw|decisions|impact|revive``: what a review leads to."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.plane import Control
    from runner.control.reviews import Decided

AgentArgument = Annotated[str, typer.Argument(help="Agent id, see `fleetbook review`.")]
PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who decides.")]
QuarterOption = Annotated[str, typer.Option("--quarter", help="Quarter under review, for example 2026Q3.")]
ReasonOption = Annotated[str, typer.Option(help="Why, in one sentence; the log keeps it.")]


def register(group: typer.Typer) -> None:
    """Add the commands of decisions to the group ``review``."""
    group.command("decide")(decide)
    group.command("confirm")(confirm)
    group.command("withdraw")(withdraw)
    group.command("decisions")(list_decisions)
    group.command("replay")(replay_one)
    group.command("impact")(show_impact)
    group.command("revive")(revive)
    group.command("publish")(publish)


def decide(
    agents: Annotated[list[str], typer.Argument(help="Agent ids; several are decided one after the other.")],
    decision: Annotated[str, typer.Option(help="keep, refresh, promote, retire or postpone.")],
    quarter: QuarterOption,
    reason: ReasonOption,
    person: PersonOption,
    sunset: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="A retirement counts from this day on; owners and users are told. Default: at once.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would touch.")] = False,
    demo: Annotated[bool | None, typer.Option("--demo/--real", help="Where the numbers are.")] = None,
) -> None:
    """Decide what becomes of agents; the numbers it is decided on are kept with it.

    A retirement refuses new runs, schedules and delegated calls with the review as the reason, and ends what
    is open. With an agent of high risk a second person confirms a retirement or a promotion first.
    """
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from app.review.deciding import decide as decide_with
    from app.review.evidence import gather_evidence
    from app.review.quarters import Quarter
    from app.review.reading import cards_of, recent_users, scoped_of
    from app.review.rules import rules_of
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    workspace, console = Workspace.open(home()), Console(highlight=False)
    asked, (rules, _) = Quarter.parse(quarter), rules_of(workspace)
    scoped, is_demo = scoped_of(workspace, person, demo)
    cards = cards_of(workspace, scoped, asked, rules, is_demo=is_demo)
    by_id = {card.subject.agent_id: card for card in cards}
    with Control(workspace, process_name="fleetbook review decide") as control:
        zone = ZoneInfo(control.registry().company.time_zone)
        for agent in agents:
            if decision == "retire":
                _print_impact(console, control, agent, recent_users(scoped, agent, is_demo=is_demo))
            if dry_run:
                continue
            done = decide_with(
                control,
                agent,
                by_id.get(agent),
                quarter=asked,
                rules=rules,
                decision=decision,
                person_id=person,
                reason=reason,
                sunset_at=sunset.replace(tzinfo=zone) if sunset else None,
                evidence=gather_evidence(scoped, agent, asked, is_demo=is_demo),
            )
            _print_decided(console, done)
    if dry_run:
        console.print("Nothing was decided: this was a dry run.", markup=False)


def confirm(
    agent: AgentArgument,
    quarter: QuarterOption,
    person: PersonOption,
    reason: Annotated[str, typer.Option(help="Why; may be left out.")] = "",
) -> None:
    """Confirm, as a second person, a decision that waits; it takes effect."""
    from rich.console import Console

    from app.review.quarters import Quarter
    from ingest.workspace import Workspace, home
    from runner.control import reviews
    from runner.control.plane import Control

    asked = Quarter.parse(quarter)
    with Control(Workspace.open(home()), process_name="fleetbook review confirm") as control:
        done = reviews.confirm(control, agent, str(asked), person, reason)
    _print_decided(Console(highlight=False), done)


def withdraw(
    agent: AgentArgument, quarter: QuarterOption, person: PersonOption, reason: ReasonOption
) -> None:
    """Take back a decision that waits for a second person."""
    from app.review.quarters import Quarter
    from ingest.workspace import Workspace, home
    from runner.control import reviews
    from runner.control.plane import Control

    asked = Quarter.parse(quarter)
    with Control(Workspace.open(home()), process_name="fleetbook review withdraw") as control:
        reviews.withdraw(control, agent, str(asked), person, reason)
    typer.echo(f"Withdrawn: {asked} of {agent} is open again.")


def list_decisions(
    quarter: Annotated[str | None, typer.Option("--quarter", help="Only this quarter.")] = None,
) -> None:
    """List what was decided in reviews, by whom and why."""
    from rich.console import Console

    from app.review.quarters import Quarter
    from ingest.workspace import Workspace, home
    from runner.control import reviews
    from runner.control.plane import Control

    period = str(Quarter.parse(quarter)) if quarter else None
    with Control(Workspace.open(home())) as control, control.store.read() as connection:
        found = reviews.decisions(connection, period)
    console = Console(highlight=False)
    if not found:
        console.print("Nothing is decided yet.", markup=False)
    for one in found:
        _print_decided(console, one)


def replay_one(
    agent: AgentArgument,
    quarter: QuarterOption,
    demo: Annotated[bool | None, typer.Option("--demo/--real", help="Which rows to compare with.")] = None,
) -> None:
    """Propose again from the numbers kept with a decision, and name those that are others today.

    Ends with 1 when the kept numbers and rules lead to another proposal than they did.
    """
    import json

    from rich.console import Console
    from rich.text import Text

    from app.review.quarters import Quarter
    from app.review.reading import cards_of, scoped_of
    from app.review.replay import replay
    from app.review.rules import rules_of
    from ingest.workspace import Workspace, home
    from runner.control import reviews
    from runner.control.plane import Control

    workspace, asked = Workspace.open(home()), Quarter.parse(quarter)
    with Control(workspace) as control, control.store.read() as connection:
        decided = reviews.require(connection, agent, str(asked))
    scoped, is_demo = scoped_of(workspace, None, demo)
    cards = cards_of(workspace, scoped, asked, rules_of(workspace)[0], is_demo=is_demo)
    today = next((card for card in cards if card.subject.agent_id == agent), None)
    found = replay(agent, json.loads(decided.snapshot), today)
    console = Console(highlight=False)
    word = "The same" if found.is_same else "Another proposal"
    console.print(
        Text(f"{word}: {found.again.kind} ({found.again.rule}): {found.again.reason}"), soft_wrap=True
    )
    for name, kept, now in found.changes:
        console.print(Text(f"  {name}: {kept} then, {now} today", "dim"), soft_wrap=True)
    if not found.is_same:
        raise typer.Exit(1)


def show_impact(
    agent: AgentArgument,
    demo: Annotated[bool | None, typer.Option("--demo/--real", help="Whose runs name its users.")] = None,
) -> None:
    """Show what a retirement of the agent would touch now; nothing is changed."""
    from rich.console import Console

    from app.errors import WarehouseError
    from app.review.reading import recent_users, scoped_of
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    users = None
    with contextlib.suppress(WarehouseError):  # before the first build the store alone knows them
        scoped, is_demo = scoped_of(workspace, None, demo)
        users = recent_users(scoped, agent, is_demo=is_demo)
    with Control(workspace) as control:
        _print_impact(Console(highlight=False), control, agent, users)


def revive(agent: AgentArgument, person: PersonOption, reason: ReasonOption) -> None:
    """Bring a retired agent back, suspended; `fleetbook agents status` makes it live."""
    from ingest.workspace import Workspace, home
    from runner.control import retiring
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook review revive") as control:
        retiring.revive(control, agent, person, reason)
    typer.echo(
        f"Agent {agent} is suspended. `fleetbook agents status {agent} live --as {person}` lets it run."
    )


def publish(agent: AgentArgument, quarter: QuarterOption, person: PersonOption) -> None:
    """Write a promoted agent's version into registry.yaml as a template of the whole company."""
    from app.review.quarters import Quarter
    from ingest.workspace import Workspace, home
    from runner.control import promotions
    from runner.control.plane import Control

    asked = Quarter.parse(quarter)
    with Control(Workspace.open(home()), process_name="fleetbook review publish") as control:
        made = promotions.publish(control, agent, str(asked), person)
    origin = f", made from {agent} v{made.made_from.version}" if made.made_from else ""
    typer.echo(f"Template {agent} v{made.version} is in registry.yaml{origin}.")
    typer.echo(f"`fleetbook templates adopters {agent}` follows it.")


def _print_decided(console: Console, decided: Decided) -> None:
    from rich.text import Text

    style = {"waiting": "yellow", "done": "green"}[decided.status]
    by = decided.decided_by + (f", confirmed by {decided.confirmed_by}" if decided.confirmed_by else "")
    head = Text.assemble(
        (f"{decided.review_decision} {decided.agent_id}", style), f" · {decided.review_period} · {by}"
    )
    console.print(head, soft_wrap=True)
    console.print(Text(f"  {decided.reason}", "dim"), soft_wrap=True)
    if decided.effective_at and decided.in_effect_at is None:
        console.print(Text(f"  counts from {decided.effective_at:%Y-%m-%d %H:%M} UTC on", "yellow"))
    if decided.status == "waiting":
        advice = (
            f"fleetbook review confirm {decided.agent_id} --quarter {decided.review_period} --as <person>"
        )
        console.print(Text(f"  waits for a second person: {advice}", "yellow"), soft_wrap=True)


def _print_impact(console: Console, control: Control, agent_id: str, users: Sequence[str] | None) -> None:
    from rich.text import Text

    from runner.control import retiring
    from runner.control.purses import usd_text

    found = retiring.impact(control, agent_id)
    parts = {
        "schedules that stop": found.schedules,
        "agents that call it": found.callers,
        "knowledge sources it reads": found.knowledge,
        "grants that name it": found.grants,
        "wallets of its own": found.wallets,
        "agents made from its template": found.adopters,
        "aliases of outside agents": found.aliases,
        "open runs that end": found.open_runs,
        "open requests that lapse": found.open_approvals,
        "refreshes that close": (found.open_refresh,) if found.open_refresh else (),
        "people who used it in 90 days": users if users is not None else found.users,
    }
    console.print(Text(f"Retiring {agent_id} touches:", "bold"))
    for name, ids in parts.items():
        console.print(Text(f"  {len(ids)} {name}{': ' + ', '.join(ids[:5]) if ids else ''}"), soft_wrap=True)
    console.print(Text(f"  {usd_text(found.held_nano_usd)} held by its open calls"), soft_wrap=True)
