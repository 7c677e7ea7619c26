"""Zip archives as imports meet them: stored, deflate and zstd members, read one at a time.

Python 3.11's zipfile does not know method 93 (zstd), which Inspect writes. Such a member is found by its
local header (APPNOTE.TXT 4.3.7) and unpacked by Arrow's codec.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from ingest.errors import SourceError

ZIP_MAGIC = b"PK\x03\x04"
ZSTD_METHOD = 93
ENCRYPTED_FLAG = 0x1
_LOCAL_HEADER_BYTES = 30
_PIECE_BYTES = 1 << 16


class Archive:
    """One zip file; it is opened with the first question, closed by :meth:`close`, and may be asked again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None

    def names(self) -> tuple[str, ...]:
        """Paths of the files inside, in the archive's order, without folders and hidden files.

        Raises SourceError when the directory of the archive is damaged.
        """
        return tuple(
            entry.filename
            for entry in self._opened().infolist()
            if not entry.is_dir() and not is_hidden(PurePosixPath(entry.filename))
        )

    def open(self, name: str) -> BinaryIO:
        """The unpacked bytes of a member. Raises SourceError when it is encrypted or packed in another way.

        Damage inside the member shows while it is read, as zipfile.BadZipFile.
        """
        try:
            entry = self._opened().getinfo(name)
        except KeyError as error:
            raise SourceError(f"Nothing imported: {self.path.name} has no member {name}.") from error
        if entry.flag_bits & ENCRYPTED_FLAG:
            raise SourceError(
                f"Nothing imported: {self.path.name}!{name} is encrypted. Unpack it and import the files."
            )
        if entry.compress_type == ZSTD_METHOD:
            return io.BufferedReader(_ZstdMember(self.path, entry))
        try:
            return io.BufferedReader(self._opened().open(entry))  # type: ignore[type-var]  # it is a readable stream
        except (NotImplementedError, zipfile.BadZipFile) as error:
            raise SourceError(
                f"Nothing imported: {self.path.name}!{name} cannot be unpacked ({error}). "
                "Unpack the archive with another tool and import the files."
            ) from error

    def close(self) -> None:
        """Give up the file."""
        if self._zip:
            self._zip.close()
            self._zip = None

    def _opened(self) -> zipfile.ZipFile:
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError) as error:
                raise SourceError(
                    f"Nothing imported: {self.path} is a damaged zip ({error}). Copy the file again."
                ) from error
        return self._zip


def is_hidden(path: PurePosixPath) -> bool:
    """True for files that no person put there: dotfiles and macOS's shadow folder."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


class _Readable(Protocol):
    """What is used of Arrow's stream."""

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class _Region(io.RawIOBase):
    """Bytes ``start`` to ``start + length`` of a file."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._file.seek(start)
        self._left = length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        found = self._file.read(wanted)
        self._left -= len(found)
        return found

    def close(self) -> None:
        self._file.close()
        super().close()


class _ZstdMember(io.RawIOBase):
    """The unpacked bytes of a member of method 93; its length is checked at the end."""

    def __init__(self, path: Path, entry: zipfile.ZipInfo) -> None:
        super().__init__()
        self._name = entry.filename
        self._left = entry.file_size
        self._region = _Region(path, _data_offset(path, entry), entry.compress_size)
        self._stream = _unpacked(self._region, self._name)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any writable buffer
        try:
            piece = self._stream.read(min(len(buffer), _PIECE_BYTES))
        except (OSError, ValueError) as error:  # Arrow's errors are both
            raise zipfile.BadZipFile(f"zstd data of {self._name} is damaged: {error}") from error
        self._left -= len(piece)
        if self._left < 0 or (not piece and self._left):
            raise zipfile.BadZipFile(f"{self._name} has not the length that its directory states")
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._region.close()
        super().close()


def _unpacked(region: io.RawIOBase, name: str) -> _Readable:
    """Arrow's zstd stream over ``region``; Arrow is loaded here, because only such members need it."""
    import pyarrow as pa

    if not pa.Codec.is_available("zstd"):
        raise SourceError(
            f"Nothing imported: {name} is packed with zstd, which this pyarrow cannot unpack. "
            "Unpack the archive with another tool and import the files."
        )
    stream: _Readable = pa.CompressedInputStream(pa.PythonFile(region, mode="r"), "zstd")
    return stream


def _data_offset(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where the member's data begins; name and extra field of the local header have lengths of their own."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
    if len(header) < _LOCAL_HEADER_BYTES or not header.startswith(ZIP_MAGIC):
        raise SourceError(
            f"Nothing imported: {path.name}!{entry.filename} is not where the archive says. "
            "Copy the file again."
        )
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return int(entry.header_offset) + _LOCAL_HEADER_BYTES + lengths
