"""Sealed files checked side by side, one process per core; the results come in the order of the files."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from ingest.errors import VerificationError
from ingest.log.lake import SealedFile
from ingest.log.rows import ChainCheck
from ingest.log.sealed_check import check_sealed_file

# Starting two processes takes as long as checking 80,000 events.
_WORTH_EVENTS = 200_000
# A process takes up to 600 MB; hashing is quicker than most disks with four.
_MOST_PROCESSES = 4
_WORK = "import sys; from ingest.log.sealed_pool import work; work(int(sys.argv[1]))"

Noted: TypeAlias = Mapping[str, dict[int, str]]
"""Writer → seq → chain value (hex) that somebody noted."""


class Task(NamedTuple):
    """One file to check, as a worker is told; ``number`` is its place in the order of the files."""

    number: int
    lake: Path
    file: SealedFile
    noted: Noted
    is_hashed: bool
    before: dt.datetime | None


Worker: TypeAlias = "Connection[Any, Any]"
Outcome: TypeAlias = list[ChainCheck] | OSError | MemoryError


def check_files(
    lake: Path,
    files: Sequence[SealedFile],
    noted: Noted,
    *,
    is_hashed: bool,
    before: dt.datetime | None = None,
    processes: int | None = None,
) -> list[ChainCheck]:
    """Check ``files``: one result for each stretch, in their order; ``before`` as for one file.

    ``processes`` is how many work on it; None takes one per core where the log is large enough, 1 this one
    alone. Raises OSError for a file that must not be read, VerificationError when a process was ended or
    memory was short: then nothing is known.
    """
    tasks = [
        Task(number, lake, file, _noted_in(file, noted), is_hashed, before)
        for number, file in enumerate(files)
    ]
    count = min(len(tasks), processes or _worth(files))
    done = _side_by_side(tasks, count) if count > 1 else ((task.number, _outcome(task)) for task in tasks)
    checks: dict[int, list[ChainCheck]] = {}
    for number, outcome in done:
        if isinstance(outcome, OSError):
            raise outcome
        if isinstance(outcome, MemoryError):
            raise VerificationError(
                f"Not verified: memory was too short for {files[number].file} ({outcome}). "
                "End other programs or use a larger machine, then verify again; nothing is known until then."
            ) from outcome
        checks[number] = outcome
    return [check for number in range(len(tasks)) for check in checks[number]]


def _worth(files: Iterable[SealedFile]) -> int:
    if sum(file.count for file in files) < _WORTH_EVENTS:
        return 1
    return min(_cores(), _MOST_PROCESSES)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _noted_in(file: SealedFile, noted: Noted) -> Noted:
    writers = {stretch.writer_id for stretch in file.stretches}
    return {writer: noted[writer] for writer in writers & noted.keys()}


def _outcome(task: Task) -> Outcome:
    try:
        return check_sealed_file(
            task.lake, task.file, task.noted, is_hashed=task.is_hashed, before=task.before
        )
    except (OSError, MemoryError) as error:
        return error


def _side_by_side(tasks: Sequence[Task], count: int) -> Iterator[tuple[int, Outcome]]:
    """Each result with the place of its file, as it comes; the largest files first, to end together."""
    waiting = sorted(tasks, key=lambda task: task.file.file_bytes)
    busy: dict[Worker, Task] = {}
    with _workers(count) as workers:
        for worker in workers:
            _give(worker, waiting.pop(), busy)
        while busy:
            ready = wait(list(busy))
            for worker in [one for one in busy if one in ready]:
                task = busy.pop(worker)
                yield task.number, _answer(worker, task)
                if waiting:
                    _give(worker, waiting.pop(), busy)


def _give(worker: Worker, task: Task, busy: dict[Worker, Task]) -> None:
    try:
        worker.send(task)
    except OSError as error:
        raise _ended(task) from error
    busy[worker] = task


def _answer(worker: Worker, task: Task) -> Outcome:
    try:
        outcome: Outcome = worker.recv()
    except (EOFError, OSError) as error:
        raise _ended(task) from error
    return outcome


def _ended(task: Task) -> VerificationError:
    return VerificationError(
        f"Not verified: the process that checked {task.file.file} was ended from outside, or for want of "
        "memory. Look at the system's log, free memory, then verify again; nothing is known until then."
    )


@contextmanager
def _workers(count: int) -> Iterator[list[Worker]]:
    """``count`` processes, each behind its connection; none is left when the ``with`` block ends."""
    started: list[tuple[subprocess.Popen[bytes], Worker]] = []
    try:
        for _ in range(count):
            ours, theirs = multiprocessing.Pipe()
            with theirs:  # closed here once the process has its own, or its end would never be seen
                started.append((_start(theirs.fileno()), ours))
        yield [ours for _, ours in started]
    finally:
        for process, ours in started:
            ours.close()
            process.kill()  # it only reads
            process.wait()


def _start(connection: int) -> subprocess.Popen[bytes]:
    """A fresh interpreter: this process has threads whose locks a fork would take along, and what
    multiprocessing spawns runs the caller's script again."""
    return subprocess.Popen(
        [sys.executable, "-c", _WORK, str(connection)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        pass_fds=(connection,),
    )


def work(connection: int) -> None:
    """What a process does: check the files that it is given, until nobody is there to give one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    pa.set_cpu_count(1)
    tasks: Worker = Connection(connection)
    try:
        while True:
            tasks.send(_outcome(tasks.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
