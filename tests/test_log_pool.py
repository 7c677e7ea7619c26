"""Files checked side by side: the same findings, in the same order; what was interrupted is no answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingest.errors import VerificationError
from ingest.log.compact import compact
from ingest.log.verify import verify
from ingest.workspace import Workspace
from tests.log_events import rewrite_rows, write_runs
from tests.log_kills import tomorrow
from tests.worker_process import until

VERIFY = "import sys; from pathlib import Path; from ingest.log.verify import verify; "
VERIFY += "from ingest.workspace import Workspace; verify(Workspace.open(Path(sys.argv[1])), processes=2)"


@pytest.fixture
def log(workspace: Workspace) -> Workspace:
    """A compacted file, and two writers with three files each."""
    for name in ("old-b", "old-a"):
        write_runs(workspace, name, 12, payload_every=3)
    compact(workspace, clock=tomorrow)
    for name in ("run-b", "run-a"):
        write_runs(workspace, name, 30, seal_bytes=4_000, payload_every=5)
    return workspace


def files(log: Workspace) -> list[Path]:
    return sorted(log.lake_dir.rglob("*.parquet"))


def blocked(log: Workspace) -> list[Path]:
    """Two files become pipes: whoever reads one waits until somebody writes."""
    pipes = files(log)[:2]
    for path in pipes:
        path.unlink()
        os.mkfifo(path)
    return pipes


def damage(log: Workspace) -> None:
    compacted, edited, missing, shortened, torn = files(log)[:5]
    rows = pq.read_table(compacted).to_pylist()
    rewrite_rows(compacted, [{**rows[0], "reason": "made up"}, *rows[2:], rows[3]])
    rows = pq.read_table(edited).to_pylist()
    rewrite_rows(edited, [{**rows[0], "body": rows[0]["body"].replace("refund", "reward")}, *rows[1:]])
    missing.unlink()
    rewrite_rows(shortened, pq.read_table(shortened).to_pylist()[:-1])
    torn.write_bytes(torn.read_bytes()[:-40])
    next(log.payload_dir.rglob("*.parquet")).unlink()


@pytest.mark.parametrize("level", [1, 2])
def test_two_processes_find_what_one_finds_in_the_same_order(log: Workspace, level: int) -> None:
    assert verify(log, level, processes=2) == verify(log, level, processes=1)
    damage(log)
    alone = verify(log, level, processes=1)
    assert {"chain_broken", "columns_differ", "file_missing", "file_unreadable", "seq_gap"} <= {
        finding.code for finding in alone.findings
    }
    assert verify(log, level, processes=2) == alone


def test_a_killed_process_is_no_verification(log: Workspace) -> None:
    blocked(log)
    raised: list[VerificationError] = []

    def check() -> None:
        try:
            verify(log, processes=2)
        except VerificationError as error:
            raised.append(error)

    thread = threading.Thread(target=check)
    thread.start()
    until(lambda: len(checking()) == 2)
    os.kill(checking()[0], signal.SIGKILL)
    thread.join()
    assert "nothing is known until then" in str(raised[0])
    assert raised[0].exit_code == 2
    assert checking() == []


def test_an_interrupted_verification_leaves_no_process(log: Workspace) -> None:
    pipes = blocked(log)
    command = [sys.executable, "-c", VERIFY, str(log.root)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as started:
        until(lambda: all(map(is_being_read, pipes)))
        os.killpg(started.pid, signal.SIGINT)
        said = started.communicate(timeout=60)[1]
    assert (started.returncode, said.count("Traceback")) == (-signal.SIGINT, 1)
    until(lambda: not group_lives(started.pid))


def test_a_script_verifies_without_a_guard_of_its_own(log: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "audit.py"
    script.write_text(f"{VERIFY}; print('verified')\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(script), str(log.root)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "verified\n", "")


def checking() -> list[int]:
    """The processes of this one that check files."""
    found = []
    for listed in Path("/proc/self/task").glob("*/children"):
        for child in listed.read_text().split():
            try:
                words = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            if b"sealed_pool" in words:
                found.append(int(child))
    return found


def is_being_read(pipe: Path) -> bool:
    """Whether somebody waits for what comes out of ``pipe``; nothing does, as the end stays open."""
    try:
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    return True


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("name", ["compacted-*.parquet", "w*.parquet"])
def test_where_one_chain_value_ends_and_the_next_begins_is_checked_too(log: Workspace, name: str) -> None:
    file = sorted(log.lake_dir.rglob(name))[0]
    first, second, *others = pq.read_table(file).to_pylist()
    moved = {**second, "hash": first["hash"][-1] + second["hash"]}
    rewrite_rows(file, [{**first, "hash": first["hash"][:-1]}, moved, *others])
    assert "chain_broken" in {finding.code for finding in verify(log, 1).findings}
