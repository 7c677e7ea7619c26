"""A company whose agents were reviewed for 2025Q3: two refreshes on trial, every number countable by hand.

agent         2025Q3 (v1)                    trial, October, old arm (v1)   new arm (v2)
triage-agent  40 runs, 30 completed          30 runs, 18 completed          30 runs, 30 completed
refund-agent  40 runs, 30 completed          30 runs, 30 completed          30 runs, 18 completed

Failed runs time out. Each run costs a cent. The first ten runs of July belong to eva-sol of sales.
"""

from __future__ import annotations

import atexit
import datetime as dt
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from app.build import build
from app.review.concerns import EVERYTHING
from app.warehouse import Scoped, Warehouse
from ingest.contract import Value, new_event_id
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from runner.control import agent_changes, refreshes, reviews
from runner.control.plane import Control
from runner.control.reviews import Wish
from tests.runner_company import company

RIGHTS = (
    "export_data, apply_registry]",
    "export_data, apply_registry, change_agents, change_people, change_schedules, sign_report]",
)
AGENTS = ("triage-agent", "refund-agent")
JULY = dt.datetime(2025, 7, 1, 12, tzinfo=dt.UTC)
DECIDED = dt.datetime(2025, 10, 1, 12, tzinfo=dt.UTC)
OCTOBER = dt.datetime(2025, 10, 2, 12, tzinfo=dt.UTC)
JUDGE_AT = dt.datetime(2025, 11, 1, tzinfo=dt.UTC)
CENT = 10_000_000


class Clock:
    """A clock that the test sets."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now


@lru_cache(maxsize=1)
def world() -> Workspace:
    """The workspace, built once per test session; copy it to change it."""
    folder = Path(tempfile.mkdtemp(prefix="fleetbook-review-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    workspace = Workspace.create(folder / "workspace")
    clock = Clock(dt.datetime(2025, 6, 1, tzinfo=dt.UTC))
    with company(workspace, RIGHTS, clock=clock) as control:
        clock.now = DECIDED
        for agent_id in AGENTS:
            _try(control, agent_id)
    with LogWriter(workspace, recorded_via="runner", process_name="review tests") as writer:
        for agent_id in AGENTS:
            _quarter(writer, agent_id)
        _arm(writer, "triage-agent", "old", 30, 18)
        _arm(writer, "triage-agent", "new", 30, 30)
        _arm(writer, "refund-agent", "old", 30, 30)
        _arm(writer, "refund-agent", "new", 30, 18)
    build(workspace)
    return workspace


def copy(folder: Path) -> Workspace:
    """A copy of the world for a test that decides or tells something."""
    shutil.copytree(world().root, folder, symlinks=True)
    return Workspace.open(folder)


def whole(workspace: Workspace) -> Scoped:
    """Everything in the workspace's build."""
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    return warehouse.for_person(EVERYTHING)


def tell_run(
    writer: LogWriter,
    agent_id: str,
    at: dt.datetime,
    *,
    version: int = 1,
    person: str = "jon-vass",
    is_good: bool = True,
    **columns: Value,
) -> str:
    """One run of half a minute that costs a cent; returns its id."""
    run_id = new_event_id(at)
    about: dict[str, Value] = {
        "run_id": run_id,
        "agent_id": agent_id,
        "agent_version": version,
        "team_id": "support",
        "actor_id": person,
    }
    model: dict[str, Value] = {
        "turn_index": 0,
        "attempt": 1,
        "provider_name": "sim",
        "requested_model": "triage",
    }
    end: dict[str, Value] = (
        {"end_state": "completed"} if is_good else {"end_state": "failed", "error_type": "Timeout"}
    )
    steps: tuple[tuple[str, dict[str, Value]], ...] = (
        ("run_requested", {"trigger_kind": "person", **columns}),
        ("run_started", {}),
        ("turn_requested", model),
        ("turn_finished", {**model, "input_tokens": 9, "output_tokens": 9, "list_cost_nano_usd": CENT}),
        ("run_ended", end),
    )
    writer.append(
        [
            {
                "event_id": new_event_id(at + dt.timedelta(seconds=6 * second)),
                "event_type": event_type,
                "occurred_at": at + dt.timedelta(seconds=6 * second),
                **about,
                **more,
            }
            for second, (event_type, more) in enumerate(steps)
        ]
    )
    return run_id


def _try(control: Control, agent_id: str) -> None:
    wish = Wish(
        agent_id=agent_id,
        review_period="2025Q3",
        decision="refresh",
        person_id="mara-lindt",
        reason="it times out",
    )
    reviews.decide(control, wish)
    agent_changes.set_fields(control, agent_id, {"instructions": "You answer soon."}, by="priya-nair")
    refreshes.start(control, agent_id, "mara-lindt", share_percent=50, judge_at=JUDGE_AT)


def _quarter(writer: LogWriter, agent_id: str) -> None:
    for number in range(40):
        day = JULY + dt.timedelta(days=number)
        person = "eva-sol" if number < 10 else "jon-vass"
        tell_run(writer, agent_id, day, person=person, is_good=number % 4 != 3)


def _arm(writer: LogWriter, agent_id: str, arm: str, count: int, good: int) -> None:
    for number in range(count):
        tell_run(
            writer,
            agent_id,
            OCTOBER + dt.timedelta(hours=number),
            version=2 if arm == "new" else 1,
            is_good=number < good,
            trial_id=f"{agent_id}/2025Q3",
            trial_arm=arm,
        )
