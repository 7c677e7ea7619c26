"""The pages as ``fleetbook serve`` starts them, where few rows are many and an export waits in the middle.

The export goes on when somebody writes to the pipe ``go`` in the workspace.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app import server
from app.export import package
from app.views._parts import exporting
from ingest.workspace import home

_write = package.write


def _held(*words: Any, told: Callable[[int], None] | None, **about: Any) -> int:
    waits = [home() / "go"]

    def hear(rows: int) -> None:
        if told is not None:
            told(rows)
        if waits:
            _wait(waits.pop())

    return _write(*words, told=hear, **about)


def _wait(pipe: Path) -> None:
    if pipe.is_fifo():
        pipe.read_bytes()


if __name__ == "__main__":
    exporting.BIG_ROWS = 100
    exporting._LARGEST_BYTES = 1_000
    package.write = _held
    server.main()
