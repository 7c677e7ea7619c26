"""What an import command names: files, folders and zip archives become documents, each with its format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ingest.errors import SourceError
from ingest.importers.archive import Archive, is_hidden
from ingest.importers.formats import AUTO, FORMATS, ImportFormat, all_formats, find_format
from ingest.importers.probe import Probe, is_archive, probe
from ingest.importers.source import SourceFile


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document and its format; ``is_found``: nobody named it, it lay in a folder or a zip."""

    source: SourceFile
    format: ImportFormat
    is_found: bool


@dataclass(kw_only=True)
class Part:
    """What one argument of the command stands for; ``skipped`` are documents in it that hold no runs."""

    name: str
    documents: list[Document] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def gather(paths: Sequence[Path], format_name: str) -> list[Part]:
    """The documents behind ``paths``. With ``auto`` each is recognised by its content.

    A named file must be of the format; in a folder or a zip, what is of another format is skipped. Raises
    SourceError when a file is missing, damaged or of no known format, or when it could be of several.
    """
    formats = all_formats() if format_name == AUTO else (find_format(format_name),)
    return [_part(path, formats, is_auto=format_name == AUTO) for path in paths]


def _part(path: Path, formats: Sequence[ImportFormat], *, is_auto: bool) -> Part:
    if path.is_dir():
        part = Part(name=f"{path.resolve().name}/")
        for file in _files_below(path):
            _add_found(part, file, formats)
    else:
        part = Part(name=path.name)
        _add_named(part, path, formats, is_auto=is_auto)
    if not part.documents:
        raise SourceError(
            f"Nothing imported: {path} holds no document of {_wanted(formats)}. "
            "Check the path, or name another format."
        )
    return part


def _files_below(folder: Path) -> Iterator[Path]:
    """Files in a stable order, hidden ones left out; links to folders are not followed."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not is_hidden(PurePosixPath(name)):
                yield Path(root) / name


def _add_named(part: Part, path: Path, formats: Sequence[ImportFormat], *, is_auto: bool) -> None:
    source = SourceFile(path)
    if not is_auto and not is_archive(source):
        part.documents.append(Document(source=source, format=formats[0], is_found=False))
        return
    begin = probe(source)
    chosen = _choose(source, begin, formats)
    if chosen:
        part.documents.append(Document(source=source, format=chosen, is_found=False))
    elif begin.kind == "archive":
        _add_members(part, path, begin, formats)
    else:
        raise SourceError(
            f"Nothing imported: {source.title} is of no known format. "
            f"Name the format if you know it: {', '.join(FORMATS)}. "
            "docs/importing.md says what each looks like."
        )


def _add_found(part: Part, path: Path, formats: Sequence[ImportFormat]) -> None:
    source = SourceFile(path)
    if path.stat().st_size == 0:
        part.skipped.append(source.title)
        return
    begin = probe(source)
    chosen = _choose(source, begin, formats)
    if chosen:
        part.documents.append(Document(source=source, format=chosen, is_found=True))
    elif begin.kind == "archive":
        _add_members(part, path, begin, formats)
    else:
        _skip(part, source, begin)


def _skip(part: Part, source: SourceFile, begin: Probe) -> None:
    """Note a document that holds no runs; a damaged one comes first, because it might have held some."""
    if begin.kind == "damaged":
        part.skipped.insert(0, f"{source.title} (damaged)")
    else:
        part.skipped.append(source.title)


def _add_members(part: Part, path: Path, begin: Probe, formats: Sequence[ImportFormat]) -> None:
    archive = Archive(path)
    for member in begin.members:
        source = SourceFile(path, archive, member)
        beginning = _probe_member(source)
        chosen = _choose(source, beginning, formats)
        if chosen:
            part.documents.append(Document(source=source, format=chosen, is_found=True))
        else:
            _skip(part, source, beginning)
    archive.close()


def _probe_member(source: SourceFile) -> Probe:
    try:
        return probe(source)
    except SourceError:
        return Probe(kind="other")  # empty, encrypted, or another archive


def _choose(source: SourceFile, begin: Probe, formats: Sequence[ImportFormat]) -> ImportFormat | None:
    """The one format that recognises the document, or None. Raises SourceError when there are several."""
    fitting = [one for one in formats if one.recognises(begin)]
    if len(fitting) > 1:
        raise SourceError(
            f"Nothing imported: {source.title} could be {' or '.join(one.name for one in fitting)}. "
            "Name the format instead of 'auto'."
        )
    return fitting[0] if fitting else None


def _wanted(formats: Sequence[ImportFormat]) -> str:
    return f"format {formats[0].name}" if len(formats) == 1 else "a known format"
