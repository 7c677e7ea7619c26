"""The lake as analysts read it: one run is in few row groups, nothing is counted twice, builds go on."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from app.build import Step, build
from ingest.log.compact import TODAY_FILES, compact
from ingest.log.disk import file_sha256
from ingest.log.lake import reading
from ingest.log.upkeep import keep_in_order
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.reader import run_events
from ingest.workspace import Workspace
from tests.log_events import manifest_entries, started, write_manifest, write_runs
from tests.log_kills import tomorrow

AGENTS = 12
RUNS = 20  # of each agent, all at the same time: their ids overlap
GROUP_ROWS = 200
EVENTS = AGENTS * RUNS * 5


@pytest.fixture(scope="module")
def compacted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compacted file of 1,200 events of 12 agents with 20 runs each, in groups of 200 rows."""
    workspace = Workspace.create(tmp_path_factory.mktemp("layout") / "workspace")
    for part in range(5):
        with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
            writer.append(
                [
                    started(f"run-{run:03d}-{agent:02d}", part, agent_id=f"agent-{agent:02d}")
                    for run in range(RUNS)
                    for agent in range(AGENTS)
                ]
            )
    assert len(compact(workspace, group_rows=GROUP_ROWS, clock=tomorrow).records) == 1
    (file,) = workspace.lake_dir.rglob("*.parquet")
    return file


def groups_that_may_hold(file: Path, column: str, wanted: str) -> set[int]:
    """Row groups whose statistics, and whose Bloom filter as DuckDB reads it, do not exclude ``wanted``."""
    metadata = pq.ParquetFile(file).metadata
    place = pq.read_schema(file).get_field_index(column)
    found = set()
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(place).statistics
        if statistics.has_min_max and statistics.min <= wanted <= statistics.max:
            found.add(group)
    probed = duckdb.sql(
        f"select row_group_id from parquet_bloom_probe('{file}', '{column}', '{wanted}') "
        "where bloom_filter_excludes"
    )
    return found - {row[0] for row in probed.fetchall()}


def test_one_agent_and_one_run_are_in_few_row_groups(compacted: Path) -> None:
    groups = pq.ParquetFile(compacted).metadata.num_row_groups
    assert groups >= 6
    for agent in ("agent-00", "agent-05", "agent-11"):
        assert len(groups_that_may_hold(compacted, "agent_id", agent)) <= 2
    # By statistics alone a run may be in every group: ids of all agents overlap.
    touched = [
        len(groups_that_may_hold(compacted, "run_id", f"run-{run:03d}-{agent:02d}"))
        for run in range(RUNS)
        for agent in range(AGENTS)
    ]
    assert max(touched) <= 3
    assert sum(touched) <= 1.2 * len(touched)


def test_the_days_of_the_lake_are_its_folders(compacted: Path) -> None:
    (row,) = duckdb.sql(
        f"select count(*), min(recorded_at)::date = max(recorded_date)::date "
        f"from read_parquet('{compacted.parent.parent}/*/*.parquet', hive_partitioning=true)"
    ).fetchall()
    assert row == (EVENTS + 5 * 2, True)


def counts(workspace: Workspace) -> tuple[int, int]:
    """The number of rows that DuckDB and polars find under the documented glob."""
    glob = f"{workspace.lake_dir}/*/*.parquet"
    (by_duckdb,) = duckdb.sql(f"select count(*) from read_parquet('{glob}', union_by_name=true)").fetchall()[
        0
    ]
    scan = pl.scan_parquet(glob, missing_columns="insert", extra_columns="ignore")
    by_polars = scan.select(pl.len()).collect().item()
    return by_duckdb, by_polars


def test_the_documented_glob_counts_every_event_once_while_readers_read(workspace: Workspace) -> None:
    for name in ("r1", "r2", "r3"):
        write_runs(workspace, name, 4)
    assert counts(workspace) == (18, 18)
    with reading(workspace):
        assert compact(workspace, patience_s=0, clock=tomorrow).is_postponed
        assert counts(workspace) == (18, 18)
    assert compact(workspace, patience_s=0, clock=tomorrow).records
    assert counts(workspace) == (18, 18)
    assert len(run_events(workspace, "r2")) == 4


def test_files_of_older_releases_with_fewer_columns_are_compacted_and_read(workspace: Workspace) -> None:
    for name in ("r1", "r2"):
        write_runs(workspace, name, 4)
    old = next(workspace.lake_dir.rglob("*.parquet"))
    rows = pq.read_table(old, partitioning=None).drop_columns(["warnings", "span_count"])
    pq.write_table(rows, old)
    entries = manifest_entries(workspace)
    for entry in entries:
        if entry["file"].endswith(old.name):
            entry["file_sha256"] = file_sha256(old)
    write_manifest(workspace, entries)
    assert counts(workspace) == (12, 12)
    assert compact(workspace, clock=tomorrow).records
    assert counts(workspace) == (12, 12)


def test_a_compaction_by_hand_does_not_disturb_a_build_and_a_busy_day_is_compacted_by_itself(
    workspace: Workspace,
) -> None:
    for number in range(3):
        write_runs(workspace, f"r{number}", 1)
    by_hand: list[int] = []

    def compact_once(step: Step) -> None:
        if not by_hand:
            by_hand.append(len(compact(workspace, clock=tomorrow).records))
            for number in range(TODAY_FILES):
                write_runs(workspace, f"later{number}", 1)

    made = build(workspace, progress=compact_once)
    assert (by_hand, made.event_count) == ([1], 3 * 3)
    assert made.upkeep == f"Compacted {TODAY_FILES + 1} files of the log into 1."
    assert len(list(workspace.lake_dir.rglob("*.parquet"))) == 1
    assert {finding.code for finding in verify(workspace).findings} == {"checkpoint_missing"}


def test_a_quiet_day_waits_for_more(workspace: Workspace) -> None:
    for number in range(3):
        write_runs(workspace, f"r{number}", 1)
    assert keep_in_order(workspace) == ""
    assert len(list(workspace.lake_dir.rglob("*.parquet"))) == 3


def test_upkeep_lets_readers_and_other_maintenance_go_on(workspace: Workspace) -> None:
    for number in range(TODAY_FILES + 1):
        write_runs(workspace, f"r{number}", 1)
    with reading(workspace):
        assert keep_in_order(workspace) == ""
    other = os.open(workspace.lake_dir / ".maintenance.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    assert keep_in_order(workspace) == ""
    os.close(other)
    damaged = next(workspace.lake_dir.rglob("*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert "differs from what was sealed" in keep_in_order(workspace)


def test_the_reader_of_record_sees_a_flipped_bit_by_the_page_checksum_alone(compacted: Path) -> None:
    chunk = (
        pq.ParquetFile(compacted)
        .metadata.row_group(0)
        .column(pq.read_schema(compacted).get_field_index("seq"))
    )
    first = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(compacted.read_bytes())
    content[first + chunk.total_compressed_size - 2] ^= 4
    rotten = compacted.parent.parent / "rotten"
    rotten.write_bytes(content)
    with (
        pq.ParquetFile(rotten, page_checksum_verification=True) as file,
        pytest.raises(OSError, match="CRC checksum"),
    ):
        file.read_row_group(0, columns=["seq"])
