"""Heads: how far every open writer has come, signed every few seconds, so that no cut end goes unseen.

A signed head is an extension line of a checkpoint (C2SP tlog-checkpoint), ``open <writer> <seq> <hex>``. It
binds the events that are not sealed yet, without a line of the manifest for each look.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.contract import rfc3339
from ingest.errors import NotaryError, NotaryRefusal
from ingest.log.checkpoint import (
    HEADS_FILE,
    heads_memory_path,
    insist_on_continuation,
    key_path,
    last_signed,
    notary_alone,
    signer_of,
)
from ingest.log.disk import make_folder, write_file
from ingest.log.manifest import Head
from ingest.log.merkle import prefix_roots
from ingest.log.note import Checkpoint, Verifier
from ingest.log.segments import ROW_GROUP_ROWS
from ingest.log.view import OpenFile, View, look, open_readers
from ingest.log.wal import LINE_FRAME_BYTES, WalName
from ingest.log.writer import utc_now
from ingest.workspace import Workspace

_WORD = "open"
_TIME = "at"


@dataclass(frozen=True, kw_only=True)
class SignedHeads:
    """A checkpoint with the heads of the open writers: the note, and what it states."""

    note: str
    checkpoint: Checkpoint
    heads: tuple[Head, ...]


def heads_of(text: str) -> tuple[Head, ...]:
    """The heads in the text of a checkpoint; none in one that was signed without. Raises NotaryError."""
    lines = [line.split(" ") for line in text.split("\n")[3:]]
    noted_at = next((words[1] for words in lines if words[0] == _TIME and len(words) == 2), "")
    try:
        return tuple(
            Head(writer_id=writer_id, seq=int(seq), head=head, noted_at=noted_at)
            for word, writer_id, seq, head in (words for words in lines if words[0] == _WORD)
        )
    except ValueError as error:
        raise NotaryError(
            f"No checkpoint: a head in it is not writer, number and chain value ({error}). "
            "Take the checkpoint from where it was sent to, unchanged."
        ) from error


def _text(checkpoint: Checkpoint, heads: tuple[Head, ...], noted_at: str) -> str:
    lines = [f"{_WORD} {head.writer_id} {head.seq} {head.head}\n" for head in heads]
    return f"{checkpoint.text}{_TIME} {noted_at}\n{''.join(lines)}"


@dataclass(frozen=True)
class _Place:
    """Where the last look at a line file ended, and where its last line begins."""

    valid_bytes: int
    next_seq: int
    head: bytes
    last_line: int

    def is_still_in(self, file: OpenFile) -> bool:
        """True when ``file`` has the same chain value there as before."""
        value = self.head.hex().encode()
        return self.valid_bytes <= file.size and os.pread(file.fd, len(value), self.last_line) == value


@dataclass(frozen=True, kw_only=True)
class _Look:
    """The open writers at one moment: heads, places to go on from, chain values by writer and number."""

    heads: tuple[Head, ...]
    places: dict[WalName, _Place]
    passed: dict[tuple[str, int], str]


class HeadNotary:
    """The notary as it looks at the open writers again and again: it reads what is new, and signs that.

    ``key_file`` as in :func:`ingest.log.checkpoint.notarise`, which has to have signed once.
    """

    def __init__(
        self,
        workspace: Workspace,
        key_file: Path | None = None,
        *,
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._workspace = workspace
        self._key_file = key_file or key_path(workspace)
        self._clock = clock
        self._places: dict[WalName, _Place] = {}

    def sign(self) -> SignedHeads:
        """Sign the manifest's tree and the heads of the open writers; the note replaces the one before.

        Raises NotaryRefusal when a writer has fewer or other events than were signed before, or the manifest
        does not continue; NotaryError; OSError.
        """
        with notary_alone(self._key_file):
            signer = signer_of(self._key_file)
            before = self._before(signer.verifier)
            with look(self._workspace) as view:
                seen = self._look_at_writers(view, before)
                sealed = {(one.writer_id, one.last_seq): one.head for one in view.segments}
                lines = view.lines
            _insist_on_writers(before, seen.heads, {**sealed, **seen.passed})
            signed = last_signed(self._key_file, signer.verifier)
            roots = prefix_roots(lines, [len(lines), *([signed.size] if signed else [])])
            checkpoint = Checkpoint(origin=signer.name, size=len(lines), root=roots[len(lines)])
            insist_on_continuation(self._workspace, signed, checkpoint, roots)
            note = signer.sign(_text(checkpoint, seen.heads, rfc3339(self._clock())))
            # Remembered first, as with every checkpoint.
            write_file(heads_memory_path(self._key_file), note.encode(), mode=0o600)
            write_file(self._workspace.checkpoint_dir / HEADS_FILE, note.encode())
            self._places = seen.places
            return SignedHeads(note=note, checkpoint=checkpoint, heads=seen.heads)

    def _before(self, verifier: Verifier) -> tuple[Head, ...]:
        memory = heads_memory_path(self._key_file)
        if not memory.exists():
            return ()
        return heads_of(verifier.open(memory.read_text(encoding="utf-8")))

    def _look_at_writers(self, view: View, before: tuple[Head, ...]) -> _Look:
        """The heads now; the chain values on the way are those of places that were signed ``before``."""
        wanted = {(head.writer_id, head.seq) for head in before}
        seen = _Look(heads=(), places={}, passed={})
        heads: dict[str, Head] = {}
        for file, reader in open_readers(view):
            if reader is None:
                continue
            writer_id, place = file.name.writer_id, self._places.get(file.name)
            last_line = 0
            if place is not None and place.is_still_in(file):
                reader.resume(place.valid_bytes, place.next_seq, place.head)
                seen.passed[writer_id, place.next_seq - 1] = place.head.hex()
                last_line = place.last_line
            for chunk in reader.chunks(ROW_GROUP_ROWS):
                last_line = reader.valid_bytes - len(chunk.bodies[-1]) - LINE_FRAME_BYTES
                for seq in (seq for one, seq in wanted if one == writer_id):
                    if 0 <= seq - chunk.first_seq < len(chunk.hashes):
                        seen.passed[writer_id, seq] = chunk.hashes[seq - chunk.first_seq]
            if reader.next_seq > file.name.first_seq:
                head = reader.head
                seen.places[file.name] = _Place(reader.valid_bytes, reader.next_seq, head, last_line)
                heads[writer_id] = Head(
                    writer_id=writer_id, seq=reader.next_seq - 1, head=head.hex(), noted_at=""
                )
        return replace(seen, heads=tuple(heads.values()))


def _insist_on_writers(
    before: tuple[Head, ...], heads: tuple[Head, ...], found: dict[tuple[str, int], str]
) -> None:
    newest: dict[str, int] = {head.writer_id: head.seq for head in heads}
    for writer_id, seq in found:
        newest[writer_id] = max(seq, newest.get(writer_id, -1))
    for head in before:
        there = newest.get(head.writer_id, -1)
        is_other = found.get((head.writer_id, head.seq), head.head) != head.head
        if there < head.seq or is_other:
            state = "has other events than" if is_other else f"ends at seq {there}, before"
            raise NotaryRefusal(
                f"Not signed: writer {head.writer_id} {state} what was signed at {head.noted_at} "
                f"(seq {head.seq}, chain value {head.head[:16]}…). Events were removed or rewritten: "
                "keep everything as it is, run `fleetbook verify`, and restore wal/ from a backup."
            )


def remembered_heads(key_file: Path, verifier: Verifier) -> tuple[Head, ...]:
    """The heads that the notary remembers; none where its memory cannot be read or has another key."""
    memory = heads_memory_path(key_file)
    if not os.access(memory, os.R_OK):
        return ()
    try:
        return heads_of(verifier.open(memory.read_text(encoding="utf-8")))
    except NotaryError:
        return ()


def keep_heads(note: str, place: str) -> Path | None:
    """Put ``note`` into the folder ``place`` instead of the one before; None for places of other kinds.

    Those keep every checkpoint for ever, which is too much for one every few seconds. Raises OSError.
    """
    if ":" in place.partition("/")[0]:
        return None
    folder = Path(place).expanduser()
    make_folder(folder.resolve())
    write_file(folder / HEADS_FILE, note.encode())
    return folder / HEADS_FILE
