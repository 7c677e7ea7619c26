"""Makes the demo workspace, step by step; what is done is skipped, what was interrupted is carried on."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from app.demo import habits, live, state
from app.demo.assured import happenings
from app.demo.cast import Cast
from app.demo.days import Days, Wallet, spend_by_wallet
from app.demo.history import tell
from app.demo.money import sales_caps, with_caps
from app.demo.stages import apply_stages, declared_versions, stages
from app.demo.state import State
from app.demo.story import make_plan
from app.errors import DemoRefused
from app.review.rules import FILE_NAME, shipped_text
from ingest.workspace import MARKER, Workspace
from runner.control.plane import Control
from runner.control.purses import nano
from runner.control.registry import Registry
from runner.control.registry_file import load_registry, parse_registry
from runner.control.slot_history import record_past_slots

# Minutes that one success saves, as the demo company declares them, by template.
MINUTES = {
    "back-office-check": 5,
    "brand-writer": 25,
    "document-intake": 8,
    "meeting-minutes": 15,
    "payment-with-approval": 6,
    "policy-answers": 4,
    "refund-with-approval": 7,
    "research-brief": 20,
    "status-report": 20,
    "ticket-helper": 5,
}
REGISTRY = Path(__file__).with_name("registry.yaml")
# The day on which the review dates in registry.yaml were written; they move with the day of the demo.
WRITTEN_ON = dt.date(2026, 11, 22)
REVIEW_BY = re.compile(r"review_by: (\d{4}-\d{2}-\d{2})")

Progress = Callable[[str, int, int], None]
"""Called within a step with what is being done, how much of it is done and how much there is."""


def begin(root: Path, now: dt.datetime) -> tuple[Workspace, State]:
    """The demo workspace at ``root``, made if there is none, and how far it is.

    Raises DemoRefused when something else lies there.
    """
    workspace = Workspace(root.resolve())
    found = state.load(workspace) if workspace.root.is_dir() else None
    if found is None:
        _refuse_what_is_not_ours(workspace)
        # The mark comes first: a demo that was interrupted here is still known as one.
        workspace.wal_dir.mkdir(parents=True, exist_ok=True)
        zone = load_registry(REGISTRY).company.time_zone
        plan = make_plan(now, zone)
        found = state.save(workspace, State(plan=plan, caps=sales_caps(plan, _registry(now, {}))))
    return Workspace.create(root), found


def _refuse_what_is_not_ours(workspace: Workspace) -> None:
    root = workspace.root
    if (root / MARKER).exists():
        raise DemoRefused(
            f"Demo not made: {root} is a workspace of your own and stays as it is. "
            "Name an empty folder, for example `fleetbook demo --workspace demo`."
        )
    if root.exists() and any(root.iterdir()):
        raise DemoRefused(
            f"Demo not made: {root} is not empty and is no demo workspace. "
            "Name an empty folder, for example `fleetbook demo --workspace demo`."
        )


def declare(workspace: Workspace, made: State) -> Registry:
    """Write registry.yaml unless it is there, and apply it as it changed over the history."""
    text = _text(made.plan.end, made.caps)
    if not workspace.registry_file.exists():
        temporary = workspace.registry_file.with_suffix(".yaml.tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(workspace.registry_file)
        _declare_minutes(workspace)
    if not made.is_history_done:
        registry = parse_registry(text, workspace.registry_file)
        earlier = _registry(made.plan.end, {}).budgets
        apply_stages(workspace, stages(made.plan, registry, earlier))
    return load_registry(workspace.registry_file)


def _declare_minutes(workspace: Workspace) -> None:
    """The company's own rules of the review: the shipped ones, and the minutes that each template saves."""
    nobody, declared = "minutes_saved_per_success: {}", yaml.safe_dump({"minutes_saved_per_success": MINUTES})
    text = shipped_text()
    assert nobody in text
    text = text.replace(nobody, declared.strip().replace("\n", "\n  "))
    (workspace.root / FILE_NAME).write_text(text, encoding="utf-8")


def tell_history(workspace: Workspace, made: State, progress: Progress) -> State:
    """Write the history and give the wallets what it spent in the running month."""
    if made.is_history_done:
        return made
    made = state.save(workspace, replace(made, has_begun=True))
    registry = _registry(made.plan.end, made.caps)
    cast = Cast(made.plan, registry, declared_versions(workspace))
    days = Days(made.plan, registry, cast, _wallet(registry, made))
    told = tell(
        workspace,
        made.plan,
        days,
        happenings(made.plan, registry, cast),
        lambda done, of, events: progress(f"{events:,} events", done, of),
    )
    spent = spend_by_wallet(told.spent, registry)
    with Control(workspace, process_name="fleetbook demo") as control:
        for wallet_id, nano_usd in spent.items():
            control.record_imported_spend(wallet_id, made.plan.month_start, nano_usd)
        record_past_slots(control, told.slots)
        control.relay.flush()
    return state.save(workspace, replace(made, is_history_done=True, spent=spent))


def play_live(workspace: Workspace, made: State, progress: Progress) -> State:
    """The live runs; afterwards one request waits for a person."""
    if made.is_live_done:
        return made

    def remember(run_id: str) -> None:
        nonlocal made
        made = state.save(workspace, replace(made, live_runs=(*made.live_runs, run_id)))

    def show(agent_id: str) -> None:
        progress(agent_id, len(made.live_runs), len(live.SCENES))

    live.play(workspace, made.live_runs, remember, show)
    return state.save(workspace, replace(made, is_live_done=True))


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Be the only maker of the demo at ``root``, which is a folder from here on.

    Raises DemoRefused when another one is at work, ``root`` is a file, or the control store lies elsewhere.
    """
    import fcntl

    if os.environ.get("FLEETBOOK_CONTROL_URL"):
        raise DemoRefused(
            "Demo not made: FLEETBOOK_CONTROL_URL names a control store outside the workspace. "
            "Unset it for the demo, so that nothing of it reaches the other store."
        )
    if root.exists() and not root.is_dir():
        raise DemoRefused(
            f"Demo not made: {root} is a file. Name a folder, for example `fleetbook demo --workspace demo`."
        )
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root.resolve(), os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise DemoRefused(
            f"Demo not made: another `fleetbook demo` is working on {root}. "
            "Wait for it, or name another folder with --workspace."
        ) from error
    try:
        yield
    finally:
        os.close(handle)


def _wallet(registry: Registry, made: State) -> Wallet | None:
    """The agent's wallet that runs out this month, if the month is old enough for that."""
    cap = made.caps.get(f"agent:{habits.OVER_BUDGET_AGENT}")
    if cap is None:
        return None
    budgets = {budget.wallet: budget for budget in registry.budgets}
    declared = budgets[f"agent:{habits.OVER_BUDGET_AGENT}"].cap_usd
    assert declared is not None  # the demo's registry gives this wallet a cap
    return Wallet(habits.OVER_BUDGET_AGENT, nano(declared))


def _registry(now: dt.datetime, caps: dict[str, str]) -> Registry:
    return parse_registry(_text(now, caps), REGISTRY)


def _text(now: dt.datetime, caps: dict[str, str]) -> str:
    """The registry file with these caps, and its review dates as far ahead as on the day it was written."""
    shift = now.date() - WRITTEN_ON

    def moved(found: re.Match[str]) -> str:
        return f"review_by: {(dt.date.fromisoformat(found[1]) + shift).isoformat()}"

    return with_caps(REVIEW_BY.sub(moved, REGISTRY.read_text(encoding="utf-8")), caps)
