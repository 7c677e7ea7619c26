"""The lake: which sealed files hold the events now, who reads them, and who may replace or remove them."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingest.contract import parse_rfc3339
from ingest.errors import MaintenanceError
from ingest.log.disk import make_folder, open_lock, sync_folder
from ingest.log.manifest import Compaction, Entry, Prune, Segment, Stretch
from ingest.workspace import Workspace

# Six months at their longest (1 July to 1 January): EU AI Act, Articles 19(1) and 26(6).
FLOOR_DAYS = 184
MARKER_SUFFIX = ".compacting"
_READERS = ".readers.lock"
_MAINTENANCE = ".maintenance.lock"
_POLL_S = 0.02


@dataclass(frozen=True, kw_only=True)
class SealedFile:
    """One sealed file: its path below lake/, what the manifest says of it, and the events it must hold."""

    file: str
    file_bytes: int
    file_sha256: str
    count: int
    min_recorded_at: str
    max_recorded_at: str
    stretches: tuple[Stretch, ...]
    is_compacted: bool


@dataclass
class SealedState:
    """What the manifest's lines add up to.

    ``current`` are the files that hold the events, ``replaced`` those that a compaction took the place of,
    ``pruned`` those deleted on record; ``problems`` are records that contradict the lines before them.
    """

    current: dict[str, SealedFile] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    pruned: dict[str, SealedFile] = field(default_factory=dict)
    prunes: list[Prune] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)  # file, what is wrong

    @property
    def files(self) -> list[SealedFile]:
        """The files that hold the events, by the first event of their first writer."""
        return sorted(
            self.current.values(), key=lambda file: (file.stretches[0].writer_id, file.stretches[0].first_seq)
        )


def merged(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """``stretches`` by writer and first event; those that continue each other become one."""
    done: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda one: (one.writer_id, one.first_seq)):
        last = done[-1] if done else None
        if (
            last is not None
            and last.writer_id == stretch.writer_id
            and last.last_seq + 1 == stretch.first_seq
            and last.head == stretch.prev_head
        ):
            done[-1] = Stretch(
                writer_id=last.writer_id,
                first_seq=last.first_seq,
                last_seq=stretch.last_seq,
                prev_head=last.prev_head,
                head=stretch.head,
            )
        else:
            done.append(stretch)
    return tuple(done)


def sealed_state(entries: Sequence[Entry]) -> SealedState:
    """Replay the manifest's ``entries``. Never raises: contradictions are ``problems``."""
    state = SealedState()
    for entry in entries:
        match entry:
            case Segment():
                state.current[entry.file] = _sealed(entry)
            case Compaction():
                _replace(state, entry)
            case Prune():
                _prune(state, entry)
    return state


def _sealed(segment: Segment) -> SealedFile:
    stretch = Stretch(
        writer_id=segment.writer_id,
        first_seq=segment.first_seq,
        last_seq=segment.last_seq,
        prev_head=segment.prev_head,
        head=segment.head,
    )
    return SealedFile(
        file=segment.file,
        file_bytes=segment.file_bytes,
        file_sha256=segment.file_sha256,
        count=segment.count,
        min_recorded_at=segment.min_recorded_at,
        max_recorded_at=segment.max_recorded_at,
        stretches=(stretch,),
        is_compacted=False,
    )


def _replace(state: SealedState, record: Compaction) -> None:
    """The stretches are those of the inputs, never those that the record claims: it must agree with them."""
    inputs = [state.current[name] for name in record.inputs if name in state.current]
    stretches = merged(stretch for file in inputs for stretch in file.stretches)
    if not inputs or len(inputs) != len(set(record.inputs)):
        state.problems.append((record.file, "it replaces files that did not hold events at that time"))
    if stretches != record.stretches or record.count != sum(file.count for file in inputs):
        state.problems.append((record.file, "its record states other events than the files it replaced hold"))
    for file in inputs:
        del state.current[file.file]
        state.replaced.add(file.file)
    if inputs:
        state.current[record.file] = SealedFile(
            file=record.file,
            file_bytes=record.file_bytes,
            file_sha256=record.file_sha256,
            count=record.count,
            # From the inputs: retention must not depend on what a record claims.
            min_recorded_at=min(file.min_recorded_at for file in inputs),
            max_recorded_at=max(file.max_recorded_at for file in inputs),
            stretches=stretches,
            is_compacted=True,
        )


def _prune(state: SealedState, record: Prune) -> None:
    gone = [state.current.pop(name) for name in dict.fromkeys(record.files) if name in state.current]
    if len(gone) != len(record.files) or sum(file.count for file in gone) != record.count:
        state.problems.append((", ".join(record.files), "its prune record names files or events not there"))
    state.pruned.update((file.file, file) for file in gone)
    state.prunes.append(record)


def last_pruned(state: SealedState) -> dict[str, int]:
    """Writer → its last event that was deleted on record."""
    last: dict[str, int] = {}
    for file in state.pruned.values():
        for stretch in file.stretches:
            last[stretch.writer_id] = max(stretch.last_seq, last.get(stretch.writer_id, -1))
    return last


def pruned_too_early(state: SealedState, now: dt.datetime) -> Iterator[tuple[str, str, str]]:
    """Pruned files with events that were, or at ``now`` still are, younger than the legal floor: why, when.

    A file's age is that of its segments, not what the prune record claims.
    """
    for record in state.prunes:
        for name in record.files:
            if name not in state.pruned:
                continue
            newest = state.pruned[name].max_recorded_at
            try:
                days = (min(parse_rfc3339(record.pruned_at), now) - parse_rfc3339(newest)).days
            except ValueError:
                yield name, f"its record states times that are none: {record.pruned_at}, {newest}", ""
                continue
            if days < FLOOR_DAYS:
                detail = f"its newest event was {days} days old, less than {FLOOR_DAYS}"
                yield name, detail, record.pruned_at


@contextmanager
def reading(workspace: Workspace) -> Iterator[None]:
    """While the ``with`` block lasts, nobody removes a file of the lake that was replaced or pruned."""
    with _lock(workspace, _READERS, fcntl.LOCK_SH):
        yield


@contextmanager
def alone(workspace: Workspace, patience_s: float) -> Iterator[bool]:
    """True when nobody reads the lake while the ``with`` block lasts; False when somebody does all the time.

    Waits ``patience_s`` for readers. New readers wait for the block, so it must be short.
    """
    deadline = time.monotonic() + patience_s
    with ExitStack() as held:
        is_alone = False
        while not is_alone:
            try:
                held.enter_context(_lock(workspace, _READERS, fcntl.LOCK_EX | fcntl.LOCK_NB))
                is_alone = True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    break
                time.sleep(_POLL_S)
        yield is_alone


@contextmanager
def maintaining(workspace: Workspace) -> Iterator[None]:
    """One compaction or pruning at a time. Raises MaintenanceError while another one is at work."""
    try:
        with _lock(workspace, _MAINTENANCE, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError as error:
        raise MaintenanceError(
            f"Not begun: another compaction or pruning works on {workspace.lake_dir}. "
            "Wait until it has ended and run the command again."
        ) from error


@contextmanager
def _lock(workspace: Workspace, name: str, operation: int) -> Iterator[None]:
    make_folder(workspace.lake_dir)
    fd = open_lock(workspace.lake_dir / name)
    try:
        fcntl.flock(fd, operation)
        yield
    finally:
        os.close(fd)


def marked_files(workspace: Workspace) -> dict[Path, str]:
    """Marker file → path below lake/ of the compaction output that it announces."""
    found = {}
    for marker in sorted(workspace.lake_dir.glob(f"*{MARKER_SUFFIX}")):
        try:
            found[marker] = marker.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue  # finished since the folder was listed
    return found


def remove_files(workspace: Workspace, files: Iterable[str]) -> list[str] | None:
    """Delete ``files`` (paths below lake/) durably; returns those that were there, None while readers read.

    What stays is removed by the next compaction, pruning or recovery.
    """
    there = [file for file in files if (workspace.lake_dir / file).exists()]
    if not there:
        return []
    try:
        with _lock(workspace, _READERS, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for file in there:
                (workspace.lake_dir / file).unlink(missing_ok=True)
            for folder in sorted({(workspace.lake_dir / file).parent for file in there}):
                sync_folder(folder)
    except BlockingIOError:
        return None
    return there
