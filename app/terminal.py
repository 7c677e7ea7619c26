"""The terminal: foreign text shown as text, money and runs as a person reads them.

Prompts, model answers and tool results may hold markup or control sequences; none of it is interpreted.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from runner.agent.progress import Progress, ToolDone, TurnDone, TurnText
from runner.control.purses import usd_text

if TYPE_CHECKING:
    from runner.agent.loop import Outcome
    from runner.control.approvals import Request
    from runner.control.plane import Control
    from runner.control.runs import Run

_KEPT = {"\n", "\t"}


def plain(text: str, *, limit: int | None = None) -> str:
    """``text`` without control characters; at most ``limit`` characters, cut with an ellipsis."""
    clean = "".join(sign if sign in _KEPT or sign.isprintable() else "�" for sign in text)
    return clean if limit is None or len(clean) <= limit else f"{clean[: limit - 1]}…"


def foreign(text: str, style: str = "", *, limit: int | None = None) -> Text:
    """Foreign text for rich: no markup, no control sequences."""
    return Text(plain(text, limit=limit), style=style)


def call_text(tool_name: str, arguments: Mapping[str, object]) -> str:
    """A tool call as a person reads it: ``refund_payment(order_id="W-2211", amount_usd="240")``."""
    inner = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in arguments.items()
    )
    return f"{tool_name}({inner})"


def print_header(console: Console, control: Control, run: Run) -> None:
    """Who runs what: one line at the beginning of a run."""
    registry = control.registry()
    agent = registry.agents[run.agent_id]
    person = registry.people.get(run.requested_by)
    console.print(
        Text.assemble(
            (plain(agent.name), "bold"),
            f" v{run.agent_version} · team {run.team_id} · {agent.risk.risk_class} risk · for ",
            plain(person.name if person else f"{run.requested_by}, who left"),
            (f"\nrun {run.run_id}", "dim"),
        )
    )


class ProgressPrinter:
    """Prints what a run tells while it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._has_said_wait = False
        self._arriving: tuple[int, int] | None = None

    def __call__(self, progress: Progress) -> None:
        """Print one piece of progress."""
        if isinstance(progress, TurnDone):
            self._has_said_wait = False
            self._turn(progress)
        elif isinstance(progress, ToolDone):
            self._tool(progress)
        elif isinstance(progress, TurnText):
            self._piece(progress)
        elif not self._has_said_wait:
            self._has_said_wait = True
            self._console.print(Text(f"  waits for room in wallet {progress.wallet_id} …", "yellow"))

    def _piece(self, piece: TurnText) -> None:
        """Text as it arrives, under its turn's number."""
        turn = (piece.turn_index, piece.attempt)
        if turn != self._arriving:
            self._arriving = turn
            attempt = f", attempt {piece.attempt}" if piece.attempt > 1 else ""
            self._console.print(Text(f"turn {piece.turn_index + 1}{attempt}", "bold"))
        self._console.print(foreign(piece.text), style="", soft_wrap=True, end="")

    def _turn(self, turn: TurnDone) -> None:
        cost = "cost unknown" if turn.cost_nano_usd is None else usd_text(turn.cost_nano_usd)
        tokens = (
            "" if turn.input_tokens is None else f"{turn.input_tokens:,} in, {turn.output_tokens:,} out · "
        )
        has_arrived = self._arriving == (turn.turn_index, turn.attempt)
        self._arriving = None
        if has_arrived:
            self._console.print()
            self._console.print(Text(f"  {tokens}{cost}", "dim"))
        else:
            attempt = f", attempt {turn.attempt}" if turn.attempt > 1 else ""
            head = Text(f"turn {turn.turn_index + 1}{attempt} ", "bold")
            self._console.print(head.append(f"{tokens}{cost}", "dim"))
        if turn.error:
            self._console.print(Text(f"  failed: {turn.error}", "red"))
        if turn.text and not has_arrived:
            self._console.print(foreign(turn.text), style="", soft_wrap=True)
        for name, arguments in turn.calls:
            self._console.print(foreign(f"  → {_call(name, arguments)}", "cyan", limit=400), soft_wrap=True)

    def _tool(self, tool: ToolDone) -> None:
        is_good = tool.outcome == "succeeded"
        took = "" if tool.duration_ns is None else f" {_duration(tool.duration_ns)}"
        head = Text("  ✓ " if is_good else "  ✗ ", "green" if is_good else "red")
        head.append(f"{plain(tool.tool_name)} {tool.outcome}{took}  ")
        self._console.print(
            head.append_text(foreign(tool.result, "dim", limit=200)), soft_wrap=True, highlight=False
        )


def print_outcome(console: Console, control: Control, outcome: Outcome) -> None:
    """Where a run stands: its answer, or what it waits for and the exact commands."""
    run = control.run(outcome.run_id)
    spent = usd_text(run.spent_nano_usd)
    if outcome.status == "ended":
        good = outcome.end_state == "completed"
        style = "bold green" if good else "bold red"
        console.print(Text(f"{outcome.end_state} · {spent}", style))
        if outcome.reason:
            console.print(foreign(outcome.reason), soft_wrap=True)
        return
    what = "a delegate" if outcome.reason == "delegate" else "a person"
    console.print(Text(f"waits for {what} · {spent} so far", "bold yellow"))
    if outcome.reason == "delegate":
        console.print("`fleetbook runs` shows it, and what it waits for itself.", markup=False)
    for request in outcome.requests:
        print_request(console, control, request)


def print_request(console: Console, control: Control, request: Request) -> None:
    """One request for a decision, who may decide it, and the two commands."""
    from runner.control.approvals import plain as as_data
    from runner.control.decisions import deciders

    registry = control.registry()
    with control.store.read() as connection:
        frozen = control.version(connection, request.agent_id, request.agent_version).frozen
    may_decide = deciders(registry, request, frozen, control.store.clock())
    stake = request.money_at_stake_nano_usd
    console.print(
        foreign(f"  {call_text(request.tool_name, as_data(request.arguments) or {})}", "cyan"), soft_wrap=True
    )
    waited = _age(control.store.clock() - request.requested_at)
    facts = [
        f"{frozen.risk.risk_class} risk",
        f"rule {request.rule_id}: {request.rule_text}",
        f"waits {waited}",
    ]
    if request.is_for_two:
        first = request.first_approved_by
        facts.append(f"1 of 2 approved, by {first}" if first else "0 of 2 approved")
    if stake is not None:
        facts.append(f"{usd_text(stake)} at stake")
    facts.append(f"lapses {request.expires_at:%Y-%m-%d %H:%M} UTC")
    console.print(foreign(f"  {' · '.join(facts)}", "dim"), soft_wrap=True)
    who = may_decide[0] if may_decide else "<person>"
    names = ", ".join(may_decide) or "nobody is declared who may"
    console.print(foreign(f"  may decide: {names}", "dim"), soft_wrap=True)
    console.print(foreign(f"  fleetbook approve {request.approval_id} --as {who}"), soft_wrap=True)
    console.print(
        foreign(f'  fleetbook reject  {request.approval_id} --as {who} --reason "…"'), soft_wrap=True
    )


def _call(name: str, arguments: str) -> str:
    try:
        data = json.loads(arguments)
    except json.JSONDecodeError:
        return f"{name}({arguments})"
    return call_text(name, data) if isinstance(data, dict) else f"{name}({arguments})"


def _age(span: dt.timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _duration(nanoseconds: int) -> str:
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
