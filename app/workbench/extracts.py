"""Extracts: for each person a file with the rows they may see, which has no name and ends with its use.

An extract is filled once per person, scope, generation and population, and its name is removed at once: only
this process holds it, by a file descriptor that it hands to the process that answers. So no second person can
open it, and it is gone when it is dropped, or when this process ends in whatever way.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import WorkbenchError
from app.warehouse import Scope, Scoped
from app.workbench import processes

FOLDER = "extracts"
"""Folder below build/ where extracts are filled; between fillings it is empty."""

FILL_SECONDS = 300.0
IDLE_SECONDS = 1800.0
KEPT = 12
_LEFT_OVER_SECONDS = 2 * FILL_SECONDS


@dataclass(frozen=True, kw_only=True)
class Key:
    """Whose extract it is and of what. Another role, team or generation is another extract."""

    scope: Scope
    generation: str
    is_demo: bool


@dataclass(kw_only=True)
class _Extract:
    key: Key
    descriptor: int
    size: int
    changed_ns: int
    used_at: float
    users: int = 0
    is_dropped: bool = False

    @property
    def is_intact(self) -> bool:
        facts = os.fstat(self.descriptor)
        return (facts.st_size, facts.st_mtime_ns) == (self.size, self.changed_ns)


@dataclass
class Extracts:
    """The extracts of this process: at most one per person, the least used dropped beyond :data:`KEPT`."""

    folder: Path
    idle_seconds: float = IDLE_SECONDS
    _by_person: dict[str, _Extract] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _filling: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def of(self, scoped: Scoped, *, is_demo: bool) -> Iterator[int]:
        """The descriptor of the extract with what ``scoped`` lets through; filled when there is none yet.

        Raises WorkbenchError when it could not be filled.
        """
        key = Key(scope=scoped.scope, generation=str(scoped.warehouse.path), is_demo=is_demo)
        extract = self._take(key) or self._fill(key, scoped)
        try:
            yield extract.descriptor
        finally:
            self._give_back(extract)

    def drop_idle(self) -> None:
        """Drop the extracts that nobody used for long."""
        with self._turn:
            old = time.monotonic() - self.idle_seconds
            for person_id, extract in list(self._by_person.items()):
                if extract.users == 0 and extract.used_at <= old:
                    self._drop(person_id)

    def close(self) -> None:
        """Drop all extracts."""
        with self._turn:
            for person_id in list(self._by_person):
                self._drop(person_id)

    def _take(self, key: Key) -> _Extract | None:
        """The person's extract, when it is of this very scope and generation and as it was filled."""
        with self._turn:
            kept = self._by_person.get(key.scope.person_id)
            if kept is None:
                return None
            if kept.key != key or not kept.is_intact:
                self._drop(key.scope.person_id)
                return None
            kept.users += 1
            return kept

    def _fill(self, key: Key, scoped: Scoped) -> _Extract:
        with self._filling:
            filled = self._take(key)  # another session of this person may have been first
            if filled is not None:
                return filled
            descriptor = fill(self.folder, scoped, is_demo=key.is_demo)
        facts = os.fstat(descriptor)
        extract = _Extract(
            key=key,
            descriptor=descriptor,
            size=facts.st_size,
            changed_ns=facts.st_mtime_ns,
            used_at=time.monotonic(),
            users=1,
        )
        with self._turn:
            self._drop(key.scope.person_id)
            self._by_person[key.scope.person_id] = extract
            for person_id in sorted(self._by_person, key=lambda one: self._by_person[one].used_at)[:-KEPT]:
                self._drop(person_id)
        return extract

    def _give_back(self, extract: _Extract) -> None:
        with self._turn:
            extract.users -= 1
            extract.used_at = time.monotonic()
            if extract.is_dropped and extract.users == 0:
                os.close(extract.descriptor)
        later = threading.Timer(self.idle_seconds, self.drop_idle)
        later.daemon = True
        later.start()

    def _drop(self, person_id: str) -> None:
        """Forget the person's extract; who still reads it closes it."""
        extract = self._by_person.pop(person_id, None)
        if extract is None:
            return
        extract.is_dropped = True
        if extract.users == 0:
            os.close(extract.descriptor)


def fill(folder: Path, scoped: Scoped, *, is_demo: bool) -> int:
    """Fill a new extract and return it as a descriptor, read only; no name leads to it any more.

    Raises WorkbenchError when it could not be filled.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder)
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        file = place / "extract.duckdb"
        ended = processes.run(
            "filling", _request(scoped, file, is_demo), seconds=FILL_SECONDS, tells_errors=True
        )
        if ended.code != 0:
            why = "took too long" if ended.is_out_of_time else (ended.errors.strip() or "died")[-300:]
            raise WorkbenchError(
                f"No extract: filling it from build {scoped.warehouse.build_id} {why}. "
                "Ask again; if it fails again, run `fleetbook build`."
            )
        file.chmod(0o444)  # it has no name; this is for who answers, see child.become_nobody
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise WorkbenchError(
            f"No extract: {error.strerror or error} ({folder}). Free space or correct the folder's rights, "
            "then ask again."
        ) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _request(scoped: Scoped, file: Path, is_demo: bool) -> bytes:
    built = scoped.warehouse.tables()
    tables = [
        {
            "name": mart,
            "sql": scoped.table_statement(mart, is_demo=is_demo).text,
            "meaning": meaning,
            "columns": scoped.column_docs(mart),
        }
        for mart, meaning in scoped.marts().items()
        if mart in built  # a build of an earlier release has fewer tables
    ]
    asked = {"warehouse": str(scoped.warehouse.file), "extract": str(file), "tables": tables}
    return json.dumps(asked).encode()


def _sweep(folder: Path) -> None:
    """Remove what a killed process left while it filled."""
    old = time.time() - _LEFT_OVER_SECONDS
    for left in folder.iterdir():
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < old:
                shutil.rmtree(left, ignore_errors=True)
