"""A build that goes on from the generation before gives what a build of the whole log gives: every column."""

from __future__ import annotations

import datetime as dt
import json
import random

import pytest
from typer.testing import CliRunner

from app.build import Generation, build
from app.building.make import WORK_FILE
from app.cli import app
from ingest.contract import Value, new_event_id
from ingest.log.compact import compact
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.workspace import Workspace
from tests.same_tables import copies_that_differ, tables_that_differ
from tests.test_warehouse_arrivals import deliver, told_by_the_world
from tests.warehouse_world import NOW, REGISTRY, Scribe, world

LONG_AGO = NOW - dt.timedelta(days=400)
OLD = ("--older-than-days", str((dt.datetime.now(dt.UTC) - NOW).days + 300))
"""Between long ago and the rest, whatever day it is."""
WHY = ("--reason", "it was asked for", "--as", "helena")
KEPT_BY_HELENA = REGISTRY.replace(
    "roles: {}\nteams: {}\npeople: {}\n",
    "roles: {officer: {scope: all, may: [sign_report]}}\n"
    "teams: {office: {name: Office, manager: helena, cost_center: '1'}}\n"
    "people: {helena: {name: Helena, team: office, role: officer}}\n",
)
OF_THE_BUILD = {"build_info"}
"""Its number and its moment."""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Value]]:
    return told_by_the_world(tmp_path_factory.mktemp("world") / "files")


@pytest.fixture
def company(workspace: Workspace) -> Workspace:
    workspace.registry_file.write_text(KEPT_BY_HELENA, encoding="utf-8")
    return workspace


def done(workspace: Workspace, *words: str) -> str:
    """What the command line says when it does it."""
    result = CliRunner().invoke(app, ["--workspace", str(workspace.root), *words])
    assert result.exit_code == 0, result.output
    return result.output


def writers_of(events: list[dict[str, Value]]) -> int:
    """Each writer tells of itself twice: opened and closed."""
    return len({(event["recorded_via"], event["is_demo"]) for event in events})


def tell_a_text(workspace: Workspace, run_id: str) -> None:
    """Write a message of the run with its text."""
    at = dt.datetime(2026, 11, 4, 9, tzinfo=dt.UTC)
    made = make_payload(f"a word to {run_id}", kind="message", occurred_at=at, run_id=run_id)
    said: dict[str, Value] = {"event_type": "message_recorded", "occurred_at": at, "message_role": "user"}
    with LogWriter(workspace, recorded_via="runner", process_name="test", clock=lambda: NOW) as log:
        about: dict[str, Value] = {"event_id": new_event_id(at), "run_id": run_id, "agent_id": "refunds"}
        log.append([{**about, **said, **made.columns}], [made.payload])


def same_as_anew(workspace: Workspace, made: Generation) -> Generation:
    """Make all anew and compare; the next build goes on from that."""
    anew = build(workspace, now=NOW, is_full=True)
    assert anew.is_full
    assert tables_that_differ(made.path / "warehouse.duckdb", anew.path / "warehouse.duckdb") <= OF_THE_BUILD
    assert copies_that_differ(made.path) == copies_that_differ(anew.path) == set()
    return anew


@pytest.mark.parametrize(("seed", "is_pruned"), [(20261123, True), (7, False), (41, False)])
def test_whatever_arrives_and_goes_gives_the_same_tables_as_the_whole_log(
    seed: int, is_pruned: bool, company: Workspace, events: list[dict[str, Value]]
) -> None:
    """Shuffled, a quarter twice, over several builds; erased between them, once pruned as well."""
    chance = random.Random(seed)
    arrivals = [*events, *chance.sample(events, len(events) // 4)]  # a quarter comes twice
    chance.shuffle(arrivals)  # ends before their starts, children before their parents
    cuts = sorted(chance.sample(range(5, len(arrivals) - 5), 4))
    old, *parts = [arrivals[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(arrivals)], strict=True)]
    deliver(company, old, LONG_AGO)
    deliver(company, parts[0])
    build(company, now=NOW)
    if is_pruned:
        told_events = f"{len(old) + 2 * writers_of(old):,} events"
        assert told_events in done(company, "log", "prune", *WHY, *OLD, "--delete")
        deliver(company, parts[1])
        assert build(company, now=NOW).is_full  # what is gone takes its rows with it
    else:
        deliver(company, parts[1])
    runs = chance.sample(["clean", "failed", "quote"], 2)
    for run_id in runs:
        tell_a_text(company, run_id)
    deliver(company, parts[2])
    assert "Erased and recorded: 1 text" in done(company, "log", "erase", *WHY, "--run", runs[0])
    with LogWriter(company, recorded_via="app", process_name="test", clock=lambda: NOW) as log:
        told = Scribe(log)
        waiting: dict[str, Value] = {"run_id": "waiting", "agent_id": "refunds"}
        told.tell("run_ended", "11-06 10:00:00", end_state="expired_waiting", **waiting)
        bad: dict[str, Value] = {"outcome_kind": "task_reward", "is_good": False}  # corrects what was seen
        told.tell("outcome_recorded", "11-09 09:00:00", run_id="clean", **bad)
        assert not build(company, now=NOW).is_full  # of an open writer
        held: dict[str, Value] = {"wallet_id": "team:support:month", "swept_nano_usd": 5}
        told.tell("hold_swept", "11-09 09:00:00", run_id="failed", turn_index=1, attempt=1, **held)
    deliver(company, parts[3])
    compact(company, patience_s=0)
    made = build(company, now=NOW)
    assert not made.is_full
    same_as_anew(company, made)


def test_a_month_in_which_nothing_changed_is_the_file_of_the_generation_before(company: Workspace) -> None:
    def tell_run(run_id: str, day: str) -> None:
        with LogWriter(company, recorded_via="app", process_name="test", clock=lambda: NOW) as log:
            run = Scribe(log).run(run_id, "support", "refunds", "jon", f"{day} 10:00:00")
            run.tell("run_started", f"{day} 10:01:00")
            run.tell("run_ended", f"{day} 10:02:00", end_state="completed")

    tell_run("in september", "09-10")
    tell_run("in october", "10-10")
    before = build(company, now=NOW).path / "marts" / "fct_runs.parquet"
    tell_run("in october, too", "10-11")
    made = build(company, now=NOW)
    after = made.path / "marts" / "fct_runs.parquet"
    assert not made.is_full
    assert {file.name for file in after.iterdir()} == {"2026-09.parquet", "2026-10.parquet"}
    assert (after / "2026-09.parquet").samefile(before / "2026-09.parquet")
    assert not (after / "2026-10.parquet").samefile(before / "2026-10.parquet")
    assert copies_that_differ(made.path) == set()


def test_other_settings_and_lost_state_make_all_anew(company: Workspace) -> None:
    build(company, now=NOW)
    assert not build(company, now=NOW).is_full
    (company.build_dir / "kept" / WORK_FILE).unlink()
    assert build(company, now=NOW).is_full
    company.registry_file.write_text(KEPT_BY_HELENA.replace("Europe/Berlin", "Asia/Tokyo"), encoding="utf-8")
    assert build(company, now=NOW).is_full
    assert not build(company, now=NOW).is_full


def test_a_model_by_run_looks_at_nothing_that_other_runs_change() -> None:
    nodes = json.loads((world().generation.path / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    models = {key: node for key, node in nodes.items() if node["resource_type"] == "model"}
    by_run = {key for key, node in models.items() if node["config"]["meta"].get("by") == "run"}
    assert len(by_run) > 20
    for key in by_run:
        for name in set(models[key]["depends_on"]["nodes"]) & models.keys() - by_run:
            # families of the log; and the clock, which ends no run but those that are not over
            assert models[name]["path"].startswith("staging/") or name.endswith(".int_populations_counted")
