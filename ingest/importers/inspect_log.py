"""Inspect logs: ``.eval`` (a zip of JSON, deflate or zstd) and ``.json``; a sample in an epoch is a run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from ingest.errors import SourceError
from ingest.importers.archive import Archive
from ingest.importers.draft import attempt
from ingest.importers.facts import SHAPE_ERRORS
from ingest.importers.formats import Declared, Item, Reading, Rejected
from ingest.importers.inspect_run import sample_run
from ingest.importers.inspect_shape import Header
from ingest.importers.probe import Probe, is_archive
from ingest.importers.source import Json, JsonReader, SourceFile

NAME = "inspect"
HEADER_MEMBER = "header.json"
START_MEMBER = "_journal/start.json"  # instead of the header, while the evaluation runs and when it crashed
SAMPLES_FOLDER = "samples/"
JSON_KEYS = ("version", "status", "eval")


class InspectLog:
    """The importer ``inspect``."""

    name = NAME
    summary = "Inspect logs (.eval, .json)"

    def recognises(self, probe: Probe) -> bool:
        """A zip with Inspect's header, or an object with its first keys."""
        if probe.kind == "archive":
            return HEADER_MEMBER in probe.members or START_MEMBER in probe.members
        return probe.kind == "object" and probe.has(*JSON_KEYS)

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """Samples in file order. Raises SourceError when the log is damaged or has no header."""
        if is_archive(source):
            yield from _read_archive(source, reading)
        else:
            yield from _read_json(source, reading)


FORMAT = InspectLog()


def _read_archive(source: SourceFile, reading: Reading) -> Iterator[Item]:
    archive = Archive(source.path)
    try:
        names = archive.names()
        member = HEADER_MEMBER if HEADER_MEMBER in names else START_MEMBER
        header = _header(source, SourceFile(source.path, archive, member).document())
        yield from _declared(header)
        for name in names:
            if name.startswith(SAMPLES_FOLDER):
                yield _member(SourceFile(source.path, archive, name), header, reading)
    finally:
        archive.close()


def _member(sample: SourceFile, header: Header, reading: Reading) -> Item:
    """One sample; a damaged one is rejected and the others come in."""
    try:
        raw = sample.document()
    except SourceError as error:
        return Rejected(position=0, source_run_id=sample.stem, reason=str(error), raw="")
    return _sample(raw, 0, header, sample, reading)


def _read_json(source: SourceFile, reading: Reading) -> Iterator[Item]:
    header = _json_header(source)
    yield from _declared(header)
    with source.open() as stream:
        reader = JsonReader(stream, source.title)
        for key in reader.members():
            if key == "samples" and reader.next_is("["):
                for position, raw in enumerate(reader.items()):
                    yield _sample(raw, position, header, source, reading)
            else:
                reader.skip()
        reader.finish()


def _json_header(source: SourceFile) -> Header:
    """The log's own words, which stand before its samples."""
    found: dict[str, Json] = {}
    with source.open() as stream:
        reader = JsonReader(stream, source.title)
        if not reader.next_is("{"):
            raise _not_inspect(source, "it does not begin with an object")
        for key in reader.members():
            if key in ("eval", "results"):
                found[key] = reader.value()
            elif key == "samples" and "eval" in found:
                break
            else:
                reader.skip()
    return _header(source, found)


def _header(source: SourceFile, raw: Json) -> Header:
    try:
        return msgspec.convert(raw, type=Header)
    except SHAPE_ERRORS as error:
        raise _not_inspect(source, f"its header is of another shape ({error})") from error


def _not_inspect(source: SourceFile, problem: str) -> SourceError:
    return SourceError(
        f"Nothing imported: {source.title} is no Inspect log: {problem}. "
        "Leave the file out, or name its format."
    )


def _declared(header: Header) -> Iterator[Item]:
    if header.expected is not None:
        yield Declared(run_count=header.expected)


def _sample(raw: Json, position: int, header: Header, source: SourceFile, reading: Reading) -> Item:
    name = f"{raw.get('id')}_epoch_{raw.get('epoch')}" if isinstance(raw, dict) else ""
    return attempt(
        partial(sample_run, raw, header.eval, source, reading),
        # A log with this sample alone: the header's read words are all that is needed to read it again.
        raw={"version": 2, "status": "success", "eval": msgspec.to_builtins(header.eval), "samples": [raw]},
        position=position,
        source_run_id=name,
    )
