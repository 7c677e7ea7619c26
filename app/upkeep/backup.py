"""Backups: the workspace at one moment, each in a folder of its own; what did not change is a hard link.

The order makes it whole while everybody goes on working: the control store first, then the log at one moment
(:func:`ingest.log.view.look`), then the texts, then the rest. A log that is newer than the control store is
fine: an event that is restored in both places is looked up in the log before it is written again.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from app import __version__
from app.errors import BackupError
from ingest.log.disk import file_sha256, make_folder, sync_folder, write_file
from ingest.log.merkle import tree_root
from ingest.log.view import View, look
from ingest.workspace import Workspace

FACTS = "backup.json"
_MAKING = ".making"
_STAMP = "%Y-%m-%dT%H-%M-%SZ"
_BLOCK = 1 << 20

# Made again by the product, or only of use to processes that run now; a notary's key belongs elsewhere.
_NOT_KEPT = frozenset(
    {"build", "knowledge", "locks", "record", "shipping", "wal", "lake", "payloads", "manifest.jsonl", FACTS}
)
_KEYS = "notary.key"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup: its bytes, SHA-256, and when the original was last changed (ns since 1970)."""

    size: int
    sha256: str
    changed_ns: int


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. ``root`` is that of the manifest's tree in hex, over ``manifest_lines`` lines.

    ``left_out`` names, in words, what a restore needs besides; ``damaged`` files differ from the manifest.
    """

    release: str
    made_at: dt.datetime
    manifest_lines: int
    root: str
    left_out: tuple[str, ...]
    damaged: tuple[str, ...]
    files: dict[str, Kept]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup just made: where, what it holds, and the bytes that were copied rather than linked."""

    folder: Path
    backup: Backup
    copied_bytes: int


def backups(place: Path) -> list[Path]:
    """The whole backups in ``place``, oldest first."""
    return sorted(path.parent for path in place.glob(f"*/{FACTS}") if not path.parent.name.startswith("."))


def read_backup(folder: Path) -> Backup:
    """What the backup in ``folder`` holds. Raises BackupError when it is none, or cannot be read."""
    try:
        return msgspec.json.decode((folder / FACTS).read_bytes(), type=Backup)
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(
            f"No backup: {folder / FACTS} cannot be read ({error}). "
            "Name one of the folders that `fleetbook backup` made, such as 2026-11-23T04-00-00Z."
        ) from error


def back_up(workspace: Workspace, place: Path, now: dt.datetime, *, keep: int | None = None) -> Made:
    """Make a backup of ``workspace`` in a new folder of ``place``, and remove all but the newest ``keep``.

    Raises BackupError when ``place`` will not do or another backup is at work there, OSError, and
    SegmentError for a damaged manifest. What a failed backup leaves is cleared by the next one.
    """
    place = place.resolve()
    if place.is_relative_to(workspace.root.resolve()):
        raise BackupError(
            f"Not backed up: {place} lies in the workspace, and would be lost with it. "
            "Name a folder on another disk."
        )
    make_folder(place)
    with _alone(place):
        draft = place / _MAKING
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)  # it holds texts, and hashes of tokens
        before = backups(place)
        copy = _Copy(workspace, draft, before[-1] if before else None)
        backup = copy.make(now)
        write_file(draft / FACTS, msgspec.json.encode(backup))
        folder = place / now.astimezone(dt.UTC).strftime(_STAMP)
        if folder.exists():
            raise BackupError(f"Not backed up: {folder} was made this second. Run the command again.")
        draft.rename(folder)
        sync_folder(place)
        for old in backups(place)[: -keep if keep else 0]:
            shutil.rmtree(old)
        return Made(folder=folder, backup=backup, copied_bytes=copy.copied_bytes)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    with (place / ".backup.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                f"Not backed up: another backup into {place} is at work. Wait until it has ended."
            ) from None
        yield


class _Copy:
    """One backup in the making: files go from the workspace into ``draft``, or are linked from ``before``."""

    def __init__(self, workspace: Workspace, draft: Path, before: Path | None) -> None:
        self._workspace = workspace
        self._draft = draft
        self._before = before
        self._known = read_backup(before).files if before else {}
        self._files: dict[str, Kept] = {}
        self._left_out: list[str] = []
        self._damaged: list[str] = []
        self.copied_bytes = 0

    def make(self, now: dt.datetime) -> Backup:
        self._control_store()
        with look(self._workspace) as view:
            self._log(view)
        self._texts()
        self._rest()
        return Backup(
            release=__version__,
            made_at=now.astimezone(dt.UTC),
            manifest_lines=len(view.lines),
            root=tree_root(view.lines).hex(),
            left_out=tuple(self._left_out),
            damaged=tuple(self._damaged),
            files=dict(sorted(self._files.items())),
        )

    def _control_store(self) -> None:
        """A snapshot by SQLite itself; a server's database has tools of its own."""
        url = self._workspace.control_url
        if not url.startswith("sqlite:///"):
            self._left_out.append("the control store, which is on a database server: back it up there first")
            return
        source = Path(url.removeprefix("sqlite:///"))
        if not source.exists():
            return  # nothing was ever run or applied here
        name = "control.db"
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as theirs,
            closing(sqlite3.connect(self._draft / name)) as ours,
        ):
            theirs.backup(ours)
        copy = self._draft / name
        copy.chmod(source.stat().st_mode & 0o777)
        self.copied_bytes += copy.stat().st_size
        self._note(name, copy.stat().st_size, 0, file_sha256(copy))

    def _log(self, view: View) -> None:
        """What was sealed, what open writers had acknowledged, and the manifest of that moment."""
        root = self._workspace.root
        for one in view.open_files:
            path = one.name.path(self._workspace.wal_dir).relative_to(root)
            with os.fdopen(os.dup(one.fd), "rb") as stream:
                stream.seek(0)
                self._bytes(path.as_posix(), stream.read(one.size))
        for file in view.sealed.files:
            path = self._workspace.lake_dir / file.file
            if self._file(path).sha256 != file.file_sha256:
                self._damaged.append(path.relative_to(root).as_posix())
        self._bytes(self._workspace.manifest_file.name, b"".join(line + b"\n" for line in view.lines))

    def _texts(self) -> None:
        """Files that are open first: one that is sealed meanwhile is then found among the sealed ones."""
        folder = self._workspace.payload_dir
        self._tree(folder / "open")
        for path in sorted(folder.glob("month=*/*.parquet")):
            self._maybe(path)

    def _rest(self) -> None:
        control = {"control.db", "control.db-wal", "control.db-shm", "control.db-queue"}
        for path in sorted(self._workspace.root.iterdir()):
            if path.name in _NOT_KEPT or path.name in control or path.is_symlink():
                continue
            if path.is_dir():
                self._tree(path)
            else:
                self._maybe(path)

    def _tree(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.name == _KEYS:
                self._left_out.append(f"{path.name}, which signs: keep it where nobody who runs agents reads")
            elif path.is_file() and not path.is_symlink() and not path.name.startswith(f"{_KEYS}."):
                self._maybe(path)

    def _maybe(self, path: Path) -> None:
        try:
            self._file(path)
        except FileNotFoundError:
            return  # sealed, replaced or removed by its owner just now

    def _file(self, path: Path) -> Kept:
        """Link or copy one file; its bytes are hashed as they are copied."""
        name = path.relative_to(self._workspace.root).as_posix()
        state = path.stat()
        known = self._known.get(name)
        target = self._target(name)
        if known and self._before and (known.size, known.changed_ns) == (state.st_size, state.st_mtime_ns):
            os.link(self._before / name, target)
            self._files[name] = known
            return known
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as source, target.open("xb") as copy:
            while block := source.read(_BLOCK):
                copy.write(block)
                digest.update(block)
                size += len(block)
            copy.flush()
            os.fchmod(copy.fileno(), state.st_mode & 0o777)
            os.fsync(copy.fileno())
        self.copied_bytes += size
        return self._note(name, size, state.st_mtime_ns, digest.hexdigest())

    def _bytes(self, name: str, content: bytes) -> None:
        write_file(self._target(name), content, mode=0o640)
        self.copied_bytes += len(content)
        self._note(name, len(content), 0, hashlib.sha256(content).hexdigest())

    def _target(self, name: str) -> Path:
        target = self._draft / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _note(self, name: str, size: int, changed_ns: int, sha256: str) -> Kept:
        self._files[name] = Kept(size=size, sha256=sha256, changed_ns=changed_ns)
        return self._files[name]
