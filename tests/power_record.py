"""What real work asks of the disk, recorded: every opening, write, sync, rename and removal below a folder.

What a library writes without Python (Parquet) is recorded when its file is opened to be synced.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

_GONE = " (deleted)"  # what Linux adds to the name of an open file that was removed


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation below the recorded folder: ``what`` happened to ``path``, called from ``site``."""

    what: str  # make, folder, write, cut, sync, rename, remove, promise
    path: str
    site: str = ""
    content: bytes = b""
    size: int = 0  # of a cut
    to: str = ""
    is_folder: bool = False


@dataclass
class Recorder:
    """The operations below ``root`` while :func:`recorded` lasts, and the promises made between them."""

    root: Path
    operations: list[Operation] = field(default_factory=list)

    def note(self, what: str, path: str | Path, **more: object) -> None:
        """Add an operation on ``path`` if it lies below the root."""
        relative = self._relative(path)
        if relative is not None and not relative.endswith(_GONE):
            self.operations.append(Operation(what=what, path=relative, site=_site(), **more))  # type: ignore[arg-type]

    def promise(self, text: str) -> None:
        """From here on whoever was told ``text`` relies on it."""
        self.operations.append(Operation(what="promise", path="", content=text.encode()))

    def _relative(self, path: str | Path) -> str | None:
        text, root = os.fspath(path), str(self.root)
        if text == root:
            return ""
        return text.removeprefix(root + "/") if text.startswith(root + "/") else None


def _site() -> str:
    """The three functions of the log that are at work, the innermost first."""
    frame, names = sys._getframe(2), []
    while frame is not None and len(names) < 3:
        module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.startswith("ingest.") and function not in ("sync_file", "sync_folder"):
            names.append(f"{module.rpartition('.')[2]}.{function}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(names)


@contextmanager
def recorded(root: Path) -> Iterator[Recorder]:
    """Record every file operation of this process below ``root``; the files must all be there and synced."""
    recorder = Recorder(root)
    originals = {name: getattr(os, name) for name in _WATCHED}
    known = {path for path in root.rglob("*")}
    for name, watch in _WATCHED.items():
        setattr(os, name, watch(originals[name], recorder, known))
    try:
        yield recorder
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


Watch: TypeAlias = Callable[[Callable[..., object], Recorder, set[Path]], Callable[..., object]]


def _path_of(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())


def _open(call: Callable[..., object], recorder: Recorder, known: set[Path]) -> Callable[..., object]:
    def watched(path: str | Path, flags: int, *more: object, **named: object) -> object:
        fd = call(path, flags, *more, **named)
        file = Path(path)
        if file.is_file() and file not in known:
            known.add(file)
            recorder.note("make", file)
            if file.stat().st_size:
                recorder.note("write", file, content=file.read_bytes())
        elif flags & os.O_TRUNC:
            recorder.note("cut", file)
        return fd

    return watched


def _write(call: Callable[..., object], recorder: Recorder, known: set[Path]) -> Callable[..., object]:
    def watched(fd: int, content: bytes) -> object:
        written = call(fd, content)
        recorder.note("write", _path_of(fd), content=bytes(content)[:written])  # type: ignore[misc]
        return written

    return watched


def _sync(call: Callable[..., object], recorder: Recorder, known: set[Path]) -> Callable[..., object]:
    def watched(fd: int) -> None:
        call(fd)
        recorder.note("sync", _path_of(fd), is_folder=Path(_path_of(fd)).is_dir())

    return watched


def _cut(call: Callable[..., object], recorder: Recorder, known: set[Path]) -> Callable[..., object]:
    def watched(fd: int, size: int) -> None:
        call(fd, size)
        recorder.note("cut", _path_of(fd), size=size)

    return watched


def _rename(call: Callable[..., object], recorder: Recorder, known: set[Path]) -> Callable[..., object]:
    def watched(source: str | Path, target: str | Path, **named: object) -> None:
        call(source, target, **named)
        known.discard(Path(source))
        known.add(Path(target))
        recorder.note("rename", source, to=recorder._relative(target) or "")

    return watched


def _remove(call: Callable[..., object], recorder: Recorder, known: set[Path]) -> Callable[..., object]:
    def watched(path: str | Path, **named: object) -> None:
        call(path, **named)
        if Path(path) in known:
            known.discard(Path(path))
            recorder.note("remove", path)

    return watched


def _folder(call: Callable[..., object], recorder: Recorder, known: set[Path]) -> Callable[..., object]:
    def watched(path: str | Path, *more: object, **named: object) -> None:
        call(path, *more, **named)
        recorder.note("folder", path)

    return watched


_WATCHED: dict[str, Watch] = {
    "open": _open,
    "write": _write,
    "fsync": _sync,
    "fdatasync": _sync,
    "ftruncate": _cut,
    "rename": _rename,
    "replace": _rename,
    "unlink": _remove,
    "remove": _remove,
    "mkdir": _folder,
}
