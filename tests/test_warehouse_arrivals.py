"""However events arrive – late, in any order, twice, over several builds – the tables end up the same."""

from __future__ import annotations

import datetime as dt
import random
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from app.build import build
from ingest.contract import Value, parse_body
from ingest.log.writer import LogWriter
from ingest.reader import snapshot
from ingest.workspace import Workspace
from tests.same_tables import tables_that_differ
from tests.warehouse_world import NOW, REGISTRY, world

OF_THE_LOG_ITSELF = {"build_info", "fct_check_findings", "rpt_check_months"}
"""Tables that tell of writers and checkpoints, which are others when the same events come another way."""


def told_by_the_world(folder: Path) -> list[dict[str, Value]]:
    """The events of the world that are not the log's own."""
    files = ", ".join(f"'{file}'" for file in snapshot(world().workspace, folder).files)
    with duckdb.connect() as memory:
        bodies = memory.execute(f"select distinct body from read_parquet([{files}]) order by body").fetchall()
    events = [parse_body(body) for (body,) in bodies]
    return [event for event in events if not str(event["event_type"]).startswith("writer_")]


def deliver(workspace: Workspace, events: list[dict[str, Value]], recorded_at: dt.datetime = NOW) -> None:
    """Write ``events`` in their order, each by the way in that it first came by."""
    with ExitStack() as stack:
        writers: dict[tuple[str, bool], LogWriter] = {}
        for event in events:
            way = (str(event["recorded_via"]), bool(event["is_demo"]))
            if way not in writers:
                opened = LogWriter(
                    workspace,
                    recorded_via=way[0],
                    process_name="test",
                    is_demo=way[1],
                    clock=lambda: recorded_at,
                )
                writers[way] = stack.enter_context(opened)
            placed = ("writer_id", "seq", "recorded_at", "recorded_via", "is_demo")
            writers[way].append([{name: cell for name, cell in event.items() if name not in placed}])


@pytest.mark.parametrize("seed", [20261122])
def test_any_way_of_arriving_gives_the_same_tables(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    events = told_by_the_world(tmp_path / "files")
    arrivals = [*events, *chance.sample(events, len(events) // 10)]
    chance.shuffle(arrivals)
    workspace = Workspace.create(tmp_path / "again")
    workspace.registry_file.write_text(REGISTRY, encoding="utf-8")
    cut = chance.randrange(len(arrivals) // 4, len(arrivals) // 2)
    for part in (arrivals[:cut], arrivals[cut:]):
        deliver(workspace, part)
        made = build(workspace, now=NOW)
    differing = tables_that_differ(world().warehouse.file, made.path / "warehouse.duckdb")
    assert differing <= OF_THE_LOG_ITSELF
