"""The shared manifest: numbered objects, each made once, so that their order is one and the same for all.

``manifest/000000000041.jsonl`` holds the line with number 41 (counted from 0) and those that came with it.
Who adds lines makes the object that the lines so far lead to; of several that try, one succeeds, and the
others read what it added before they try again. There is no lock that a dead machine could keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ingest.errors import PlaceError, PlaceRefusal
from ingest.shared.objects import Objects

FOLDER = "manifest/"
SUFFIX = ".jsonl"
MOST_LINES = 500  # in one object; who follows looks back as far, to see that the record is the one it knows
_DIGITS = 12
_READERS = 8


def name_of(number: int) -> str:
    """The object whose first line has this ``number``."""
    return f"{FOLDER}{number:0{_DIGITS}d}{SUFFIX}"


def add_lines(objects: Objects, number: int, lines: Sequence[bytes]) -> bool:
    """Add ``lines`` (without LF) after ``number`` others; False when somebody else added some first.

    Nothing is added then. Raises PlaceError: the lines may be there or not, adding them again tells.
    """
    if not 0 < len(lines) <= MOST_LINES:
        raise ValueError(f"{len(lines)} lines do not go into one object")
    return objects.create(name_of(number), b"".join(line + b"\n" for line in lines))


def new_lines(objects: Objects, known: int) -> list[bytes]:
    """The lines after the first ``known``, without LF.

    Raises PlaceRefusal when there are fewer than ``known``, or some between are missing; PlaceError.
    """
    before = max(0, known - MOST_LINES)
    listed = objects.names(FOLDER, after=name_of(before - 1) if before else "")
    first_numbers = [_number(objects, name) for name in listed]
    if known and not any(number < known for number in first_numbers):
        raise _shorter(objects, known)
    wanted = [name for name, number in zip(listed, first_numbers, strict=True) if number >= known]
    with ThreadPoolExecutor(_READERS) as pool:
        contents = list(pool.map(objects.read, wanted))
    lines: list[bytes] = []
    for name, content in zip(wanted, contents, strict=True):
        if content is None or not content.endswith(b"\n") or name != name_of(known + len(lines)):
            raise PlaceRefusal(
                f"Shared record damaged: {objects.address} has {name} after {known + len(lines)} lines. "
                "Keep everything as it is, run `fleetbook verify` on a machine that holds the record, and "
                "restore what is missing below manifest/ from the store's versions."
            )
        lines += content[:-1].split(b"\n")
    return lines


def _number(objects: Objects, name: str) -> int:
    digits = name.removeprefix(FOLDER).removesuffix(SUFFIX)
    if len(digits) != _DIGITS or not digits.isdecimal():
        raise PlaceError(
            f"Shared record not read: {objects.address} holds {name}, which no machine made. "
            "Move it out of manifest/, or name another place."
        )
    return int(digits)


def _shorter(objects: Objects, known: int) -> PlaceRefusal:
    return PlaceRefusal(
        f"Shared record shortened: {objects.address} has fewer than the {known} manifest lines that this "
        "machine has read there. Keep everything as it is, and restore what is missing below manifest/ from "
        "the store's versions or a machine that holds the record."
    )
