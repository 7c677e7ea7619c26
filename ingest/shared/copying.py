"""The copy of the shared record on a machine that builds, verifies or looks at the log.

Each object is compared with its digest before it has its name here. Texts come before the events that name
them, files before the manifest's lines; whatever interrupts this, the next fetch does the rest.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ingest.errors import SegmentError
from ingest.log.checkpoint import SUFFIX as CHECKPOINT_SUFFIX
from ingest.log.checkpoint import VKEY_FILE
from ingest.log.disk import make_folder, publish, sync_folder, write_file
from ingest.log.lake import SealedFile, SealedState, remove_files, sealed_state
from ingest.log.manifest import Manifest, decode_lines
from ingest.payload_struck import texts_alone
from ingest.shared import machines, rejected, texts
from ingest.shared.joining import opened
from ingest.shared.lines import new_lines
from ingest.shared.objects import Objects
from ingest.workspace import Workspace

CHECKPOINTS = "checkpoints/"
LAKE = "lake/"
_READERS = 8
_ROUNDS = 5  # a file that is listed and gone was compacted or pruned: the lines after say so


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a fetch brought: manifest lines, files with events, objects with texts."""

    lines: int
    files: int
    texts: int


class _Moved(Exception):
    """A listed file is gone: the record went on."""


def fetch(workspace: Workspace) -> Fetched:
    """Bring the copy of the record that ``workspace`` joined, or the copy itself, up to date with the place.

    Raises PlaceError when it is not reached, PlaceRefusal when it is another record or a shorter one,
    SegmentError when a file is missing there or differs from what was sealed, OSError.
    """
    record, copy = opened(workspace), workspace.record
    fetching = copy.root / "fetching"
    with one_at_a_time(copy):
        for half_made in fetching.iterdir() if fetching.is_dir() else ():
            half_made.unlink()
        make_folder(fetching)
        for left in reversed(range(_ROUNDS)):
            try:
                return _Copier(record.objects, copy, fetching).fetch()
            except _Moved as moved:
                if not left:
                    raise SegmentError(
                        f"Shared record incomplete: {record.objects.address} lists {moved}, and it is "
                        "not there. Restore it from the store's versions, or from a machine that has a copy."
                    ) from moved
    raise AssertionError("the last round returns or raises")


class _Copier:
    """One fetch."""

    def __init__(self, objects: Objects, copy: Workspace, fetching: Path) -> None:
        self._objects = objects
        self._copy = copy
        self._fetching = fetching
        self._manifest = Manifest(copy)

    def fetch(self) -> Fetched:
        known = self._manifest.lines()
        fresh = new_lines(self._objects, len(known))
        state = sealed_state(decode_lines([*known, *fresh]))
        missing = [file for file in state.current.values() if not self._is_here(file)]
        with ThreadPoolExecutor(_READERS) as pool:
            drafts = list(pool.map(self._fetch_file, missing))
        text_count = self._fetch_texts()
        self._fetch_small(machines.FOLDER, ".json", is_replaced=True)
        self._fetch_small(CHECKPOINTS, CHECKPOINT_SUFFIX, is_replaced=False)
        self._fetch_small(CHECKPOINTS, VKEY_FILE, is_replaced=False)
        self._fetch_small(rejected.FOLDER, "", is_replaced=True)
        if fresh or drafts:
            names = [self._path(LAKE + file.file) for file in missing]
            self._manifest.append_lines(fresh, first=lambda: _publish(zip(drafts, names, strict=True)))
        self._remove(state)
        return Fetched(lines=len(fresh), files=len(missing), texts=text_count)

    def _path(self, name: str) -> Path:
        """Where an object lies in the copy; who can write the place must not write elsewhere here."""
        path = self._copy.root / name
        if ".." in path.parts or not path.is_relative_to(self._copy.root):
            raise SegmentError(
                f"Shared record refused: {self._objects.address} names {name}, which lies outside of the "
                "copy. Find out who wrote it; nothing was fetched."
            )
        return path

    def _is_here(self, file: SealedFile) -> bool:
        path = self._path(LAKE + file.file)
        return path.exists() and path.stat().st_size == file.file_bytes

    def _fetch_file(self, file: SealedFile) -> Path:
        content = self._objects.read(LAKE + file.file)
        if content is None:
            raise _Moved(file.file)
        if sha256(content).hexdigest() != file.file_sha256:
            raise SegmentError(
                f"Shared record damaged: {self._objects.address} holds {file.file} with other bytes than "
                "were sealed. Restore it from the store's versions, or from a machine that has a copy."
            )
        return self._draft(file.file_sha256, content)

    def _draft(self, name: str, content: bytes) -> Path:
        draft = self._fetching / name
        draft.write_bytes(content)
        return draft

    def _fetch_texts(self) -> int:
        """New texts come in; those that were erased at the place go here too."""
        there = self._objects.names(texts.FOLDER)
        folder = self._copy.payload_dir
        here = {f"{texts.FOLDER}{path.relative_to(folder).as_posix()}" for path in folder.glob("*/*.parquet")}
        new = [name for name in there if name not in here]
        with ThreadPoolExecutor(_READERS) as pool:
            drafts = list(pool.map(self._fetch_text, new))
        _publish((draft, self._path(name)) for draft, name in zip(drafts, new, strict=True) if draft)
        gone = here - set(there)
        if gone:
            with texts_alone(self._copy):
                for name in sorted(gone):
                    (self._copy.root / name).unlink(missing_ok=True)
                    sync_folder((self._copy.root / name).parent)
        return len(new)

    def _fetch_text(self, name: str) -> Path | None:
        content = self._objects.read(name)
        if content is None:
            return None  # erased since the names were listed
        if not texts.is_whole(name, content):
            raise SegmentError(
                f"Shared record damaged: {self._objects.address} holds {name} with other bytes than were "
                "shipped. Restore it from the store's versions."
            )
        return self._draft(name.replace("/", "-"), content)

    def _fetch_small(self, folder: str, suffix: str, *, is_replaced: bool) -> None:
        """Objects that no digest names: new ones, with ``is_replaced`` all, and then only those stay."""
        there = [name for name in self._objects.names(folder) if name.endswith(suffix)]
        for name in there:
            path = self._path(name)
            content = None if path.exists() and not is_replaced else self._objects.read(name)
            if content is not None:
                make_folder(path.parent)
                write_file(path, content)
        if is_replaced:
            here = {path for path in (self._copy.root / folder).rglob("*") if path.is_file()}
            for path in here - {self._path(name) for name in there}:
                path.unlink()

    def _remove(self, state: SealedState) -> None:
        """What was compacted or pruned goes, unless somebody reads it now: then the next time."""
        remove_files(self._copy, sorted({*state.replaced, *state.pruned}))


def _publish(files: Iterable[tuple[Path, Path]]) -> None:
    for draft, final in files:
        make_folder(final.parent)
        publish(draft, final)


@contextmanager
def one_at_a_time(copy: Workspace) -> Iterator[None]:
    """One fetch at a time for one copy; a second one waits."""
    fd = os.open(copy.root / ".fetching.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
