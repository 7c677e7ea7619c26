"""Heads of open writers: signed every few seconds, so that what is cut from an open line file is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.errors import NotaryRefusal
from ingest.log.checkpoint import HEADS_FILE, heads_memory_path, key_path, notarise
from ingest.log.heads import HeadNotary, heads_of, keep_heads
from ingest.log.note import Checkpoint, Signer
from ingest.log.recover import recover
from ingest.log.verify import verify
from ingest.log.wal import next_head
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests.log_events import started, write_runs


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[LogWriter]:
    """A living writer with three events, in a log that was signed before it began."""
    write_runs(workspace, "r0", 2)
    notarise(workspace)
    with LogWriter(workspace, recorded_via="runner", process_name="lives") as writer:
        writer.append([started("r1"), started("r1", 1)])
        yield writer
        recover(workspace)


def line_file(workspace: Workspace) -> Path:
    (path,) = workspace.wal_dir.glob("*.wal")
    return path


def cut_last_line(path: Path) -> bytes:
    """Take the last event away, as someone who can write the workspace would; returns the file as it was."""
    content = path.read_bytes()
    with path.open("r+b") as stream:
        stream.truncate(content[:-1].rindex(b"\n") + 1)
    return content


def rewrite_last_line(path: Path) -> bytes:
    """Change the last event and compute its chain value again; returns the file as it was."""
    content = path.read_bytes()
    *before, last = content.splitlines(keepends=True)
    body = last[65:-1].replace(b"refund-agent", b"sneaky-agent")
    head = next_head(bytes.fromhex(before[-1][:64].decode()), body)
    with path.open("r+b") as stream:
        stream.write(b"".join(before) + head.hex().encode() + b" " + body + b"\n")
    return content


def test_a_signed_head_is_the_writers_last_acknowledged_event(
    workspace: Workspace, writer: LogWriter
) -> None:
    receipt = writer.append([started("r1", 2)])
    signed = HeadNotary(workspace).sign()
    (head,) = signed.heads
    assert (head.writer_id, head.seq, head.head) == (writer.writer_id, 3, receipt.head)
    verifier = Signer.parse(key_path(workspace).read_text(encoding="utf-8")).verifier
    text = verifier.open((workspace.checkpoint_dir / HEADS_FILE).read_text(encoding="utf-8"))
    assert Checkpoint.parse(text) == signed.checkpoint
    assert [(one.writer_id, one.seq, one.head) for one in heads_of(text)] == [
        (writer.writer_id, 3, receipt.head)
    ]
    assert verify(workspace).findings == ()


@pytest.mark.parametrize(
    ("attack", "code"), [(cut_last_line, "tail_missing"), (rewrite_last_line, "head_differs")]
)
def test_a_change_of_an_open_file_behind_a_signed_head_is_named(
    workspace: Workspace, writer: LogWriter, tmp_path: Path, attack: object, code: str
) -> None:
    kept = keep_heads(HeadNotary(workspace).sign().note, str(tmp_path / "mailbox"))
    assert kept is not None
    content = attack(line_file(workspace))  # type: ignore[operator]  # one of the two functions above
    (finding,) = verify(workspace).findings
    assert finding.code == code
    assert writer.writer_id in finding.object
    # Someone who can write all of the workspace takes the note away too; the one outside is left.
    (workspace.checkpoint_dir / HEADS_FILE).unlink()
    heads_memory_path(key_path(workspace)).unlink()
    assert verify(workspace).findings == ()
    assert {one.code for one in verify(workspace, 3, against=[kept]).findings} == {code}
    line_file(workspace).write_bytes(content)


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(
    ("attack", "words"), [(cut_last_line, "ends at seq 1"), (rewrite_last_line, "other")]
)
def test_the_notary_refuses_a_writer_that_lost_what_it_signed(
    workspace: Workspace, writer: LogWriter, attack: object, words: str, is_restarted: bool
) -> None:
    notary = HeadNotary(workspace)
    notary.sign()
    content = attack(line_file(workspace))  # type: ignore[operator]  # one of the two functions above
    if is_restarted:
        notary = HeadNotary(workspace)
    with pytest.raises(NotaryRefusal, match=words):
        notary.sign()
    line_file(workspace).write_bytes(content)
    notary.sign()


def test_writers_that_go_on_seal_close_or_die_are_signed_on(workspace: Workspace, writer: LogWriter) -> None:
    notary = HeadNotary(workspace)
    notary.sign()
    for number in range(2, 6):
        writer.append([started("r1", number)])
        assert notary.sign().heads[0].seq == number + 1
    dying = LogWriter(workspace, recorded_via="runner", process_name="dies", seal_bytes=900)
    for number in range(4):
        dying.append([started("r2", number)])
        assert len(notary.sign().heads) <= 2
    del dying
    notary.sign()
    recover(workspace)
    writer.close()
    assert notary.sign().heads == ()
    assert verify(workspace).findings == ()


def test_the_command_signs_until_it_is_stopped(
    workspace: Workspace, writer: LogWriter, tmp_path: Path, repository: Path
) -> None:
    mailbox = tmp_path / "mailbox"
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "notarise", "--every", "0.1", "--to", str(mailbox)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    assert any("open writers, now 1, every 0.1 s" in line for line in lines)
    writer.close()  # is sealed: the manifest grows, which is signed as a checkpoint of its own
    assert any(line.startswith("Kept:") for line in lines)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert (mailbox / HEADS_FILE).exists()
    assert len(list(mailbox.glob("*.checkpoint"))) == 2
    assert verify(workspace, 3, against=list(mailbox.iterdir())).findings == ()


@pytest.fixture
def log(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A log in which somebody has written and closed before."""
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)
    write_runs(workspace, "r0", 2)
    return workspace


def found_in(log: Workspace) -> dict[str, list[str]]:
    """What a verification finds: word → the objects it names."""
    found: dict[str, list[str]] = {}
    for finding in verify(log, 1).findings:
        found.setdefault(finding.code, []).append(finding.object)
    return found


Damage = Callable[[bytes], bytes]


def _last_line_gone(content: bytes) -> bytes:
    return content[: content.rstrip(b"\n").rindex(b"\n") + 1]


def _middle_line_edited(content: bytes) -> bytes:
    return content.replace(b'"run_id":"open","seq":3', b'"run_id":"0pen","seq":3')


def _middle_line_gone(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:3] + lines[4:])


@pytest.mark.parametrize(
    ("damage", "codes"),
    [
        (_last_line_gone, {"tail_missing"}),
        (_middle_line_edited, {"wal_damaged", "tail_missing"}),
        (_middle_line_gone, {"wal_damaged", "tail_missing"}),
        (lambda content: b"", {"tail_missing"}),
    ],
)
def test_events_that_are_not_sealed_are_bound_by_the_noted_head(
    log: Workspace, damage: Damage, codes: set[str]
) -> None:
    with LogWriter(log, recorded_via="runner", process_name="open") as writer:
        for number in range(6):
            writer.append([started("open", number)])
        notarise(log)
        assert found_in(log) == {}
        path = next(log.wal_dir.glob("*.wal"))
        content = path.read_bytes()
        path.write_bytes(damage(content))
        found = found_in(log)
        assert set(found) == codes
        assert found["tail_missing"] == [f"writer {writer.writer_id}"]
        path.write_bytes(content)


def test_an_open_file_removed_whole_is_named(log: Workspace) -> None:
    writer = LogWriter(log, recorded_via="runner", process_name="open")
    writer.append([started("open")])
    notarise(log)
    path = next(log.wal_dir.glob("*.wal"))
    content = path.read_bytes()
    path.unlink()
    assert found_in(log) == {"tail_missing": [f"writer {writer.writer_id}"]}
    path.write_bytes(content)
    del writer
