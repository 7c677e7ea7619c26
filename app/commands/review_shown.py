"""How ``fleetbook review`` shows cards, verdicts and what a what-if changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from app.review.cards import Card
    from app.review.verdict import Verdict

STYLES = {"retire": "red", "refresh": "yellow", "promote": "green", "keep": "", "not_enough_data": "dim"}


def print_table(console: Console, cards: list[Card]) -> None:
    """A line per agent, and how many there are of each proposal."""
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
            Text(kind.replace("_", " "), STYLES[kind]),
            Text(card.subject.agent_id),
            f"{now.runs:,}",
            rate_text(now.success) if now.runs else "–",
            "–" if cost is None else f"{cost:.4f}",
            Text(card.proposal.reason),
        )
    console.print(table)


def print_card(console: Console, card: Card) -> None:
    """One agent with all its numbers."""
    from rich.text import Text

    from app.review.propose import counted, rate_text

    subject, now, before = card.subject, card.subject.figures(), card.subject.figures(1)
    kind = card.proposal.kind
    console.print(
        Text.assemble((subject.agent_name, "bold"), f" · {subject.agent_id} · team {subject.team_id}")
    )
    console.print(
        Text(f"{kind.replace('_', ' ')} (rule {card.proposal.rule}): {card.proposal.reason}", STYLES[kind])
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


def print_verdicts(console: Console, title: str, found: list[Verdict]) -> None:
    """Each measure with its word, its two values and the interval of their difference."""
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


def print_changes(console: Console, cards: list[Card], changed: list[Card]) -> None:
    """The proposals that other thresholds change."""
    from rich.text import Text

    after = {card.subject.agent_id: card.proposal for card in changed}
    moved = [card for card in cards if after[card.subject.agent_id].kind != card.proposal.kind]
    if not moved:
        console.print("No proposal would change.", markup=False)
    for card in moved:
        new = after[card.subject.agent_id]
        line = f"{card.subject.agent_id}: {card.proposal.kind} → {new.kind}: {new.reason}"
        console.print(Text(line.replace("_", " ")), soft_wrap=True)
