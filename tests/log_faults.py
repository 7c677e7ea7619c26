"""Work on a log with one system call failing: ``python -m tests.log_faults TEMPLATE FOLDER WORK SHARE OF``.

strace first lists the calls that WORK makes on files of the workspace. Then, for each of them, WORK is done
again on a fresh copy of TEMPLATE and just that call fails: with EIO, with ENOSPC, or because the process is
killed there, in turns; FLEETBOOK_ALL_FAULTS=1 tries all three for each call, which takes minutes. Each result
is one JSON line. This process only forks, because importing Parquet takes longer than a child lives.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path

from ingest.errors import IngestError, WriterError
from ingest.log.checkpoint import notarise
from ingest.log.compact import compact
from ingest.log.recover import recover
from ingest.log.sinks import keep_checkpoint
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.reader import payload_texts, snapshot
from ingest.workspace import Workspace
from tests.log_events import AT, started, stored_rows
from tests.log_kills import tomorrow

CALLS = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "link",
    "mkdir",
    "ftruncate",
    "openat",
)
# strace sees "rename" and "renameat2" as different calls; which one is used depends on the machine.
_TRACED = (*CALLS, "renameat", "renameat2", "unlinkat", "linkat", "mkdirat", "truncate")
FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")
NOT_ALLOWED = 3  # exit code: this machine does not let strace attach
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_ALLOW_ANY_TRACER = (0x59616D61, ctypes.c_ulong(-1))  # prctl: PR_SET_PTRACER, PR_SET_PTRACER_ANY

Acknowledge = Callable[[str], None]


@dataclass(frozen=True)
class Fault:
    """The ``number``-th call of ``call`` in a work, on ``file`` of the workspace, and how it fails."""

    call: str
    number: int
    file: str
    how: str


@dataclass
class Result:
    """What a fault did: how the work ended, what it had acknowledged, what is wrong with the log after it."""

    fault: Fault
    ended: str = ""
    acknowledged: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def append_and_seal(workspace: Workspace, acknowledge: Acknowledge) -> None:
    """Events with and without texts, a line file that is full, and a last one that is closed."""
    writer = LogWriter(workspace, recorded_via="runner", process_name="r", seal_bytes=1_400)
    try:
        for number in range(4):
            made = make_payload(f"text {number}", kind="turn", occurred_at=AT, run_id="r1")
            receipt = writer.append([started("r1", number, **made.columns)], [made.payload])
            text = made.payload.payload_id
            acknowledge(f"{receipt.writer_id} {receipt.last_seq} {receipt.head} {text}")
    except WriterError:
        writer.append([started("r1", 99)])  # consequential work stays refused, however often it is tried
        acknowledge("a poisoned writer took an event")
    writer.close()


def sign(workspace: Workspace, acknowledge: Acknowledge) -> None:
    """Heads of open writers, a checkpoint, and a copy of it in a folder."""
    done = notarise(workspace)
    keep_checkpoint(workspace, done.note, done.path.name, str(workspace.root / "kept"))
    acknowledge(f"signed {done.checkpoint.size}")


WORKS: dict[str, Callable[[Workspace, Acknowledge], object]] = {
    "append": append_and_seal,
    "recover": lambda workspace, acknowledge: recover(workspace),
    "compact": lambda workspace, acknowledge: compact(workspace, clock=tomorrow),
    "notarise": sign,
}


def _work(workspace: Workspace, work: str, out: int) -> None:
    """In a child: do the work and say how it ended, as the last line of ``out``."""
    try:
        WORKS[work](workspace, lambda line: os.write(out, f"{line}\n".encode()) and None)
        os.write(out, b"done")
    except (IngestError, OSError) as error:
        os.write(out, f"{type(error).__name__}: {error}".encode())


def _forked(task: Callable[[int], None], tracer: Callable[[int], subprocess.Popen[str]] | None = None) -> str:
    """What ``task`` writes to the descriptor it is given, in a child that ``tracer`` follows."""
    reading, writing = os.pipe()
    waiting, going = os.pipe()
    child = os.fork()
    if not child:
        os.close(going)
        os.close(reading)
        ctypes.CDLL(None).prctl(*_ALLOW_ANY_TRACER, 0, 0, 0)
        os.read(waiting, 1)
        try:
            task(writing)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    os.close(waiting)
    followed = tracer(child) if tracer else None
    os.close(going)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    if followed:
        followed.communicate()
    return said


def _traced(*options: str) -> Callable[[int], subprocess.Popen[str]]:
    def attach(process: int) -> subprocess.Popen[str]:
        command = ["strace", "-f", "-p", str(process), *options]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if "attached" not in line:
            print(f"strace cannot follow a process here: {line.strip()}", file=sys.stderr)
            sys.exit(NOT_ALLOWED)
        return tracer

    return attach


def calls_of(template: Path, folder: Path, work: str) -> Iterator[Fault]:
    """Every call that ``work`` makes on files of its workspace; ``how`` is not chosen yet."""
    root, trace = folder / "listed", folder / "trace"
    workspace = _copied(template, root)
    options = ("-y", "-s", "0", "-e", f"trace={','.join(_TRACED)}", "-o", str(trace))
    ended = _forked(lambda out: _work(workspace, work, out), _traced(*options)).splitlines()[-1]
    if ended != "done":
        sys.exit(f"{work} without a fault ended with {ended}")
    counts: Counter[str] = Counter()
    lines = [found for line in trace.read_text().splitlines() if (found := _LINE.match(line))]
    main = lines[0][1]
    for found in lines:
        file = re.search(rf"{root}/([^>\"]*)", found[3])
        if found[1] != main:
            assert file is None, f"a thread works on files: {found[0]}"
            continue
        counts[found[2]] += 1
        if file and (found[2] != "openat" or "O_CREAT" in found[3]):
            yield Fault(found[2], counts[found[2]], re.sub(r"w\d{14}-[0-9a-f]{16}", "W", file[1]), "")


def _copied(template: Path, root: Path) -> Workspace:
    # Relative paths in, so that -s 0 and rename's short strings cannot hide the workspace's name.
    shutil.copytree(template, root)
    return Workspace.open(root)


def tried(template: Path, root: Path, work: str, fault: Fault) -> Result:
    """Do ``work`` with ``fault`` on a copy of ``template``, then look at the log."""
    workspace = _copied(template, root)
    injected = ("-e", f"inject={fault.call}:{fault.how}:when={fault.number}", "-o", "/dev/null")
    said = _forked(
        lambda out: _work(workspace, work, out), _traced("-e", f"trace={fault.call}", *injected)
    ).split("\n")
    ended = said.pop()
    result = Result(fault, ended or "killed", said)
    result.problems = json.loads(
        _forked(lambda out: os.write(out, json.dumps(_looked(workspace, work, said)).encode()) and None)
        or '["the check died"]'
    )
    shutil.rmtree(root)
    return result


def _looked(workspace: Workspace, work: str, acknowledged: list[str]) -> list[str]:
    """What is wrong with the log after a fault, after a recovery, and after the work was done again."""
    os.fsync = os.fdatasync = lambda fd: None  # type: ignore[assignment]  # nothing is cut off from here on
    try:
        recovered = recover(workspace)
        if work != "append":
            WORKS[work](workspace, lambda line: None)
        found = [f"{one.code} {one.object}: {one.detail}" for one in verify(workspace).findings]
        rows = stored_rows(snapshot(workspace, workspace.build_dir / "snapshot").files)
    except (IngestError, OSError) as error:
        return [f"{type(error).__name__}: {error}"]
    problems = [*recovered.problems, *(one for one in found if not one.startswith("checkpoint_missing"))]
    places = Counter((row["writer_id"], row["seq"]) for row in rows)
    problems += [f"{place} is there {count} times" for place, count in places.items() if count > 1]
    hashes = {(row["writer_id"], row["seq"]): row["hash"] for row in rows}
    problems += [line for line in acknowledged if "poisoned" in line]
    kept = [line.split() for line in acknowledged if len(line.split()) == 4]
    problems += [f"{one} was lost" for one in kept if hashes.get((one[0], int(one[1]))) != one[2]]
    texts = payload_texts(workspace, [one[3] for one in kept])
    problems += [f"{payload_id} was lost" for payload_id, text in texts.items() if text is None]
    problems += [f"{path} stays" for path in workspace.root.rglob("*.parquet.tmp")]
    return problems


def _sampled(calls: Sequence[Fault]) -> Iterator[Fault]:
    """All calls; of many on one file in a row (Parquet is a thousand writes) first, middle and last."""
    for _, row in groupby(calls, key=lambda call: (call.call, call.file)):
        run = list(row)
        yield from run if len(run) < 4 else (run[0], run[len(run) // 2], run[-1])


def faults_of(template: Path, folder: Path, work: str) -> list[Fault]:
    """Each call of ``work`` with one way to fail, the next call with the next; or with every way."""
    calls = list(_sampled(list(calls_of(template, folder, work))))
    ways = FAULTS if os.environ.get("FLEETBOOK_ALL_FAULTS") else ()
    return [
        replace(call, how=how)
        for number, call in enumerate(calls)
        for how in ways or (FAULTS[number % len(FAULTS)],)
    ]


def main(template: Path, folder: Path, work: str, share: int, shares: int) -> None:
    """Print the result of every ``shares``-th fault, from number ``share`` on."""
    folder.mkdir()
    for number, fault in enumerate(faults_of(template, folder, work)):
        if number % shares == share:
            print(json.dumps(asdict(tried(template, folder / str(number), work, fault))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
