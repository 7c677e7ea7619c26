"""A power cut, simulated: from recorded file operations, the states that a disk may be in after losing power.

The model is harsher than common file systems, as in ALICE (OSDI 2014). Until a file is synced, each of its
writes may be missing, torn or there without those before it, and the file may have its length but not its
bytes. Until a folder is synced, each name made, replaced or removed in it may be as before, one by one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from tests.power_record import Operation

_VARIED = 3  # changes of one folder of which each may be the only one that is missing
_PIECE_BYTES = 2048  # what reaches the device together, or not: a few sectors


@dataclass(eq=False)
class _File:
    """An inode: the bytes that are on the device, and what was done since."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # where, bytes; None cuts there
    size: int = 0

    def content(self, kept: Sequence[int]) -> bytes:
        """The bytes when only the pending changes number ``kept`` reached the device."""
        found = bytearray(self.durable)
        for number in kept:
            place, written = self.pending[number]
            if written is None:
                del found[place:]
                continue
            found.extend(bytes(max(0, place - len(found))))
            found[place : place + len(written)] = written
        return bytes(found)


@dataclass(eq=False)
class _Folder:
    """A folder: its names that are on the device, and what was done since: name → file, folder or nothing."""

    durable: dict[str, _File | _Folder] = field(default_factory=dict)
    pending: list[tuple[str, _File | _Folder | None]] = field(default_factory=list)

    def names(self, kept: Sequence[int] | None = None) -> dict[str, _File | _Folder]:
        """Its names when only the pending changes number ``kept`` reached the device (None: all)."""
        found = dict(self.durable)
        for number in range(len(self.pending)) if kept is None else kept:
            name, node = self.pending[number]
            if node is None:
                found.pop(name, None)
            else:
                found[name] = node
        return found


class Disk:
    """A simulated disk that begins with the (durable) files below a folder and takes operations."""

    def __init__(self, root: Path) -> None:
        self.root = _loaded(root)
        self.promises: list[str] = []
        self.touched: list[_Folder] = []  # folders in which the newest operation changed names

    def apply(self, operation: Operation) -> None:
        """Do ``operation``."""
        self.touched = []
        if operation.what == "promise":
            self.promises.append(operation.content.decode())
            return
        folder, _, name = operation.path.rpartition("/")
        match operation.what:
            case "make":
                self._enter(folder, name, _File())
            case "folder":
                self._enter(folder, name, _Folder())
            case "remove":
                self._enter(folder, name, None)
            case "rename":
                node = self._folder(folder).names()[name]
                target, _, new_name = operation.to.rpartition("/")
                self._enter(target, new_name, node)
                self._enter(folder, name, None)
            case "sync":
                self._sync(operation.path)
            case _:
                self._change(self._node(operation.path), operation)

    def _enter(self, folder: str, name: str, node: _File | _Folder | None) -> None:
        self.touched.append(self._folder(folder))
        self.touched[-1].pending.append((name, node))

    def _change(self, file: _File | _Folder, operation: Operation) -> None:
        if not isinstance(file, _File):
            raise TypeError(f"{operation} on a folder")
        if operation.what == "cut":
            file.pending.append((operation.size, None))
            file.size = operation.size
            return
        for start in range(0, len(operation.content), _PIECE_BYTES):
            piece = operation.content[start : start + _PIECE_BYTES]
            file.pending.append((file.size, piece))
            file.size += len(piece)

    def _sync(self, path: str) -> None:
        node = self._node(path)
        if isinstance(node, _File):
            node.durable, node.pending = node.content(range(len(node.pending))), []
        else:
            node.durable, node.pending = node.names(), []

    def _node(self, path: str) -> _File | _Folder:
        node: _File | _Folder = self.root
        for name in filter(None, path.split("/")):
            if not isinstance(node, _Folder):
                raise NotADirectoryError(path)
            node = node.names()[name]
        return node

    def _folder(self, path: str) -> _Folder:
        node = self._node(path)
        if not isinstance(node, _Folder):
            raise NotADirectoryError(path)
        return node

    def nodes(self) -> Iterator[_File | _Folder]:
        """Every file and folder that may be there after a power cut."""
        waiting: list[_File | _Folder] = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node, _Folder):
                found = [*node.durable.values(), *(one for _, one in node.pending if one is not None)]
                waiting += dict.fromkeys(found)


def _loaded(path: Path) -> _Folder:
    return _Folder(
        {
            child.name: _loaded(child)
            if child.is_dir()
            else _File(child.read_bytes(), size=child.stat().st_size)
            for child in path.iterdir()
        }
    )


State: TypeAlias = dict[str, bytes | None]  # relative path → bytes, or None for a folder
_FileRule: TypeAlias = Callable[[_File], bytes]
_FolderRule: TypeAlias = Callable[[_Folder], "Sequence[int]"]


def _all(node: _File | _Folder) -> range:
    return range(len(node.pending))


def _none(node: _File | _Folder) -> range:
    return range(0)


def _torn(file: _File) -> bytes:
    """All but the second half of the last write."""
    if not file.pending or file.pending[-1][1] is None:
        return file.content(_all(file))
    whole, last = file.content(_all(file)), file.pending[-1][1]
    return whole[: len(whole) - len(last) // 2]


def _zeros(file: _File) -> bytes:
    """Its length is there, its bytes are not."""
    return file.durable + bytes(max(0, file.size - len(file.durable)))


def _late_first(file: _File) -> bytes:
    """Only the last write is there, zeros where those before it belong."""
    return file.content(_all(file)[-1:])


_RULES: tuple[tuple[_FileRule, _FolderRule], ...] = (
    (lambda file: file.durable, _none),
    (lambda file: file.content(_all(file)), _all),
    (lambda file: file.durable, _all),
    (lambda file: file.content(_all(file)), _none),
    (_torn, _all),
    (_zeros, _all),
    (_late_first, _all),
)


def states(disk: Disk, dice: random.Random, random_count: int) -> Iterator[State]:
    """States that the disk may be in when the power goes now: orderly ones, then ``random_count`` others."""
    for file_rule, folder_rule in _RULES:
        yield _state(disk.root, file_rule, folder_rule)
    # Folders that the newest operation did not touch were varied after the one that did.
    for touched in disk.touched:
        newest = _all(touched)[-_VARIED:]
        without_one = [[one for one in _all(touched) if one != number] for number in newest]
        for kept in (newest[-1:], *without_one):
            yield _state(disk.root, lambda file: file.content(_all(file)), _only(touched, kept))
    for _ in range(random_count):
        picked = {node: [one for one in _all(node) if dice.random() < 0.5] for node in disk.nodes()}
        yield _state(disk.root, lambda file: file.content(picked[file]), lambda folder: picked[folder])  # noqa: B023


def _only(chosen: _Folder, kept: Sequence[int]) -> _FolderRule:
    return lambda folder: kept if folder is chosen else _all(folder)


def _state(root: _Folder, file_rule: _FileRule, folder_rule: _FolderRule) -> State:
    found: State = {}
    waiting: list[tuple[str, _Folder]] = [("", root)]
    while waiting:
        path, folder = waiting.pop()
        for name, node in folder.names(folder_rule(folder)).items():
            if isinstance(node, _Folder):
                found[path + name] = None
                waiting.append((f"{path}{name}/", node))
            else:
                found[path + name] = file_rule(node)
    return found


def lay_out(state: State, root: Path) -> None:
    """Make the files and folders of ``state`` in the new folder ``root``."""
    root.mkdir(parents=True)
    for path, content in sorted(state.items(), key=lambda item: item[0]):
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A state after a power cut: how many operations came before it, what was promised by then."""

    after: int
    promises: tuple[str, ...]
    state: State

    @property
    def key(self) -> bytes:
        """The same for the same state with the same promises."""
        found = sha256(repr(self.promises).encode())
        for path, content in sorted(self.state.items()):
            found.update(f"\0{path}\0{-1 if content is None else len(content)}\0".encode() + (content or b""))
        return found.digest()


def cuts(template: Path, operations: Sequence[Operation], seed: int, random_count: int) -> Iterator[Cut]:
    """Each different state that a power cut during ``operations`` on ``template`` may leave."""
    disk, dice = Disk(template), random.Random(seed)
    seen: set[bytes] = set()
    for number in range(len(operations) + 1):
        if number:
            disk.apply(operations[number - 1])
        # A sync only takes states away, except in what was promised.
        if number and operations[number - 1].what == "sync" and number < len(operations):
            continue
        for state in states(disk, dice, random_count):
            cut = Cut(after=number, promises=tuple(disk.promises), state=state)
            if cut.key not in seen:
                seen.add(cut.key)
                yield cut


def sync_sites(operations: Sequence[Operation]) -> list[str]:
    """Where the work syncs: one name for each place in the source that syncs a file, and a folder."""
    return list(dict.fromkeys(_sync_name(one) for one in operations if one.what == "sync"))


def _sync_name(operation: Operation) -> str:
    return f"{'folder' if operation.is_folder else 'file'}: {operation.site}"


def without(operations: Sequence[Operation], sites: Sequence[str]) -> list[Operation]:
    """A mutant: the same work if the syncs at ``sites`` were forgotten."""
    return [one for one in operations if one.what != "sync" or _sync_name(one) not in sites]
