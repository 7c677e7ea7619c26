"""Where generations of the warehouse lie: numbered folders that never change, and the pointer to one of them.

``build/`` holds ``gens/<number>/`` (published), ``current`` (the pointer), and what only the builder touches:
``making/`` (the next generation), ``work/`` (its input), ``target/`` (the compiled project), ``kept/`` (what
the next build may go on from).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.errors import BuildBusy

KEPT = 3
"""Published generations that stay: the current one, and two that running pages may still read."""

PIN = "pinned"
"""A file of this name in a generation keeps it for good: something cites it."""


class BuildFolder:
    """The folder ``build/`` of a workspace."""

    def __init__(self, root: Path):
        self.root = root
        self.generations = root / "gens"
        self.making = root / "making"
        self.work = root / "work"
        self.input = root / "work" / "input"
        self.target = root / "target"
        self.logs = root / "logs"
        self.kept = root / "kept"
        self.pointer = root / "current"

    @contextmanager
    def builder(self) -> Iterator[int]:
        """Be the only builder; gives the descriptor that the dbt process must inherit.

        The kernel frees both locks with their processes. The second one is held by the dbt process alone: a
        killed builder's dbt ends at once, and the next builder waits for that before it clears the folder.
        Raises BuildBusy when another builder is at work.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "build.lock").open("a+") as lock, (self.root / "dbt.lock").open("a+") as child_lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read(40).strip() or "unknown"
                raise BuildBusy(
                    f"Build busy: another build of {self.root.parent} is running (process {holder}). "
                    "Wait for it to end, or stop that process; its lock ends with it."
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            fcntl.flock(child_lock, fcntl.LOCK_EX)
            self._clear()
            yield child_lock.fileno()
            shutil.rmtree(self.work, ignore_errors=True)

    def _clear(self) -> None:
        """Remove what a killed or failed build left; none of it was published."""
        for folder in (self.making, self.work):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.generations, self.making, self.input, self.target, self.logs, self.kept):
            folder.mkdir(parents=True, exist_ok=True)

    def numbers(self) -> list[int]:
        """Numbers of the published generations, oldest first."""
        if not self.generations.is_dir():
            return []
        return sorted(int(path.name) for path in self.generations.iterdir() if path.name.isdigit())

    def next_number(self) -> int:
        """The number of the next generation; numbers are not used twice."""
        return max([0, *self.numbers()]) + 1

    def publish(self, number: int, facts: Mapping[str, object]) -> Path:
        """Make ``making/`` generation ``number`` and the current one; ``facts`` is its generation.json."""
        (self.making / "generation.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        for path in sorted(self.making.rglob("*")):
            if path.is_file():
                path.chmod(0o444)
            _to_disk(path)
        _to_disk(self.making)
        final = self.generations / f"{number:06d}"
        self.making.rename(final)
        _to_disk(self.generations)
        flip = self.root / "current.tmp"
        flip.unlink(missing_ok=True)
        flip.symlink_to(final.relative_to(self.root))
        flip.replace(self.pointer)
        _to_disk(self.root)
        self._forget_old()
        return final

    def _forget_old(self) -> None:
        """Remove generations beyond the newest :data:`KEPT`, except pinned ones and the current one."""
        current = self.pointer.resolve().name
        for number in self.numbers()[:-KEPT]:
            folder = self.generations / f"{number:06d}"
            if folder.name != current and not (folder / PIN).exists():
                shutil.rmtree(folder, ignore_errors=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
