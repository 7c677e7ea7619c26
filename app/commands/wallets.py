"""``fleetbook wallets``: what is left, until when it lasts; caps raised for a time by two people."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console

    from runner.control.balances import Balance
    from runner.control.raises import Raise
    from runner.control.registry import Registry

AsOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Who asks or decides.")]
RaiseArgument = Annotated[str, typer.Argument(metavar="RAISE", help="Id that `fleetbook wallets` shows.")]


def register(app: typer.Typer) -> None:
    """Add the wallets to the command line."""
    group = typer.Typer(help="Wallets: cap, spent, held, free, forecast; temporary raises.")
    group.callback(invoke_without_command=True)(wallets)
    group.command("raise")(ask_raise)
    group.command("approve-raise")(approve_raise)
    group.command("reject-raise")(reject_raise)
    app.add_typer(group, name="wallets")


def wallets(context: typer.Context) -> None:
    """List every wallet in its window: cap, spent, held, free, unknown, used, and when it will be empty.

    Unknown is what calls held that nobody answered: neither 0 nor spend. Below: raises that wait or count.
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control import raises
    from runner.control.balances import balances
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook wallets") as control:
        registry, found, now = control.registry(), balances(control), control.store.clock()
        control.relay.flush()  # a raise may have ended just now
        with control.store.read() as connection:
            open_raises = [
                one for one in raises.listed(connection, "waiting", "approved") if one.expires_at > now
            ]
    console = Console(highlight=False)
    if not found:
        console.print("No wallets are declared: add them under budgets in registry.yaml.", markup=False)
        return
    width = max(len(one.purse.wallet_id) for one in found)
    for balance in found:
        _print_balance(console, balance, width)
        for note in _notes(balance, registry.company.time_zone):
            console.print(f"{'':<{width}}  {note}", style="yellow", markup=False, soft_wrap=True)
    for one in open_raises:
        _print_raise(console, registry, one)


def _print_balance(console: Console, one: Balance, width: int) -> None:
    from runner.control.purses import usd_text

    cap, free, share = one.cap_nano_usd, one.free_nano_usd, one.used_share
    facts = [
        "unlimited" if cap is None else f"{usd_text(one.spent_nano_usd)} of {usd_text(cap)} spent",
        f"{usd_text(one.held_nano_usd)} held",
        f"{usd_text(one.unknown_nano_usd)} unknown",
    ]
    if cap is None:
        facts.insert(1, f"{usd_text(one.spent_nano_usd)} spent")
    if free is not None:
        facts.append(f"{usd_text(free)} free")
    if share is not None:
        facts.append(f"{share:.0%} used")
    console.print(f"{one.purse.wallet_id:<{width}}  {' · '.join(facts)}", markup=False, soft_wrap=True)


def _notes(one: Balance, time_zone: str) -> list[str]:
    """What a reader should notice about a wallet, as lines."""
    from zoneinfo import ZoneInfo

    from runner.control.forecast import is_worth_telling
    from runner.control.purses import usd_text

    def local(moment: dt.datetime) -> str:
        return moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M")

    notes = []
    if one.purse.is_unlimited:
        notes.append(f"unlimited because: {one.purse.reason}")
    if one.is_used_up:
        notes.append("used up: a call found too little left")
    elif one.threshold_percent:
        notes.append(f"{one.threshold_percent} % passed")
    if one.projected_at is not None and is_worth_telling(one.projected_at, one.purse.window_end, one.now):
        notes.append(f"empty on {local(one.projected_at)}, if spent as fast as so far")
    if one.raised_nano_usd and one.raised_until is not None:
        raised = f"{usd_text(one.raised_nano_usd)} of the cap are raises"
        notes.append(f"{raised}; the next one ends {local(one.raised_until)}")
    if one.over_nano_usd:
        over = f"{usd_text(one.over_nano_usd)} above the cap since the cap went down"
        notes.append(f"{over}; nothing new is held")
    return notes


def _print_raise(console: Console, registry: Registry, one: Raise) -> None:
    from zoneinfo import ZoneInfo

    from app.terminal import plain
    from runner.control.purses import usd_text

    until = one.expires_at.astimezone(ZoneInfo(registry.company.time_zone)).strftime("%Y-%m-%d %H:%M")
    state = "waits for a second person" if one.status == "waiting" else f"approved by {one.decided_by}"
    line = (
        f"raise {one.raise_id}: {one.wallet_id} +{usd_text(one.raise_nano_usd)} until {until}, "
        f"asked by {one.requested_by} ({plain(one.reason)}): {state}"
    )
    console.print(line, markup=False, soft_wrap=True)


def ask_raise(
    wallet: Annotated[str, typer.Argument(metavar="WALLET", help="For example team:support:month.")],
    by: Annotated[str, typer.Option("--by", metavar="USD", help="How much more, in USD.")],
    until: Annotated[
        str,
        typer.Option("--until", metavar="TIME", help="2026-11-30 (that day included) or 2026-11-30T18:00."),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; the log keeps it.")],
    person: AsOption,
) -> None:
    """Ask for a higher cap for a time. It counts once somebody else, who may change_budget, approved it."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.plane import Control
    from runner.control.raise_requests import request_raise

    with Control(Workspace.open(home()), process_name="fleetbook wallets") as control:
        ends_at = moment(until, control.registry().company.time_zone)
        one = request_raise(control, wallet, amount(by), ends_at, person_id=person, reason=reason)
        console = Console(highlight=False)
        _print_raise(console, control.registry(), one)
        console.print(
            f"Next: `fleetbook wallets approve-raise {one.raise_id} --as PERSON`",
            markup=False,
            soft_wrap=True,
        )


def approve_raise(
    raise_id: RaiseArgument,
    person: AsOption,
    reason: Annotated[str, typer.Option("--reason", help="Why; default: the reason it was asked for.")] = "",
) -> None:
    """Approve a raise; the cap is higher at once, and what it was again when the time is over."""
    _decide(raise_id, person, reason, is_approved=True)


def reject_raise(
    raise_id: RaiseArgument,
    person: AsOption,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
) -> None:
    """Reject a raise; the cap stays."""
    _decide(raise_id, person, reason, is_approved=False)


def _decide(raise_id: str, person: str, reason: str, *, is_approved: bool) -> None:
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control.plane import Control
    from runner.control.raise_requests import decide_raise

    console = Console(highlight=False)
    with Control(Workspace.open(home()), process_name="fleetbook wallets") as control:
        one = decide_raise(control, raise_id, person_id=person, is_approved=is_approved, reason=reason)
        if one.status == "approved":
            _print_raise(console, control.registry(), one)
        else:
            console.print(f"raise {one.raise_id}: {one.status} by {one.decided_by}", markup=False)


def amount(text: str) -> Decimal:
    """USD that a person typed. Raises typer.BadParameter."""
    from decimal import Decimal, InvalidOperation

    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is no amount in USD, for example 50 or 12.50") from error
    if not found.is_finite() or found != round(found, 9):
        raise typer.BadParameter(f"{text!r} is no amount in USD with at most 9 decimals")
    return found


def moment(text: str, time_zone: str) -> dt.datetime:
    """A day (to its end) or a time that a person typed, in the company's zone unless it names one; as UTC.

    Raises typer.BadParameter.
    """
    from zoneinfo import ZoneInfo

    try:
        found = dt.datetime.fromisoformat(text)
        if len(text) == len("2026-11-30"):
            found += dt.timedelta(days=1)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither a day nor a time, for example 2026-11-30") from error
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(time_zone))).astimezone(dt.UTC)
