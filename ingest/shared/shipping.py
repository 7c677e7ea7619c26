"""Shipping: what a machine has recorded goes to the shared record, each event once, in each writer's order.

What was acknowledged is on this machine's disk; shipping comes after. Order of the steps: texts, events (each
an object of its own, named by its content), and only then the manifest's lines, which make them part of the
record in one step. Whatever interrupts this, the next round reads the manifest and goes on after its last
line; objects that no line names are not in the record.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from ingest.contract import SCHEMA_VERSION, rfc3339
from ingest.errors import ShippingBusy
from ingest.log.disk import make_folder
from ingest.log.manifest import Manifest, Segment, decode_entry, encode_entry
from ingest.log.segments import event_table, write_rows
from ingest.log.view import View, look
from ingest.log.writer import utc_now
from ingest.shared.erasing import follow_erasures
from ingest.shared.joining import Record, opened
from ingest.shared.lines import add_lines, new_lines
from ingest.shared.machines import OpenWriter, Statement, machine_id, name_of
from ingest.shared.objects import create_whole
from ingest.shared.rejected import ship_rejected
from ingest.shared.stretches import ROWS, Piece, Reached, Stretches
from ingest.shared.texts import digest, named_texts, ship_texts
from ingest.workspace import Workspace

# Lines of one round of puts: enough to be quick, few enough that a lost race costs little.
_PIECES = 64


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """What a round brought to the record: events, their files, texts."""

    events: int = 0
    files: int = 0
    texts: int = 0

    def __add__(self, other: Shipped) -> Shipped:
        return Shipped(
            events=self.events + other.events, files=self.files + other.files, texts=self.texts + other.texts
        )


class Shipper:
    """Ships for one machine. One at a time: a second one is told that the first is at work."""

    def __init__(self, workspace: Workspace, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._workspace = workspace
        self._clock = clock
        known = Workspace(workspace.shipping_dir)
        self._file, self._known = known.manifest_file, Manifest(known)
        self._size = -1
        self._stretches = Stretches(workspace)
        self._reached: dict[str, Reached] = {}
        self._line_count = 0

    def ship(self) -> Shipped:
        """Say how far this machine's writers are, then bring everything that is durable now to the record.

        Raises PlaceError when the place is not reached or another process ships, PlaceRefusal when it is not
        the record that this machine knows, SegmentError when the log is damaged, OSError, KeyUnusable.
        """
        with _alone(self._workspace):
            record = opened(self._workspace)
            follow_erasures(self._workspace, record.objects)
            self._follow(record)
            done = Shipped()
            with look(self._workspace) as view:
                self._speak(record, view)
                planned: dict[str, Reached] = dict(self._reached)
                stretches = self._stretches.unshipped(view, planned)
                while pieces := _taken(stretches):
                    brought = self._bring(record, pieces)
                    if brought is None:  # the record has some of them: what is left is planned anew
                        planned = dict(self._reached)
                        stretches = self._stretches.unshipped(view, planned)
                    else:
                        done += brought
            ship_rejected(record.objects, self._workspace, machine_id(self._workspace))
            return done

    def _follow(self, record: Record) -> None:
        """Read what was added to the shared manifest since the last look."""
        size = self._file.stat().st_size if self._file.exists() else 0
        lines = self._known.lines() if size != self._size else []
        if lines or not size:
            self._reached, self._line_count = {}, 0  # another process followed meanwhile, or nobody ever did
        self._take_in(lines)
        fresh = new_lines(record.objects, self._line_count)
        if fresh:
            self._known.append_lines(fresh)
        self._take_in(fresh)
        self._size = self._file.stat().st_size if self._file.exists() else 0

    def _take_in(self, lines: Sequence[bytes]) -> None:
        for number, line in enumerate(lines, start=self._line_count + 1):
            entry = decode_entry(line, number)
            if isinstance(entry, Segment):
                before = self._reached.get(entry.writer_id)
                if before is None or before.seq < entry.last_seq:
                    self._reached[entry.writer_id] = Reached(entry.last_seq, entry.head)
        self._line_count += len(lines)

    def _bring(self, record: Record, pieces: Sequence[Piece]) -> Shipped | None:
        put = [self._put(record, piece) for piece in pieces]
        segments = [segment for segment, _ in put]
        if not self._list(record, segments):
            return None
        return Shipped(
            events=sum(segment.count for segment in segments),
            files=len(segments),
            texts=sum(count for _, count in put),
        )

    def _put(self, record: Record, piece: Piece) -> tuple[Segment, int]:
        """Bring the texts and the events of ``piece``; not part of the record until its line is."""
        writer_id, first, last = piece.writer_id, piece.chunk.first_seq, piece.last_seq
        table = event_table(piece.chunk)
        stem = f"{writer_id}-{first}-{last}"
        texts = ship_texts(record.objects, self._workspace, named_texts([table]), stem)
        draft = self._workspace.shipping_dir / "segment.parquet"
        file = write_rows(draft, [piece.chunk])
        content = draft.read_bytes()
        draft.unlink()
        if file.min_recorded_at is None or file.max_recorded_at is None:
            raise ValueError(f"{stem} has no events")
        name = f"recorded_date={file.min_recorded_at:%Y-%m-%d}/{stem}.{digest(content)}.parquet"
        create_whole(record.objects, f"lake/{name}", content)
        return (
            Segment(
                writer_id=writer_id,
                first_seq=first,
                last_seq=last,
                count=file.row_count,
                prev_head=piece.prev_head,
                head=piece.chunk.hashes[-1],
                min_recorded_at=rfc3339(file.min_recorded_at),
                max_recorded_at=rfc3339(file.max_recorded_at),
                file=name,
                file_bytes=len(content),
                file_sha256=sha256(content).hexdigest(),
                schema_version=SCHEMA_VERSION,
                is_recovered=piece.sealed is not None and piece.sealed.is_recovered,
                torn_bytes=piece.sealed.torn_bytes if piece.sealed is not None else 0,
                sealed_at=rfc3339(self._clock()),
            ),
            texts,
        )

    def _list(self, record: Record, segments: list[Segment]) -> bool:
        """Add the lines of ``segments``; False when the record has some of their events already."""
        lines = [encode_entry(segment) for segment in segments]
        planned = {segment.writer_id: self._reached.get(segment.writer_id) for segment in segments}
        while not add_lines(record.objects, self._line_count, lines):
            self._follow(record)
            if any(self._reached.get(writer_id) != reached for writer_id, reached in planned.items()):
                return False
        self._follow(record)
        return True

    def _speak(self, record: Record, view: View) -> None:
        """State the writers that are open here, or not wholly shipped, and how far they are."""
        me = machine_id(self._workspace)
        heads = {
            segment.writer_id: Reached(segment.last_seq, segment.head)
            for segment in view.segments  # by first event: the last one counts
            if segment.last_seq > _seq(self._reached.get(segment.writer_id))
        }
        heads |= self._stretches.heads(view, self._reached)
        statement = Statement(
            machine_id=me,
            host=os.uname().nodename,
            stated_at=rfc3339(self._clock()),
            writers=tuple(
                OpenWriter(writer_id=writer_id, seq=head.seq, head=head.head)
                for writer_id, head in sorted(heads.items())
            ),
        )
        record.objects.replace(name_of(me), msgspec.json.encode(statement))


def _seq(reached: Reached | None) -> int:
    return reached.seq if reached is not None else -1


def _taken(stretches: Iterator[Piece]) -> list[Piece]:
    """The next pieces, few enough for one round."""
    pieces: list[Piece] = []
    events = 0
    for piece in stretches:
        pieces.append(piece)
        events += len(piece.chunk.bodies)
        if len(pieces) == _PIECES or events >= ROWS:
            break
    return pieces


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    make_folder(workspace.shipping_dir)
    path: Path = workspace.shipping_dir / ".lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ShippingBusy(
                f"Not shipped: another process ships for {workspace.root}. It does the same; wait for it."
            ) from error
        yield
    finally:
        os.close(fd)
