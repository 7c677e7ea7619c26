"""Source files: plain, gzip or inside a zip, read as a stream of text and decoded one JSON value at a time.

A result file can be larger than memory, so the reader holds one value (one run) and never the document.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeAlias

from ingest.errors import SourceError
from ingest.importers.archive import Archive

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

CHUNK_CHARS = 1 << 20
MAX_VALUE_CHARS = 1 << 28  # one run of 256 million characters is a damaged file, not a run
GZIP_MAGIC = b"\x1f\x8b"
# The decoder names the place where it stopped; a place this close to the end of the buffer means "read on".
NEAR_END_CHARS = 16


@dataclass(frozen=True)
class SourceFile:
    """One document to import: a file, or a member of a zip archive.

    ``name`` is the base name of the file on disk, the only part of its path that reaches the log.
    """

    path: Path
    archive: Archive | None = field(default=None, compare=False, repr=False)
    member: str = ""

    @property
    def name(self) -> str:
        """File name without folders; of the archive, for a member."""
        return self.path.name

    @property
    def title(self) -> str:
        """The name for messages: a member is ``archive.zip!path/inside.json``."""
        return f"{self.name}!{self.member}" if self.member else self.name

    @property
    def stem(self) -> str:
        """Name of the document itself, without folders and without ``.gz`` and its last ending."""
        leaf = PurePosixPath(self.member or self.name).name
        return PurePosixPath(leaf.removesuffix(".gz")).stem

    def open(self) -> io.TextIOWrapper:
        """The text of the document, unpacked when it is gzip (by content, not by name).

        Raises SourceError when it is missing, a folder, empty, or named ``.gz`` without being gzip.
        """
        raw = self.archive.open(self.member) if self.archive else _open_file(self.path)
        with damage_named(self.title, 0):
            magic = raw.peek(2)[:2] if isinstance(raw, io.BufferedReader) else b""
        if not magic:
            raw.close()
            raise SourceError(f"Nothing imported: {self.title} is empty. Export or copy it again.")
        if magic == GZIP_MAGIC:
            # TextIOWrapper owns the GzipFile, which owns the raw file: closing the text closes all three.
            encoding = _encoding(_unpacked_mark(raw))
            return io.TextIOWrapper(_OwningGzip(raw), encoding=encoding)
        if self.title.endswith(".gz"):
            raw.close()
            raise SourceError(
                f"Nothing imported: {self.title} is named .gz but is not gzip. "
                "Rename it to .json, or compress it with gzip."
            )
        return io.TextIOWrapper(raw, encoding=_encoding(magic))

    def document(self) -> Json:
        """The one JSON value of the document. Raises SourceError when it is no JSON or something follows."""
        with self.open() as stream:
            reader = JsonReader(stream, self.title)
            value = reader.value()
            reader.finish()
            return value


def _encoding(mark: bytes) -> str:
    """UTF-16 where a text begins with its mark, as Windows shells write into a file; else UTF-8."""
    return "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _unpacked_mark(raw: BinaryIO) -> bytes:
    """The first two bytes of what is packed in ``raw``, which stays where it is; none when it is damaged."""
    head = raw.peek(1 << 12) if isinstance(raw, io.BufferedReader) else b""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 2)
    except zlib.error:
        return b""  # the reader says what is wrong


def _open_file(path: Path) -> io.BufferedReader:
    if not path.exists():
        raise SourceError(f"Nothing imported: {path} does not exist. Check the path.")
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceError(
            f"Nothing imported: {path} cannot be opened ({error.strerror}). Check its permissions."
        ) from error


class _OwningGzip(gzip.GzipFile):
    """A gzip reader that closes the file below it."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._raw_below = raw

    def close(self) -> None:
        super().close()
        self._raw_below.close()


def unknown(constant: str) -> None:
    """NaN and Infinity, which Python writes and JSON does not know, are no number that anybody stated."""


@contextmanager
def damage_named(document: str, length: int) -> Iterator[None]:
    """Turns what reading a damaged file raises into a SourceError; ``length`` characters came whole."""
    try:
        yield
    except EOFError as error:
        raise _cut_short(document, length) from error
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        kind = "zip" if isinstance(error, zipfile.BadZipFile) else "gzip"
        raise SourceError(
            f"Nothing imported: {document} is damaged {kind} ({error}). Copy the file again."
        ) from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"Nothing imported: {document} is not UTF-8 text ({error.reason}). Convert it to UTF-8."
        ) from error


def _cut_short(document: str, length: int) -> SourceError:
    return SourceError(
        f"Nothing imported: {document} ends in the middle of its JSON, "
        f"after {length:,} characters. Copy or export the file again."
    )


class JsonReader:
    """Decodes one JSON document from a text stream, value by value.

    ``document`` names it in errors. Every method raises SourceError when the text ends
    too early or is no JSON.
    """

    def __init__(self, stream: io.TextIOBase, document: str) -> None:
        self._stream = stream
        self._document = document
        self._decoder = json.JSONDecoder(parse_constant=unknown)
        self._buffer = ""
        self._at = 0
        self._dropped = 0
        self._ended = False

    def members(self) -> Iterator[str]:
        """Keys of the object that comes next; the caller consumes each value with value, items or skip."""
        self._expect("{", "a JSON object")
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise self._malformed("a key is no text")
            self._expect(":", "a colon after a key")
            yield key
            if self._take_separator("}"):
                return

    def items(self) -> Iterator[Json]:
        """Elements of the array that comes next, one at a time."""
        self._expect("[", "a JSON array")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._take_separator("]"):
                return

    def next_is(self, opening: str) -> bool:
        """True when the next value begins with ``opening`` (``{``, ``[`` or ``\"``)."""
        return self._peek() == opening

    def skip(self) -> None:
        """Pass over the next value; the elements of an array one at a time."""
        if self._peek() == "[":
            for _ in self.items():
                pass
        else:
            self.value()

    def value(self) -> Json:
        """The next value as Python objects."""
        self._peek()
        while True:
            try:
                decoded, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                self._read_on_or_raise(error)
                continue
            except (RecursionError, ValueError) as error:
                raise self._malformed("a value is nested too deeply or a number is too long") from error
            if end == len(self._buffer) and self._fill():
                continue  # a number may go on in the next chunk
            self._at = end
            result: Json = decoded
            return result

    @property
    def consumed(self) -> int:
        """Characters read so far."""
        return self._dropped + self._at

    def finish(self) -> None:
        """Raise SourceError when anything but white space follows the document."""
        if self._peek():
            raise self._malformed("something follows the JSON document")

    def at_end(self) -> bool:
        """True when only white space is left."""
        return self._peek() == ""

    def _read_on_or_raise(self, error: json.JSONDecodeError) -> None:
        """Double the buffer after a failed decode, or raise when more text cannot cure it."""
        unterminated = error.msg.startswith("Unterminated string")
        if not unterminated and error.pos < len(self._buffer) - NEAR_END_CHARS:
            raise self._malformed(error.msg.lower(), error.pos)
        held = len(self._buffer) - self._at
        if held > MAX_VALUE_CHARS:
            raise self._malformed(f"one value is longer than {MAX_VALUE_CHARS:,} characters")
        if not self._fill():
            if unterminated or error.pos >= len(self._buffer) - 1:
                raise self._truncated()
            raise self._malformed(error.msg.lower(), error.pos)
        while len(self._buffer) < 2 * held and self._fill():
            pass

    def _take_separator(self, closing: str) -> bool:
        """Consume ``,`` (False) or ``closing`` (True)."""
        found = self._peek()
        if found == "":
            raise self._truncated()
        if found not in (",", closing):
            raise self._malformed(f"expected ',' or '{closing}'")
        self._at += 1
        return found == closing

    def _expect(self, character: str, what: str) -> None:
        found = self._peek()
        if found == "":
            raise self._truncated()
        if found != character:
            raise self._malformed(f"expected {what}")
        self._at += 1

    def _peek(self) -> str:
        """The next character that is not white space, or '' at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in " \t\r\n":
                    return self._buffer[self._at]
                self._at += 1
            if not self._fill():
                return ""

    def _fill(self) -> bool:
        if self._ended:
            return False
        with damage_named(self._document, self._dropped + len(self._buffer)):
            chunk = self._stream.read(CHUNK_CHARS)
        if not chunk:
            self._ended = True
            return False
        self._buffer = self._buffer[self._at :] + chunk
        self._dropped += self._at
        self._at = 0
        return True

    def _truncated(self) -> SourceError:
        return _cut_short(self._document, self._dropped + len(self._buffer))

    def _malformed(self, problem: str, position: int | None = None) -> SourceError:
        where = self._dropped + (self._at if position is None else position)
        return SourceError(
            f"Nothing imported: {self._document} is no valid JSON at character {where:,}: {problem}. "
            "Correct the file or export it again."
        )
