"""Quarantine: malformed runs of an otherwise good source, kept with their reason until they can be read.

One file per import argument, ``<name>.jsonl``. A line holds format, source_file, position, source_run_id,
reason and raw: a document of the format with this run alone, so that nothing else is needed to read it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest.errors import SourceError
from ingest.importers.formats import Rejected
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One rejected run as it is kept. ``position`` counts from 0 in its document, from 1 in line files."""

    format: str
    source_file: str
    position: int
    source_run_id: str
    reason: str
    raw: str


_DECODER = msgspec.json.Decoder(Kept)
_ENCODER = msgspec.json.Encoder(order="sorted")


def put(workspace: Workspace, source_name: str, rejects: Sequence[Rejected]) -> Path:
    """Keep ``rejects`` of one import argument and return their file; each is kept once, with its last reason.

    The file is replaced in one step, so a crash leaves the old or the new one. Raises SourceError when an
    older file there is damaged.
    """
    path = file_of(workspace, source_name)
    kept = {_identity(one): one for one in read(path)} if path.exists() else {}
    for reject in rejects:
        one = Kept(
            format=reject.format_name,
            source_file=reject.document,
            position=reject.position,
            source_run_id=reject.source_run_id,
            reason=reject.reason,
            raw=reject.raw,
        )
        kept[_identity(one)] = one
    write(path, list(kept.values()))
    return path


def file_of(workspace: Workspace, source_name: str) -> Path:
    """Where what was refused of one import argument is kept."""
    return workspace.quarantine_dir / f"{_file_word(source_name)}.jsonl"


def files(workspace: Workspace) -> list[Path]:
    """The quarantine's files, by name."""
    return sorted(workspace.quarantine_dir.glob("*.jsonl"))


def read(path: Path) -> list[Kept]:
    """What one file keeps. Raises SourceError naming the line when it is damaged."""
    return list(_read(path))


def count(workspace: Workspace) -> int:
    """Runs in quarantine, for the health page: lines, without looking into them."""
    total = 0
    for path in files(workspace):
        with path.open("rb") as file:
            total += sum(1 for _ in file)
    return total


def write(path: Path, kept: Sequence[Kept]) -> None:
    """Replace the file in one step; an empty one is removed."""
    if not kept:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(b"".join(_ENCODER.encode(one) + b"\n" for one in kept))
    temporary.replace(path)


def _read(path: Path) -> Iterator[Kept]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield _DECODER.decode(line)
            except msgspec.MsgspecError as error:
                raise SourceError(
                    f"Quarantine unreadable: {path} line {number} is damaged ({error}). "
                    "Restore the file from a backup, or remove the line."
                ) from error


def _identity(one: Kept) -> tuple[str, str, int, str]:
    return one.format, one.source_file, one.position, one.raw


def _file_word(source_name: str) -> str:
    """The source's name as part of a file name; other letters become '_' and a digest keeps it unique."""
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_"
        for letter in source_name
    )
    return (
        plain[:100]
        if plain == source_name
        else f"{plain[:90]}-{hashlib.sha256(source_name.encode()).hexdigest()[:8]}"
    )
