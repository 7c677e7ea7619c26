"""Restoring a backup into a new folder: each file is compared with what was noted, the log is verified."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from app.errors import BackupError
from app.upkeep.backup import Backup, read_backup
from ingest.errors import IngestError
from ingest.log.disk import file_sha256, sync_folder
from ingest.log.recover import recover
from ingest.log.verify import VerifyReport, verify
from ingest.workspace import MARKER, Workspace


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A restored workspace: the backup it came from, and what verifying its log found."""

    workspace: Workspace
    backup: Backup
    report: VerifyReport

    @property
    def is_whole(self) -> bool:
        """True when nothing of the log is missing or changed; one that was never signed stays unsigned."""
        was_signed = any(name.endswith(".checkpoint") for name in self.backup.files)
        excused = set() if was_signed else {"checkpoint_missing"}
        return {finding.code for finding in self.report.findings} <= excused


def restore(folder: Path, target: Path) -> Restored:
    """Restore the backup in ``folder`` as a workspace at ``target``, which must be empty or missing.

    Each file is compared with its SHA-256 while it is copied. What writers had not sealed is sealed then, as
    after a power cut, and the log is verified at level 2. Raises BackupError when the backup is not whole or
    ``target`` is in use, and OSError; an interrupted restore leaves no workspace: its marker comes last.
    """
    backup = read_backup(folder)
    if MARKER not in backup.files:
        raise BackupError(f"Not restored: {folder} holds no {MARKER}. Take another backup.")
    target = target.resolve()
    _require_free(target)
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(backup.files, key=lambda one: one == MARKER):
        _take(folder / name, target / name, name, backup)
    sync_folder(target)
    workspace = Workspace.open(target)
    Workspace.create(target)  # folders that were empty
    try:
        recover(workspace)
        return Restored(workspace=workspace, backup=backup, report=verify(workspace, 2))
    except IngestError as error:
        raise BackupError(
            f"Restored, but the log cannot be read: {error} The files are those of the backup {folder.name}; "
            "take an older one."
        ) from error


def _require_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(
            f"Not restored: {target} is not empty. Name a new folder; put it in the old one's place when "
            "you have looked at it."
        )


def _take(source: Path, target: Path, name: str, backup: Backup) -> None:
    """Copy one file, and compare the copy with what the backup noted."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise BackupError(f"Not restored: {name!r} in the backup leads out of it. Take another backup.")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        raise BackupError(
            f"Not restored: {name} is missing from the backup {source.parent}. Take another backup."
        ) from None
    kept = backup.files[name]
    if target.stat().st_size != kept.size or file_sha256(target) != kept.sha256:
        target.unlink()
        raise BackupError(
            f"Not restored: {name} in the backup is not what it was when it was made "
            f"(noted SHA-256 {kept.sha256}). Take another backup; the older ones may share this file."
        )
    with target.open("rb") as copy:
        os.fsync(copy.fileno())
