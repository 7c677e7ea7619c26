"""The checks that hashes decide: each of nine damaged logs is found by its check and by no other one.

A damage is made before the log is signed, so that nothing but the damage itself can be found.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from app.checks.integrity import CHECKS, inspect_log
from ingest.contract import canonical_body, parse_body
from ingest.log.checkpoint import notarise
from ingest.log.disk import file_sha256
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.log_events import manifest_entries, rewrite_rows, started, write_manifest, write_runs

YEARS = 3650.0
Damage = Callable[[Workspace], object]


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two closed writers of 20 events with two texts each; the first one's file is the first in the lake."""
    workspace = Workspace.create(tmp_path_factory.mktemp("log") / "workspace")
    for name in ("run-a", "run-b"):
        write_runs(workspace, name, 20, payload_every=10)
    return workspace


def reseal(workspace: Workspace, change: Callable[[list[dict[str, Any]]], object], **stated: object) -> None:
    """Change the rows of the first file and make the manifest agree with its bytes, and with ``stated``."""
    entries = manifest_entries(workspace)
    path = workspace.lake_dir / entries[0]["file"]
    rows = pq.read_table(path).to_pylist()
    change(rows)
    rewrite_rows(path, rows)
    entries[0] |= {"file_bytes": path.stat().st_size, "file_sha256": file_sha256(path), **stated}
    write_manifest(workspace, entries)


def other_body(rows: list[dict[str, Any]]) -> None:
    body = canonical_body({**parse_body(rows[5]["body"]), "agent_id": "other"})
    rows[5] |= {"agent_id": "other", "body": body.decode()}


def lost_tail(workspace: Workspace) -> None:
    """The second of two files of a writer, and its line, were never there."""
    writer = write_runs(workspace, "run-c", 40, seal_bytes=6_000)
    entries = manifest_entries(workspace)
    own = [one for one in entries if one["writer_id"] == writer]
    assert len(own) > 2
    (workspace.lake_dir / own[1]["file"]).unlink()
    write_manifest(workspace, [one for one in entries if one != own[1]])


def dead_writer(workspace: Workspace) -> None:
    """A writer's open file, copied to where no process holds it: nobody will ever close it."""
    with LogWriter(workspace, recorded_via="runner", process_name="dies") as writer:
        writer.append([started("run-d")])
        (opened,) = workspace.wal_dir.glob(f"*{writer.writer_id}*")
        kept = opened.read_bytes()
    write_manifest(workspace, [e for e in manifest_entries(workspace) if e["writer_id"] != writer.writer_id])
    for file in workspace.lake_dir.rglob(f"*{writer.writer_id}*"):
        file.unlink()
    opened.write_bytes(kept)


def pruned_young(workspace: Workspace) -> None:
    """A record that says a file of today was kept for its six months."""
    entries = manifest_entries(workspace)
    young = entries[-1]
    long_ago = "2020-01-01T00:00:00Z"
    record = {
        "kind": "prune", "files": [young["file"]], "count": young["count"], "retention_days": 184,
        "stretches": [{n: young[n] for n in ("writer_id", "first_seq", "last_seq", "prev_head", "head")}],
        "min_recorded_at": long_ago, "max_recorded_at": long_ago, "pruned_by": "nobody", "reason": "space",
        "pruned_at": "2026-11-22T00:00:00.000000Z",
    }  # fmt: skip
    write_manifest(workspace, [*entries, record])
    (workspace.lake_dir / young["file"]).unlink()


DAMAGES: Mapping[str, Damage] = {
    "INT-01": lambda log: reseal(log, other_body),
    "INT-02": lost_tail,
    "INT-03": lambda log: shutil.copy(next(log.lake_dir.rglob("*.parquet")), log.lake_dir / "more.parquet"),
    "INT-05": dead_writer,
    "INT-08": lambda log: reseal(log, lambda rows: rows[5].update(agent_id="other")),
    "REC-07": lambda log: [file.unlink() for file in log.payload_dir.rglob("*.parquet")],
    "RET-01": pruned_young,
}


def found(workspace: Workspace, max_retention_days: float = YEARS) -> dict[str, int]:
    """Check to violations, of those that have any; each must have looked at something."""
    counts = inspect_log(workspace, dt.datetime.now(dt.UTC)).facts(max_retention_days).counts
    assert counts.keys() == set(CHECKS)
    assert all(count.population or count.violations for count in counts.values())
    assert all(count.first_objects and count.detail for count in counts.values() if count.violations)
    return {check: count.violations for check, count in counts.items() if count.violations}


def copied(workspace: Workspace, folder: Path) -> Workspace:
    return Workspace.open(Path(shutil.copytree(workspace.root, folder / "copy")))


@pytest.mark.parametrize("check", DAMAGES)
def test_each_damage_is_found_by_its_check_and_by_no_other(
    unsigned: Workspace, tmp_path: Path, check: str
) -> None:
    workspace = copied(unsigned, tmp_path)
    DAMAGES[check](workspace)
    notarise(workspace)
    assert found(workspace).keys() == {check}


def test_a_log_without_damage_has_none_until_its_signature_goes_or_it_is_kept_too_long(
    unsigned: Workspace, tmp_path: Path
) -> None:
    workspace = copied(unsigned, tmp_path)
    notarise(workspace)
    assert found(workspace) == {}
    assert found(workspace, max_retention_days=0) == {"RET-02": 2}
    checkpoint = next(workspace.checkpoint_dir.glob("*.checkpoint"))
    checkpoint.write_text(checkpoint.read_text(encoding="utf-8").replace("\n2\n", "\n1\n"), encoding="utf-8")
    assert found(workspace).keys() == {"INT-04"}


def test_a_run_that_is_cut_out_of_a_log_is_a_gap_and_never_a_pass(
    unsigned: Workspace, tmp_path: Path
) -> None:
    """Whoever removes a run, and makes file, line and signature agree, leaves the positions it had."""
    workspace = copied(unsigned, tmp_path)
    reseal(workspace, lambda rows: rows.__delitem__(slice(3, 17)), count=len_of_first(workspace) - 14)
    notarise(workspace)
    assert "INT-02" in found(workspace)


def len_of_first(workspace: Workspace) -> int:
    return int(manifest_entries(workspace)[0]["count"])
