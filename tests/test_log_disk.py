"""Disks that are full or read-only, clocks that are set, forks, flipped bits: handled, and reported."""

from __future__ import annotations

import datetime as dt
import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli import main
from ingest.errors import WriterError
from ingest.log.checkpoint import HEADS_FILE, notarise
from ingest.log.heads import HeadNotary
from ingest.log.recover import recover
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from tests.conftest import Clock
from tests.log_events import started, write_runs

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def fleetbook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command as the terminal does: (exit code, everything it printed)."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["fleetbook", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), "".join(capsys.readouterr())

    return run


def writes_fail(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """From now on every opening for writing below the workspace fails, as on such a disk."""
    opened = os.open

    def refusing(path: str | Path, flags: int, *more: int, **named: int) -> int:
        below = Path(os.fspath(path)).is_relative_to(workspace.root)
        if below and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_log_that_may_only_be_read_can_be_verified_and_not_be_changed(
    workspace: Workspace, fleetbook: Command, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    write_runs(workspace, "r0", 3, payload_every=2)
    dead = LogWriter(workspace, recorded_via="runner", process_name="dies")
    dead.append([started("dead")])
    del dead
    notarise(workspace)
    writes_fail(workspace, monkeypatch, code)
    assert fleetbook("verify")[0] == 0
    assert fleetbook("log", "status")[0] == 0
    for command, words in (("recover", "Not recovered"), ("notarise", "Not signed")):
        ended, text = fleetbook(command)
        assert ended == 2
        assert words in text
        assert os.strerror(code) in text
        assert "Run the" in text
    with pytest.raises(WriterError, match=f"{os.strerror(code)}.*Free space or repair the disk"):
        LogWriter(workspace, recorded_via="runner", process_name="late")


FULL = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
sys.argv = ["fleetbook", *sys.argv[1:]]
from app.cli import main
main()
"""


@pytest.mark.parametrize(("command", "words"), [("recover", "Not recovered"), ("notarise", "Not signed")])
def test_a_command_on_a_full_disk_says_so_and_works_when_there_is_space(
    workspace: Workspace, fleetbook: Command, repository: Path, command: str, words: str
) -> None:
    write_runs(workspace, "r0", 3)
    dead = LogWriter(workspace, recorded_via="runner", process_name="dies")
    dead.append([started("dead")])
    del dead
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, command],
        cwd=repository,
        env={**os.environ, "FLEETBOOK_HOME": str(workspace.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "File too large" in done.stderr
    assert "with free space on the disk" in done.stderr
    assert fleetbook(command)[0] == 0
    assert {finding.code for finding in verify(workspace).findings} <= {"checkpoint_missing"}
    assert len(run_events(workspace, "dead")) == 1


@pytest.mark.parametrize(
    ("seconds", "words"), [(-3600, "set back by 3600 s"), (86_400 * 3650, "set ahead by 315360000 s")]
)
def test_a_clock_that_is_set_is_noted_in_the_log_and_no_finding(
    workspace: Workspace, clock: Clock, seconds: int, words: str
) -> None:
    ticks = iter(range(100))
    with LogWriter(
        workspace, recorded_via="runner", process_name="t", clock=clock, ticks=lambda: float(next(ticks))
    ) as writer:
        writer.append([started("r1")])
        clock.advance(seconds=1)
        writer.append([started("r1", 1)])
        clock.advance(seconds=1 + seconds)
        assert writer.append([started("r1", 2)]).first_seq == 4
    notarise(workspace)
    report = verify(workspace)
    assert report.findings == ()
    assert [note for note in report.notes if words in note and "seq 3" in note]
    recorded = [event["recorded_at"] for event in run_events(workspace, "r1")]
    assert recorded == sorted(recorded)  # type: ignore[type-var]  # all are times


def test_events_recorded_in_the_future_are_a_note_and_no_finding(workspace: Workspace) -> None:
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=365)
    with LogWriter(workspace, recorded_via="runner", process_name="t", clock=lambda: ahead) as writer:
        writer.append([started("r1")])
    notarise(workspace)
    report = verify(workspace)
    assert report.findings == ()
    assert [note for note in report.notes if "later than now" in note]


FORKS = """
import os, sys, threading
from pathlib import Path
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.workspace import Workspace
from tests.log_events import AT, started

workspace = Workspace.open(Path(sys.argv[1]))
writer = LogWriter(workspace, recorded_via="runner", process_name="parent")
stop = threading.Event()

def busy(name):
    number = 0
    while not stop.is_set():
        made = make_payload("text", kind="turn", occurred_at=AT, run_id=name)
        writer.append([started(name, number, **made.columns)], [made.payload])
        number += 1

threads = [threading.Thread(target=busy, args=(f"t{n}",)) for n in range(4)]
for thread in threads:
    thread.start()
children = []
for number in range(12):
    child = os.fork()
    if child == 0:
        made = make_payload("text", kind="turn", occurred_at=AT, run_id="child")
        writer.append([started("child", number, **made.columns)], [made.payload])
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 12
stop.set()
for thread in threads:
    thread.join()
writer.close()
"""


def test_forks_in_the_middle_of_other_threads_appends_write_chains_of_their_own(
    workspace: Workspace, repository: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, str(workspace.root)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(recover(workspace).writers) == 12
    assert len(run_events(workspace, "child")) == 12
    assert {finding.code for finding in verify(workspace).findings} == {"checkpoint_missing"}


PLACES = 6  # per file and kind of damage: a file is one hash, a line file one chain


def damages(content: bytes) -> Iterator[bytes]:
    """``content`` with one bit flipped, and cut, at its ends and at places in between."""
    dice = random.Random(7)
    for place in sorted({0, len(content) - 1, *dice.sample(range(len(content)), PLACES)}):
        flipped = bytearray(content)
        flipped[place] ^= 1 << dice.randrange(8)
        yield bytes(flipped)
        yield content[:place]


@pytest.fixture
def signed(workspace: Workspace) -> Workspace:
    """A small log with a checkpoint and signed heads, in which nothing is found."""
    write_runs(workspace, "r0", 3, payload_every=2)
    notarise(workspace)
    HeadNotary(workspace).sign()
    assert verify(workspace).findings == ()
    return workspace


@pytest.mark.parametrize(
    "pattern",
    ["lake/*/*.parquet", "manifest.jsonl", "checkpoints/*.checkpoint", f"checkpoints/{HEADS_FILE}"],
)
def test_a_flipped_bit_or_a_cut_anywhere_is_found(signed: Workspace, pattern: str) -> None:
    (path,) = signed.root.glob(pattern)
    content = path.read_bytes()
    for damaged in damages(content):
        path.write_bytes(damaged)
        assert verify(signed).findings, (path.name, len(damaged))
    path.write_bytes(content)
    assert verify(signed).findings == ()


def test_a_damaged_payload_file_is_found_or_has_every_text_unchanged(signed: Workspace) -> None:
    """Texts are proven one by one, because erasures rewrite the file: a bit beside them changes nothing."""
    (path,) = signed.payload_dir.glob("month=*/*.parquet")
    ids = [str(event["payload_id"]) for event in run_events(signed, "r0") if event.get("payload_id")]
    texts = payload_texts(signed, ids)
    assert sorted(filter(None, texts.values())) == ["text 0 of r0", "text 2 of r0"]
    found = 0
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        if verify(signed).findings:
            found += 1
        else:
            assert payload_texts(signed, ids) == texts
    assert found > PLACES
