"""A build that lacks events of the log, or a builder that does not keep up, says so everywhere."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from app.build import Generation, build
from app.cli import app
from app.freshness import LIMIT, freshness
from app.standing import up_to_date
from app.upkeep.doctor import examine
from app.upkeep.exposition import WorkspaceCollector
from app.warehouse import Warehouse
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.test_warehouse_build import small as small  # the project of two models
from tests.warehouse_world import Scribe

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
"""Commands ask the clock."""


@pytest.fixture
def writer(workspace: Workspace) -> LogWriter:
    """Stays open: what it wrote is in no sealed file."""
    return LogWriter(workspace, recorded_via="app", process_name="test")


def news(log: LogWriter) -> None:
    Scribe(log).tell("signed_in", "11-02 09:00:00", person_id="ada")


def state(workspace: Workspace, after: dt.timedelta) -> str:
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    return freshness(workspace, warehouse, NOW + after).state


def finding(workspace: Workspace, now: dt.datetime) -> tuple[str, str]:
    (one,) = (one for one in examine(workspace, now) if one.subject == "warehouse")
    return one.state, one.words


def retold(made: Generation, **facts: object) -> None:
    """What the generation says of itself, as a slower machine would have written it."""
    file = made.path / "generation.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    file.chmod(0o644)
    file.write_text(json.dumps({**told, **facts}), encoding="utf-8")


def test_a_build_without_the_newest_events_is_behind_once_nobody_looked_for_so_long(
    workspace: Workspace, small: Path, writer: LogWriter
) -> None:
    news(writer)
    build(workspace, project=small, now=NOW)
    assert state(workspace, LIMIT * 100) == "fresh"  # nothing came: it is whole, however old
    news(writer)
    assert state(workspace, LIMIT) == "waiting"
    assert state(workspace, LIMIT + dt.timedelta(seconds=1)) == "behind"
    assert finding(workspace, NOW)[0] == "ok"
    told = finding(workspace, NOW + 2 * LIMIT)
    assert told[0] == "look"
    assert f"behind: what was recorded since {NOW:%Y-%m-%d %H:%M} UTC is in no build" in told[1]
    build(workspace, project=small, now=NOW + LIMIT)
    assert state(workspace, LIMIT * 100) == "fresh"


def test_a_builder_that_looks_in_vain_is_not_behind(
    workspace: Workspace, small: Path, writer: LogWriter
) -> None:
    build(workspace, project=small, now=NOW)
    assert up_to_date(workspace, small, NOW + LIMIT) is not None
    news(writer)
    assert state(workspace, LIMIT * 2) == "waiting"  # since the last look


@pytest.mark.parametrize(
    ("seconds", "minutes", "found"),
    [
        (90, 1.5, "slow"),  # 90 s of 90 s
        (81, 1.5, "slow"),  # nine tenths
        (80, 1.5, "fresh"),
        (59, 1.0, "fresh"),  # a build every minute takes less
        (90, 5.0, "fresh"),
    ],
)
def test_builds_that_take_longer_than_their_interval_say_so(
    seconds: float, minutes: float, found: str, workspace: Workspace, small: Path
) -> None:
    begun = NOW - dt.timedelta(hours=1)
    for number in range(3):
        at = begun + number * dt.timedelta(minutes=minutes)
        retold(build(workspace, project=small, now=at), seconds=seconds)
        assert number == 2 or state(workspace, dt.timedelta()) == "fresh"  # once may be chance
    assert state(workspace, dt.timedelta()) == found
    words = finding(workspace, NOW)[1]
    assert ("falling behind: a build takes" in words) == (found == "slow")


def test_the_command_and_the_monitoring_say_it(workspace: Workspace, writer: LogWriter) -> None:
    news(writer)
    build(workspace, now=NOW - 2 * LIMIT)
    values = CollectorRegistry(auto_describe=False)
    values.register(WorkspaceCollector(workspace))
    assert values.get_sample_value("fleetbook_warehouse_is_late") == 0
    news(writer)
    at = ["--workspace", str(workspace.root), "warehouse"]
    assert "Behind: what was recorded since" in CliRunner().invoke(app, at).output
    assert values.get_sample_value("fleetbook_warehouse_is_late") == 1
    took = values.get_sample_value("fleetbook_warehouse_build_seconds")
    assert took is not None
    assert took > 0
