"""What a checkpoint sink does, and the simplest one: a folder, such as a mounted share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ingest.errors import NotaryRefusal
from ingest.log.disk import write_file


class Sink(Protocol):
    """A place that keeps checkpoints under their names."""

    def names(self) -> list[str]:
        """Names of what it holds. Raises NotaryError, OSError."""

    def read(self, name: str) -> str:
        """The note of that name. Raises NotaryError, OSError."""

    def keep(self, name: str, note: str) -> str:
        """Keep ``note``, once; returns where it is.

        Raises NotaryRefusal when another note has the name, NotaryError, OSError.
        """


def refusal(place: str, name: str) -> NotaryRefusal:
    """Another checkpoint has this name in ``place``."""
    return NotaryRefusal(
        f"Not kept: {place} holds another checkpoint {name}. Two logs were signed for one place: "
        "keep both, run `fleetbook verify --against` with each, and find out which log is the right one."
    )


class FolderSink:
    """A folder; ``place`` is how messages name it."""

    def __init__(self, folder: Path, place: str) -> None:
        self._folder = folder
        self._place = place

    def names(self) -> list[str]:
        """The files in the folder."""
        return [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []

    def read(self, name: str) -> str:
        """The text of a file. Raises OSError."""
        return (self._folder / name).read_text(encoding="utf-8", errors="replace")

    def holds(self, name: str, note: str) -> bool:
        """True when it is there already. Raises NotaryRefusal when another note has the name."""
        if not (self._folder / name).exists():
            return False
        if self.read(name) != note:
            raise refusal(self._place, name)
        return True

    def keep(self, name: str, note: str) -> str:
        """Write the note unless it is there. Raises NotaryRefusal, OSError."""
        if not self.holds(name, note):
            write_file(self._folder / name, note.encode())
        return str(self._folder / name)
