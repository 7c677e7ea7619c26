"""The manifest of an export: what was asked, from which build, how many rows, and the digest of each file."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.errors import ExportError

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of the export: its name, size in bytes, SHA-256 in hex, and rows."""

    name: str
    size_bytes: int
    sha256: str
    row_count: int


@dataclass(frozen=True, kw_only=True)
class ColumnEntry:
    """One column of the rows, in order: name, type, and its sentence from the warehouse."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One export. ``filters`` and ``scope`` are what the rows were cut by; times are RFC 3339 UTC.

    ``mart`` is the table, or the number, chart or page whose rows they are; ``sql`` gave the rows, empty for
    rows read live; ``made_by`` is the SQL that makes the number of them, empty where they are no number's.
    """

    export_id: str
    created_at: str
    person_id: str
    role_id: str
    scope: str
    mart: str
    filters: dict[str, str]
    is_demo: bool
    build_id: str
    data_until: str
    row_count: int
    columns: tuple[ColumnEntry, ...]
    files: tuple[FileEntry, ...]
    sql: str = ""
    made_by: str = ""
    version: int = MANIFEST_VERSION

    def to_bytes(self) -> bytes:
        """The manifest file's bytes: JSON with sorted keys. Their SHA-256 is in the export's event."""
        return (json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @property
    def sha256(self) -> str:
        """SHA-256 of the manifest file, in hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def created(self) -> dt.datetime:
        """When the export was made, in UTC."""
        return dt.datetime.fromisoformat(self.created_at)


def describe(path: Path, row_count: int) -> FileEntry:
    """The manifest entry of a written file. The digest is of the bytes on disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(name=path.name, size_bytes=path.stat().st_size, sha256=digest, row_count=row_count)


def read(folder: Path) -> Manifest:
    """The manifest in ``folder``. Raises ExportError when it is missing or no manifest of this release."""
    path = folder / MANIFEST_NAME
    try:
        raw = json.loads(path.read_bytes())
        files = tuple(FileEntry(**entry) for entry in raw.pop("files"))
        columns = tuple(ColumnEntry(**entry) for entry in raw.pop("columns"))
        return Manifest(**raw, files=files, columns=columns)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(
            f"Export unreadable: {path} is no export manifest. Restore it from a backup, or export again."
        ) from error


def differences(folder: Path) -> list[str]:
    """What differs between the files in ``folder`` and its manifest, as sentences; empty when all agree."""
    found: list[str] = []
    for entry in read(folder).files:
        path = folder / entry.name
        if not path.exists():
            found.append(f"{entry.name} is missing.")
        elif describe(path, entry.row_count) != entry:
            found.append(f"{entry.name} is not the file that was exported.")
    return found
