"""Each system call of the log fails once: nothing acknowledged is lost or doubled, the error says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.workspace import Workspace
from tests.log_events import AT, started, write_runs
from tests.log_faults import NOT_ALLOWED

SHARES = 2  # processes that share the faults of one work: one per core of a small machine
CAUSES = {"error=EIO": "Input/output error", "error=ENOSPC": "No space left on device"}


@pytest.fixture
def template(workspace: Workspace) -> Workspace:
    """A workspace with sealed files of one writer, a dead writer, and a dead one with a torn last line."""
    write_runs(workspace, "r0", 3, seal_bytes=900, payload_every=2)
    for torn_bytes in (0, 7):
        writer = LogWriter(workspace, recorded_via="runner", process_name="dies")
        made = make_payload("the task", kind="turn", occurred_at=AT, run_id="dead")
        writer.append([started("dead", torn_bytes, **made.columns)], [made.payload])
        path = workspace.wal_dir / f"{writer.writer_id}-0.wal"
        del writer
        path.write_bytes(path.read_bytes()[: -torn_bytes or None])
    return workspace


def results_of(template: Workspace, folder: Path, work: str, repository: Path) -> list[dict[str, Any]]:
    """What every fault of ``work`` did."""
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.log_faults"),
                *(str(template.root), str(folder / f"{work}-{share}"), work, str(share), str(SHARES)),
            ],
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for share in range(SHARES)
    ]
    said = [process.communicate() for process in processes]
    if any(process.returncode == NOT_ALLOWED for process in processes) and os.environ.get("CI") != "true":
        pytest.skip(said[0][1].strip())
    assert [process.returncode for process in processes] == [0] * SHARES, said
    return [json.loads(line) for out, _ in said for line in out.splitlines()]


@pytest.mark.parametrize(
    ("work", "calls"),
    [
        ("append", {"write", "fsync", "fdatasync", "rename", "unlink"}),
        ("recover", {"write", "fsync", "fdatasync", "rename", "unlink"}),
        ("compact", {"write", "fsync", "fdatasync", "rename", "unlink"}),
        ("notarise", {"write", "fsync", "fdatasync", "rename"}),
    ],
)
def test_after_a_fault_in_any_system_call_the_log_is_whole(
    template: Workspace,
    tmp_path: Path,
    repository: Path,
    need_tool: Callable[..., str],
    work: str,
    calls: set[str],
) -> None:
    need_tool("strace")
    results = results_of(template, tmp_path, work, repository)
    assert calls <= {result["fault"]["call"] for result in results}
    assert {result["fault"]["how"] for result in results} == {*CAUSES, "signal=SIGKILL"}
    wrong = [result for result in results if result["problems"]]
    assert wrong == []
    for result in results:
        cause = CAUSES.get(result["fault"]["how"])
        if cause is None:
            assert result["ended"] == "killed", result
        else:
            assert cause in result["ended"], result
