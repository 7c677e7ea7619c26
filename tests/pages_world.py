"""A small demo company for the page tests: a history, live runs, a request that waits, hostile texts.

Made once per test session, through the same steps as ``fleetbook demo``. Hostile texts and names are one more
demo run, written through the log writer: whatever an agent, a tool or a person says must stay text.
"""

from __future__ import annotations

import atexit
import datetime as dt
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from app.build import build
from app.demo import making, state
from app.demo.state import State
from app.demo.story import make_plan
from ingest.contract import Value, new_event_id
from ingest.log.writer import LogWriter
from ingest.payloads import Payload, make_payload
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.registry_extras import Schedule
from runner.control.registry_file import load_registry
from runner.control.schedule_changes import add_schedule
from runner.control.schedules import fire_due

LEAD, ANALYST, OFFICER = "ada-winter", "theo-keller", "helena-brandt"
MANAGERS = {
    "support": "mara-lindt",
    "finance": "greta-olsen",
    "sales": "marco-bellini",
    "marketing": "lena-hofer",
}
# The demo company has no auditor: this one is declared beside it.
AUDITOR, USER = "nora-quist", "jon-vass"
PEOPLE = (LEAD, *MANAGERS.values(), OFFICER, ANALYST, AUDITOR)
TODAY_VIEWS = ("home", "approvals")
FLEET_VIEWS = ("fleet", "agents", "agent", "runs", "run", "schedules")
ASSURANCE_VIEWS = ("compliance", "review", "access", "health", "log_export")
VIEWS = (*TODAY_VIEWS, *FLEET_VIEWS, "teams", "spend", *ASSURANCE_VIEWS, "data")

HOSTILE = (
    "<script>document.title='owned'</script><img src=http://evil.test/i.png onerror=alert(1)>"
    "![beacon](http://evil.test/b.png) [Approve now](http://evil.test/a) $E=mc^2$ "
    "<iframe srcdoc='<img src=http://evil.test/f.png>'></iframe> :material/home: =HYPERLINK(\"http://evil.test\")"
)
HOSTILE_AGENT = "![a](http://evil.test/agent.png)<b>bold</b>"
HOSTILE_RUN = "run-![r](http://evil.test/run.png)"


@lru_cache(maxsize=1)
def demo() -> Workspace:
    """The demo workspace, built."""
    folder = Path(tempfile.mkdtemp(prefix="fleetbook-pages-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = folder / "workspace"
    whole = make_plan(dt.datetime.now(dt.UTC), "Europe/Berlin")
    workspace = Workspace(root)
    workspace.wal_dir.mkdir(parents=True)
    plan = replace(whole, runs=1_500, start=whole.end - dt.timedelta(days=25))
    state.save(workspace, State(plan=plan, caps={}))
    workspace, made = making.begin(root, dt.datetime.now(dt.UTC))
    making.declare(workspace, made)
    made = making.tell_history(workspace, made, _quiet)
    # In a thread of its own: beside a browser under test this one has an event loop already.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(making.play_live, workspace, made, _quiet).result()
    _declare_auditor(workspace)
    _tell_hostile(workspace)
    _miss_schedules(workspace)
    build(workspace)
    return workspace


def copy(folder: Path) -> Workspace:
    """A copy of the demo workspace for a test that decides or changes something."""
    shutil.copytree(demo().root, folder, symlinks=True)
    return Workspace.open(folder)


def _declare_auditor(workspace: Workspace) -> None:
    """A role and a person more in the registry."""
    text = workspace.registry_file.read_text(encoding="utf-8")
    for before, more in (
        ("  compliance_officer: {", "  auditor: {scope: all, may: [view_metrics, export_data]}"),
        ("  theo-keller: {", f"  {AUDITOR}: {{name: Nora Quist, team: platform, role: auditor}}"),
    ):
        assert before in text
        text = text.replace(before, f"{more}\n{before}")
    workspace.registry_file.write_text(text, encoding="utf-8")
    with Control(workspace, process_name="page tests") as control:
        control.apply(load_registry(workspace.registry_file))
        control.relay.flush()


def _miss_schedules(workspace: Workspace) -> None:
    """A daily schedule per team with a manager, declared three days ago, for which nobody was there."""
    now = dt.datetime.now(dt.UTC)
    then = [now - dt.timedelta(days=3)]
    with Control(workspace, process_name="page tests", clock=lambda: then[0]) as control:
        agents = {agent.team: name for name, agent in control.registry().agents.items()}
        for team, manager in MANAGERS.items():
            declared = Schedule(
                agent=agents[team], cron="0 6 * * *", task="Look.", run_as=manager, misfire="skip"
            )
            add_schedule(control, f"{team}-daily", declared, by=manager)
        fire_due(control)
        then[0] = now
        fire_due(control)
        control.relay.flush()


def _quiet(_what: str, _done: int, _of: int) -> None:
    return None


def _tell_hostile(workspace: Workspace) -> None:
    """One run of the support team in which every text and name is an attack on the reader."""
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)
    about: dict[str, Value] = {
        "run_id": HOSTILE_RUN,
        "agent_id": HOSTILE_AGENT,
        "team_id": "support",
        "actor_id": HOSTILE[:60],
    }
    call: dict[str, Value] = {"call_index": 0, "tool_name": HOSTILE_AGENT, "called_by": "agent"}
    model: dict[str, Value] = {
        "turn_index": 0,
        "attempt": 1,
        "provider_name": "sim",
        "requested_model": HOSTILE[:80],
    }
    steps: tuple[tuple[str, dict[str, Value], str], ...] = (
        ("run_requested", {"trigger_kind": "person"}, "task"),
        ("run_started", {}, ""),
        ("turn_requested", model, ""),
        (
            "turn_finished",
            {**model, "input_tokens": 9, "output_tokens": 9, "finish_reason": HOSTILE[:40]},
            "turn",
        ),
        ("tool_call_requested", {**call, "tool_effect": "read"}, "arguments"),
        ("tool_call_finished", {**call, "tool_outcome": "failed", "error_type": HOSTILE[:90]}, "result"),
        ("run_ended", {"end_state": "failed", "reason": HOSTILE, "declared_event_count": 7}, "answer"),
    )
    events: list[dict[str, Value]] = []
    texts: list[Payload] = []
    for second, (event_type, columns, kind) in enumerate(steps):
        at = begin + dt.timedelta(seconds=second)
        event: dict[str, Value] = {"event_id": new_event_id(at), "event_type": event_type, "occurred_at": at}
        event |= about | columns
        if kind:
            made = make_payload(HOSTILE, kind=kind, occurred_at=at, run_id=HOSTILE_RUN)
            texts.append(made.payload)
            event |= made.columns
        events.append(event)
    with LogWriter(workspace, recorded_via="demo", is_demo=True, process_name="page tests") as writer:
        writer.append(events, texts)
