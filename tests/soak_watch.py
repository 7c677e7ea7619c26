"""Memory, open files and files on the disk under a soak: read every few seconds, judged at the end."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.generations import KEPT
from ingest.log.compact import TODAY_FILES
from ingest.workspace import Workspace
from tests.soak_up import Up

READ_SECONDS = 5.0
# Until then a process still loads what it needs once: modules, the warehouse, the first page of each kind.
WARM_SECONDS = 60.0
# Growth is judged where a process was watched for so long after that; shorter lives say nothing.
JUDGED_SECONDS = 60.0
MORE_MEMORY, MORE_MEMORY_BYTES, MORE_FILES = 1.3, 96 << 20, 24


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One process at one moment: seconds since it was first seen, resident bytes, open descriptors."""

    role: str
    pid: int
    age_s: float
    memory_bytes: int
    open_files: int


@dataclass(frozen=True, kw_only=True)
class Growth:
    """One process from its warm beginning to its end: medians of the first and the last third."""

    role: str
    seconds: float
    memory_bytes: tuple[float, float]
    open_files: tuple[float, float]

    @property
    def is_flat(self) -> bool:
        """Neither memory nor descriptors grew beyond what caches explain."""
        (memory, memory_end), (files, files_end) = self.memory_bytes, self.open_files
        return (
            memory_end <= max(MORE_MEMORY * memory, memory + MORE_MEMORY_BYTES)
            and files_end <= files + MORE_FILES
        )

    def __str__(self) -> str:
        before, after = (round(one / (1 << 20)) for one in self.memory_bytes)
        opened, open_end = (round(one) for one in self.open_files)
        return (
            f"{self.role}: {before} → {after} MiB, {opened} → {open_end} open files in {self.seconds:.0f} s"
        )


def watch(up: Up, readings: list[Reading], stop: threading.Event) -> None:
    """Read every process of ``up`` until told to stop."""
    seen: dict[int, float] = {}
    while not stop.wait(READ_SECONDS):
        for role, pid in up.running().items():
            now = time.monotonic()
            try:
                memory, files = _memory_bytes(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))
            except (OSError, StopIteration):
                continue  # it ended meanwhile
            age = now - seen.setdefault(pid, now)
            readings.append(Reading(role=role, pid=pid, age_s=age, memory_bytes=memory, open_files=files))


def _memory_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) * 1024


def growths(readings: Iterable[Reading]) -> list[Growth]:
    """One per process that lived long enough to say something."""
    lives: dict[tuple[str, int], list[Reading]] = {}
    for one in readings:
        if one.age_s >= WARM_SECONDS:
            lives.setdefault((one.role, one.pid), []).append(one)
    found = []
    for (role, _), life in lives.items():
        seconds = life[-1].age_s - life[0].age_s
        if seconds >= JUDGED_SECONDS:
            memory = _ends([one.memory_bytes for one in life])
            files = _ends([one.open_files for one in life])
            found.append(Growth(role=role, seconds=seconds, memory_bytes=memory, open_files=files))
    return found


def _ends(values: Sequence[int]) -> tuple[float, float]:
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


def too_many_files(workspace: Workspace, kill_count: int) -> list[str]:
    """What lies about after everything has ended: open line files, locks, drafts, old generations.

    What is killed may leave one lock and one draft behind; nobody else may.
    """
    root = workspace.root
    lake = list(workspace.lake_dir.rglob("*.parquet"))
    days = {path.parent for path in lake}
    most = {
        "line files in wal/": (len(list(workspace.wal_dir.glob("*.wal"))), 0),
        "locks of processes": (len(list((root / "locks").glob("*.lock"))), kill_count),
        "drafts (*.tmp, *.part)": (len([*root.rglob("*.tmp"), *root.rglob("*.part")]), kill_count),
        "generations": (len(list((workspace.build_dir / "gens").iterdir())), KEPT),
        # A build may find the readers of the log at work, and leave the compaction to the next one.
        "sealed files": (len(lake), 3 * TODAY_FILES * max(1, len(days))),
    }
    return [f"{count} {name}, at most {limit}" for name, (count, limit) in most.items() if count > limit]
