"""The beginning of a document: enough to tell its format by content, never by its name."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from typing import Literal

from ingest.errors import SourceError
from ingest.importers.archive import ZIP_MAGIC, Archive
from ingest.importers.source import Json, JsonReader, SourceFile

ProbeKind = Literal["object", "list", "lines", "archive", "damaged", "other"]

MAX_RECORDS = 20  # a session file begins with lines of several kinds
MAX_PROBE_CHARS = 1 << 26  # keys may lie behind long lists; after 64 million characters those seen count


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a document begins with.

    ``keys`` are the keys of the object, or of the first records together; ``records`` the first elements of a
    list or the first lines; ``members`` the paths inside an archive.
    """

    kind: ProbeKind
    keys: frozenset[str] = frozenset()
    records: tuple[Json, ...] = ()
    members: tuple[str, ...] = ()

    def has(self, *keys: str) -> bool:
        """True when all ``keys`` are there."""
        return self.keys.issuperset(keys)


def is_archive(source: SourceFile) -> bool:
    """True when a file on disk is a zip, by its first bytes."""
    if source.archive or not source.path.is_file():
        return False
    with source.path.open("rb") as file:
        return file.read(len(ZIP_MAGIC)) == ZIP_MAGIC


def probe(source: SourceFile) -> Probe:
    """The beginning of ``source``; kind ``other`` when it is no JSON, ``damaged`` when it does not unpack.

    Raises SourceError when the file is missing, unreadable or empty.
    """
    if is_archive(source):
        archive = Archive(source.path)
        try:
            return Probe(kind="archive", members=archive.names())
        finally:
            archive.close()
    with source.open() as stream:
        reader = JsonReader(stream, source.title)
        try:
            if reader.next_is("["):
                return _probe_list(reader)
            is_object = reader.next_is("{")
        except SourceError as error:
            # What is packed and does not unpack was something once; what is no JSON never was.
            is_damaged = isinstance(error.__cause__, (EOFError, OSError, zipfile.BadZipFile, zlib.error))
            return Probe(kind="damaged" if is_damaged else "other")
        return _probe_object(source, reader) if is_object else Probe(kind="other")


def _probe_list(reader: JsonReader) -> Probe:
    """A list; or lines, when something follows it. A damaged list counts with what comes before it."""
    records: list[Json] = []
    try:
        for record in reader.items():
            records.append(record)
            if len(records) == MAX_RECORDS:
                return Probe(kind="list", keys=_keys(records), records=tuple(records))
        is_lines = not reader.at_end()
    except SourceError:
        is_lines = False
    if is_lines:
        return _probe_lines(reader, [records])
    return Probe(kind="list", keys=_keys(records), records=tuple(records))


def _probe_object(source: SourceFile, reader: JsonReader) -> Probe:
    """An object; or lines, when something follows it. A damaged one counts with the keys so far."""
    keys: set[str] = set()
    is_lines = False
    try:
        for key in reader.members():
            keys.add(key)
            if reader.consumed > MAX_PROBE_CHARS:
                return Probe(kind="object", keys=frozenset(keys))
            reader.skip()
        is_lines = not reader.at_end()
    except SourceError:
        pass  # the format says what is wrong when it reads the document
    if not is_lines:
        return Probe(kind="object", keys=frozenset(keys))
    with source.open() as stream:
        return _probe_lines(JsonReader(stream, source.title), [])


def _probe_lines(reader: JsonReader, lines: list[Json]) -> Probe:
    while len(lines) < MAX_RECORDS and not reader.at_end():
        try:
            lines.append(reader.value())
        except SourceError:
            break  # a damaged line is the format's to judge
    return Probe(kind="lines", keys=_keys(lines), records=tuple(lines))


def _keys(records: list[Json]) -> frozenset[str]:
    return frozenset(key for record in records if isinstance(record, dict) for key in record)
