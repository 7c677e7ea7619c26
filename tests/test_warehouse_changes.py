"""A build that goes on from the generation before gives what a build of the whole log gives: every column."""

from __future__ import annotations

import json
import random

import pytest

from app.build import Generation, build
from app.building.make import WORK_FILE
from ingest.contract import Value
from ingest.log.compact import compact
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.same_tables import tables_that_differ
from tests.test_warehouse_arrivals import deliver, told_by_the_world
from tests.warehouse_world import NOW, REGISTRY, Scribe, world

OF_THE_BUILD = {"build_info"}
"""Its number and its moment."""


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Value]]:
    return told_by_the_world(tmp_path_factory.mktemp("world") / "files")


@pytest.fixture
def company(workspace: Workspace) -> Workspace:
    workspace.registry_file.write_text(REGISTRY, encoding="utf-8")
    return workspace


def same_as_anew(workspace: Workspace, made: Generation) -> Generation:
    """Make all anew and compare; the next build goes on from that."""
    anew = build(workspace, now=NOW, is_full=True)
    assert anew.is_full
    assert tables_that_differ(made.path / "warehouse.duckdb", anew.path / "warehouse.duckdb") <= OF_THE_BUILD
    return anew


@pytest.mark.parametrize("seed", [20261123])
def test_whatever_arrives_gives_the_same_tables_as_the_whole_log(
    seed: int, company: Workspace, events: list[dict[str, Value]]
) -> None:
    chance = random.Random(seed)
    arrivals = [*events, *chance.sample(events, len(events) // 4)]  # a quarter comes twice
    chance.shuffle(arrivals)  # ends before their starts, children before their parents
    cuts = sorted(chance.sample(range(5, len(arrivals) - 5), 3))
    build(company, now=NOW)
    for begin, end in zip([0, *cuts], [*cuts, len(arrivals)], strict=True):
        deliver(company, arrivals[begin:end])
        made = build(company, now=NOW)
        assert not made.is_full
    compact(company, patience_s=0)
    with LogWriter(company, recorded_via="app", process_name="test", clock=lambda: NOW) as log:
        told = Scribe(log)
        told.tell("payload_erased", "11-09 09:00:00", run_id="clean", row_count=1, reason="asked for")
        waiting: dict[str, Value] = {"run_id": "waiting", "agent_id": "refunds"}
        told.tell("run_ended", "11-06 10:00:00", end_state="expired_waiting", **waiting)
        bad: dict[str, Value] = {"outcome_kind": "task_reward", "is_good": False}  # corrects what was seen
        told.tell("outcome_recorded", "11-09 09:00:00", run_id="clean", **bad)
        made = build(company, now=NOW)  # of an open writer
        assert not made.is_full
        held: dict[str, Value] = {"wallet_id": "team:support:month", "swept_nano_usd": 5}
        told.tell("hold_swept", "11-09 09:00:00", run_id="failed", turn_index=1, attempt=1, **held)
    made = build(company, now=NOW)
    assert not made.is_full
    same_as_anew(company, made)


def test_other_settings_and_lost_state_make_all_anew(company: Workspace) -> None:
    build(company, now=NOW)
    assert not build(company, now=NOW).is_full
    (company.build_dir / "kept" / WORK_FILE).unlink()
    assert build(company, now=NOW).is_full
    company.registry_file.write_text(REGISTRY.replace("Europe/Berlin", "Asia/Tokyo"), encoding="utf-8")
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
