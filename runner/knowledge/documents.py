"""Documents as passages: Markdown, plain text and PDF, cut where a reader would cut them.

Whatever a document holds, reading it ends: sizes, pages and characters are bounded, and what cannot be read
is a sentence, not a crash.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.knowledge import pdf_text

TEXT_SUFFIXES = (".md", ".markdown", ".txt", ".text", ".rst")
SUFFIXES = (*TEXT_SUFFIXES, ".pdf")
LARGEST_BYTES = 50_000_000
MOST_CHARACTERS = pdf_text.MOST_CHARACTERS
# About 300 tokens: a passage that answers a question, of which a handful fits into any context.
PASSAGE_CHARACTERS = 1_200
_PDF_PATIENCE_S = 60.0
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A piece of a document: its text, and the place where a reader finds it (heading, page)."""

    place: str
    text: str

    @property
    def sha256(self) -> str:
        """SHA256 of the text, in hex."""
        return hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of one document. ``problem`` says what is wrong with it; then passages may be missing."""

    passages: tuple[Passage, ...] = ()
    problem: str | None = None


def read(path: Path) -> Reading:
    """The passages of the document at ``path``."""
    if path.suffix.lower() not in SUFFIXES:
        return Reading(
            problem=f"not read: {path.suffix or 'a file without a suffix'} is none of the known formats"
        )
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return Reading(problem=f"not read: it is larger than {LARGEST_BYTES // 1_000_000} MB")
        return _read_pdf(path) if path.suffix.lower() == ".pdf" else _read_text(path.read_bytes())
    except OSError as error:
        return Reading(problem=f"not read: {error.strerror or error}")


def _read_text(raw: bytes) -> Reading:
    text, problem = _decoded(raw)
    if text is None:
        return Reading(problem=problem)
    if len(text) > MOST_CHARACTERS:
        text, problem = text[:MOST_CHARACTERS], f"read up to {MOST_CHARACTERS:,} characters"
    return Reading(passages=tuple(_passages(text)), problem=problem)


def _decoded(raw: bytes) -> tuple[str | None, str | None]:
    """The text, and what was wrong with its encoding."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace"), None
    if b"\0" in raw:
        return None, "not read: it is no text"
    try:
        return raw.decode("utf-8-sig"), None
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), "no UTF-8: read as Windows-1252"


def _read_pdf(path: Path) -> Reading:
    command = [sys.executable, "-I", str(Path(pdf_text.__file__).resolve()), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PDF_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return Reading(problem=f"not read: no text within {_PDF_PATIENCE_S:g} s")
    passages: list[Passage] = []
    for line in done.stdout.splitlines():
        try:
            number, text = json.loads(line)
        except ValueError:
            break  # the process was stopped in the middle of this page
        passages += _cut(text, f"page {number}")
    problem = None
    if done.returncode == 3:
        problem = f"not read: {done.stderr.decode('utf-8', 'replace')}"
    elif done.returncode:
        problem = "read in part: it needs more time or memory than a document may"
    elif not passages:
        problem = "it holds no text (scanned pages are not read)"
    return Reading(passages=tuple(passages), problem=problem)


def _passages(text: str) -> Iterator[Passage]:
    """Passages of Markdown or plain text; their place is the path of headings above them."""
    headings: list[tuple[int, str]] = []
    block: list[str] = []
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading is None:
            block.append(line)
            continue
        yield from _cut("\n".join(block), _path(headings))
        level = len(heading.group(1))
        headings = [one for one in headings if one[0] < level] + [(level, heading.group(2)[:120])]
        block = [line]
    yield from _cut("\n".join(block), _path(headings))


def _path(headings: list[tuple[int, str]]) -> str:
    return " › ".join(title for _, title in headings)


def _cut(text: str, place: str) -> Iterator[Passage]:
    """``text`` in passages of whole paragraphs; a paragraph that is too long is cut at spaces."""
    held = ""
    for paragraph in re.split(r"\n\s*\n", text):
        for piece in _pieces(paragraph.strip()):
            if held and len(held) + len(piece) + 2 > PASSAGE_CHARACTERS:
                yield Passage(place=place, text=held)
                held = ""
            held = f"{held}\n\n{piece}" if held else piece
    if held:
        yield Passage(place=place, text=held)


def _pieces(paragraph: str) -> Iterator[str]:
    while len(paragraph) > PASSAGE_CHARACTERS:
        space = paragraph.rfind(" ", PASSAGE_CHARACTERS // 2, PASSAGE_CHARACTERS)
        end = space if space > 0 else PASSAGE_CHARACTERS
        yield paragraph[:end].strip()
        paragraph = paragraph[end:].strip()
    if paragraph:
        yield paragraph
