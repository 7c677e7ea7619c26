"""What a machine has not shipped yet: consecutive events of a writer, from line files and sealed files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.errors import SegmentError
from ingest.log.lake import SealedFile
from ingest.log.manifest import Segment, Stretch
from ingest.log.view import OpenFile, View, open_readers
from ingest.log.wal import ChainReader, Chunk, WalName, first_head, next_head
from ingest.workspace import Workspace

ROWS = 64_000  # of one piece, and so of one object: about 10 MB


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Events of one writer that follow what was shipped of it; ``prev_head`` is the chain value before them.

    ``sealed`` is the segment that they end, None while their line file goes on.
    """

    writer_id: str
    prev_head: str
    chunk: Chunk
    sealed: Segment | None

    @property
    def last_seq(self) -> int:
        """Number of the last event."""
        return self.chunk.first_seq + len(self.chunk.bodies) - 1


@dataclass(frozen=True)
class Reached:
    """How far a writer was shipped: number of its last event, and the chain value there (hex)."""

    seq: int
    head: str


@dataclass(frozen=True)
class _Place:
    """Where a look at a line file ended: nothing before it is read again."""

    valid_bytes: int
    next_seq: int
    head: bytes


def reached_by(segments: Iterable[Segment]) -> dict[str, Reached]:
    """How far each writer was shipped, by the ``segments`` of the record."""
    reached: dict[str, Reached] = {}
    for segment in segments:
        if segment.last_seq > _reached(reached, segment.writer_id).seq:
            reached[segment.writer_id] = Reached(segment.last_seq, segment.head)
    return reached


class Stretches:
    """Reads what is new, look after look; line files go on being read where the look before ended."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._places: dict[WalName, _Place] = {}

    def unshipped(self, view: View, reached: dict[str, Reached]) -> Iterator[Piece]:
        """The events of ``view`` after ``reached``, each writer's in order, sealed ones first.

        ``reached`` moves on with each piece. Raises SegmentError when the log is not what was shipped of it.
        """
        for pieces in (self._sealed(view, reached), self._open(view, reached)):
            for piece in pieces:
                reached[piece.writer_id] = Reached(piece.last_seq, piece.chunk.hashes[-1])
                yield piece

    def heads(self, view: View, reached: Mapping[str, Reached]) -> dict[str, Reached]:
        """How far each writer with an open line file is."""
        found: dict[str, Reached] = {}
        for file, reader in self._readers(view, reached):
            for _ in reader.chunks(ROWS):
                pass
            if reader.next_seq > 0:
                found[file.name.writer_id] = Reached(reader.next_seq - 1, reader.head.hex())
        return found

    def _sealed(self, view: View, reached: Mapping[str, Reached]) -> Iterator[Piece]:
        """From sealed files: each file is read once, by as many writers as it holds something new of."""
        segments = {(one.writer_id, one.last_seq): one for one in view.segments}
        stretches = [(stretch, file) for file in view.sealed.files for stretch in file.stretches]
        pending = sorted(
            (one for one in stretches if one[0].last_seq > _reached(reached, one[0].writer_id).seq),
            key=lambda one: one[1].file,
        )
        rows: tuple[str, pa.Table] = ("", None)
        while ready := [one for one in pending if _is_next(one[0], reached)]:
            for stretch, file in ready:
                if rows[0] != file.file:
                    rows = (file.file, self._rows(file))
                after = _reached(reached, stretch.writer_id)
                wanted = pc.and_(
                    pc.equal(rows[1]["writer_id"], stretch.writer_id), pc.greater(rows[1]["seq"], after.seq)
                )
                yield from _pieces(stretch, rows[1].filter(wanted).sort_by("seq"), reached, segments)
            done = {id(stretch) for stretch, _ in ready}
            pending = [one for one in pending if id(one[0]) not in done]

    def _rows(self, file: SealedFile) -> pa.Table:
        path = self._workspace.lake_dir / file.file
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            return parquet.read(columns=["writer_id", "seq", "body", "hash"])

    def _open(self, view: View, reached: Mapping[str, Reached]) -> Iterator[Piece]:
        names = {file.name for file in view.open_files}
        self._places = {name: place for name, place in self._places.items() if name in names}
        for file, reader in self._readers(view, reached):
            yield from self._from_lines(file.name, reader, reached)

    def _readers(self, view: View, reached: Mapping[str, Reached]) -> Iterator[tuple[OpenFile, ChainReader]]:
        """A reader for each line file, that begins at what is not shipped or before."""
        for file, reader in open_readers(view):
            if reader is None:
                continue  # the events before it are missing: verify says so, and recovery leaves it alone
            place, after = self._places.get(file.name), _reached(reached, file.name.writer_id)
            if place is not None and place.next_seq <= after.seq + 1:
                reader.resume(place.valid_bytes, place.next_seq, place.head)
            yield file, reader

    def _from_lines(
        self, name: WalName, reader: ChainReader, reached: Mapping[str, Reached]
    ) -> Iterator[Piece]:
        for chunk in reader.chunks(ROWS):
            after = _reached(reached, name.writer_id)
            skipped = min(max(after.seq + 1 - chunk.first_seq, 0), len(chunk.bodies))
            if skipped == len(chunk.bodies):
                continue
            rest = Chunk(
                first_seq=chunk.first_seq + skipped,
                hashes=chunk.hashes[skipped:],
                bodies=chunk.bodies[skipped:],
            )
            _insist_on_chain(name.writer_id, rest, after)
            yield Piece(writer_id=name.writer_id, prev_head=after.head, chunk=rest, sealed=None)
        self._places[name] = _Place(reader.valid_bytes, reader.next_seq, reader.head)


def _reached(reached: Mapping[str, Reached], writer_id: str) -> Reached:
    return reached.get(writer_id) or Reached(-1, first_head(writer_id).hex())


def _is_next(stretch: Stretch, reached: Mapping[str, Reached]) -> bool:
    return stretch.first_seq <= _reached(reached, stretch.writer_id).seq + 1


def _pieces(
    stretch: Stretch,
    rows: pa.Table,
    reached: Mapping[str, Reached],
    segments: Mapping[tuple[str, int], Segment],
) -> Iterator[Piece]:
    writer_id = stretch.writer_id
    rows = rows.filter(pc.less_equal(rows["seq"], stretch.last_seq))
    for start in range(0, rows.num_rows, ROWS):
        part = rows.slice(start, ROWS)
        seqs = part["seq"].to_pylist()
        bodies = [body.encode() for body in part["body"].to_pylist()]
        chunk = Chunk(first_seq=seqs[0], hashes=part["hash"].to_pylist(), bodies=bodies)
        after = _reached(reached, writer_id)
        _insist_on_chain(writer_id, chunk, after)
        sealed = segments.get((writer_id, seqs[-1]))
        yield Piece(writer_id=writer_id, prev_head=after.head, chunk=chunk, sealed=sealed)


def _insist_on_chain(writer_id: str, chunk: Chunk, after: Reached) -> None:
    """What leaves this machine continues what left it before, event by event."""
    head = bytes.fromhex(after.head)
    for seq, (body, stated) in enumerate(zip(chunk.bodies, chunk.hashes, strict=True), start=after.seq + 1):
        head = next_head(head, body)
        if head.hex() != stated or chunk.first_seq != after.seq + 1:
            raise SegmentError(
                f"Not shipped: event {seq} of writer {writer_id} does not continue what was shipped before "
                f"(seq {after.seq}, chain value {after.head[:16]}…). Run `fleetbook verify` on this machine, "
                "and restore the damaged file from a backup."
            )
