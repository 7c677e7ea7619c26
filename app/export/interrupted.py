"""Exports whose maker ended in the middle: found by a lock that nobody holds, told and cleared away."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

FOLDERS = ".making-"
_BEGUN = "begun.json"


@dataclass(frozen=True, kw_only=True)
class Begun:
    """An export that was begun: whose, of what, how many rows, and when (RFC 3339, UTC)."""

    person_id: str
    mart: str
    row_count: int
    created_at: str

    @property
    def told(self) -> str:
        """What became of it, in a sentence."""
        return (
            f"The export of {self.row_count:,} rows of {self.mart}, begun by {self.person_id} on "
            f"{dt.datetime.fromisoformat(self.created_at):%-d %b %Y at %H:%M} UTC, was interrupted: what "
            "made it ended before it was whole. Nothing of it was kept. Export the rows again."
        )


@contextlib.contextmanager
def being_made(folder: Path, begun: Begun) -> Iterator[None]:
    """Mark ``folder`` as that of an export in the making while the block runs. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        draft = folder / f"{_BEGUN}.tmp"
        draft.write_text(json.dumps(asdict(begun)), encoding="utf-8")
        draft.rename(folder / _BEGUN)
        yield
    finally:
        os.close(handle)


def unmark(folder: Path) -> None:
    """Take the mark out of a folder that is whole now, before it is shown."""
    (folder / _BEGUN).unlink()


def clear_away(export_dir: Path) -> tuple[Begun, ...]:
    """Remove what interrupted exports left; what is being made by a living process is not touched."""
    found = []
    for folder in sorted(export_dir.glob(f"{FOLDERS}*/")):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):  # finished, or taken, meanwhile
            handle = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The maker marks its folder once it holds the lock: without the mark it has just begun.
                found.append(Begun(**json.loads((folder / _BEGUN).read_text(encoding="utf-8"))))
                shutil.rmtree(folder)
            finally:
                os.close(handle)
    return tuple(found)


@lru_cache(maxsize=4)
def since_the_last_start(export_dir: Path) -> tuple[Begun, ...]:
    """Exports that were interrupted before this process began; cleared away when first asked for."""
    return clear_away(export_dir)
