"""JSON lines as they are found: one value per line, sometimes two, and a last line that is still written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.errors import SourceError
from ingest.importers.source import MAX_VALUE_CHARS, Json, SourceFile, damage_named, unknown

_DECODER = json.JSONDecoder(parse_constant=unknown)
_SPACE = " \t\r\n"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One value of a line file; ``problem`` says why ``value`` could not be read, ``text`` is the whole line.

    ``number`` counts lines from 1.
    """

    number: int
    value: Json = None
    problem: str = ""
    text: str = ""


def read_lines(source: SourceFile) -> Iterator[Line]:
    """The values of ``source`` in order; a torn last line (no line end yet) is left for the next import.

    Raises SourceError when the file is missing, empty, damaged or no UTF-8, or a line is too long.
    """
    length = 0
    with source.open() as stream:
        number = 0
        while True:
            with damage_named(source.title, length):
                text = stream.readline(MAX_VALUE_CHARS)
            if not text:
                return
            number += 1
            length += len(text)
            is_whole = text.endswith("\n")
            if len(text) >= MAX_VALUE_CHARS and not is_whole:
                raise SourceError(
                    f"Nothing imported: {source.title} line {number} is longer than {MAX_VALUE_CHARS:,} "
                    "characters. It is no line file; check the format."
                )
            yield from _values(text, number, is_whole)


def _values(text: str, number: int, is_whole: bool) -> Iterator[Line]:
    """The values on one line: usually one; two when a writer lost the line end between them."""
    at = _skip_space(text, 0)
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            if is_whole:
                yield Line(number=number, problem=_reason(error), text=text)
            return
        yield Line(number=number, value=value, text=text)
        at = _skip_space(text, end)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"no valid JSON at character {error.pos}: {error.msg.lower()}"
    return "a value is nested too deeply or a number is too long"


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
