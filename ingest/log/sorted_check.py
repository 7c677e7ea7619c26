"""The rows of a compacted file: in the order of agents and runs, checked as the chains that they are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.errors import SegmentError
from ingest.log.findings import event_name
from ingest.log.lake import SealedFile
from ingest.log.rows import ChainCheck, joined_hex
from ingest.log.segments import widened
from ingest.log.taken_in import TakenIn
from ingest.log.wal import EVENT_LABEL

BATCH_ROWS = 16_000  # as quick as whole row groups, with a quarter of the memory
_CHAIN = [("writer_id", "ascending"), ("seq", "ascending")]


def check_sorted(parquet: pq.ParquetFile, file: SealedFile, checks: list[ChainCheck]) -> None:
    """Check every stretch of ``file``; ``checks`` are one for each, in the manifest's order.

    A file in which all is as sealed is read in batches, in the order in which its rows lie. Otherwise all of
    it is put back into the order of its chains, in memory (2.5 GB for 200 MB), to name what is not.
    """
    if not _is_as_sealed(parquet, file, checks):
        _name_differences(widened(parquet.read()), file, checks)


def _is_as_sealed(parquet: pq.ParquetFile, file: SealedFile, checks: list[ChainCheck]) -> bool:
    """Whether nothing is wrong; then ``checks`` hold what is to be kept of the rows."""
    heads_before = _heads_before(parquet, file, checks)
    if heads_before is None:
        return False
    seen = ChainCheck(writer_id="", next_seq=0, head="", taken_in=_anew(checks[0].taken_in))
    for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
        try:
            rows = widened(pa.table(batch))
        except SegmentError:
            return False
        bodies = pc.fill_null(rows["body"], "").cast(pa.binary()).to_pylist()
        before = heads_before.slice(seen.count, rows.num_rows).to_pylist()
        heads = [
            sha256(EVENT_LABEL + bytes.fromhex(head) + body).digest()
            for head, body in zip(before, bodies, strict=True)
        ]
        seen.check_columns(rows, bodies)
        if seen.findings or joined_hex(heads) != "\n".join(pc.fill_null(rows["hash"], "").to_pylist()):
            return False
        seen.collect(rows)
    _keep(seen, file, checks)
    return True


def _anew(taken_in: TakenIn | None) -> TakenIn | None:
    return TakenIn(taken_in.before) if taken_in is not None else None


def _heads_before(
    parquet: pq.ParquetFile, file: SealedFile, checks: Sequence[ChainCheck]
) -> pa.ChunkedArray | None:
    """The chain value (hex) before each row, as the row before it in its chain states it.

    None where the rows are not just those of the stretches, or a value is not the one that was noted.
    """
    keys = parquet.read(columns=["writer_id", "seq", "hash"])
    if keys.num_rows != sum(one.last_seq - one.first_seq + 1 for one in file.stretches):
        return None
    order = pc.sort_indices(keys, sort_keys=_CHAIN)
    keys = keys.take(order).combine_chunks()
    before: list[pa.Array] = []
    start = 0
    for check, stretch in zip(checks, file.stretches, strict=True):
        count = stretch.last_seq - stretch.first_seq + 1
        rows = keys.slice(start, count)
        hashes = pc.fill_null(rows["hash"], "").combine_chunks()
        noted = {stretch.last_seq: stretch.head, **check.wanted_heads}
        if (
            rows["seq"].to_pylist() != list(range(stretch.first_seq, stretch.last_seq + 1))
            or rows["writer_id"].unique().to_pylist() != [stretch.writer_id]
            or any(
                hashes[seq - stretch.first_seq].as_py() != head
                for seq, head in noted.items()
                if stretch.first_seq <= seq <= stretch.last_seq
            )
        ):
            return None
        before += [pa.array([stretch.prev_head]), hashes.slice(0, count - 1)]
        start += count
    return _hex_values(pa.chunked_array(before).take(pc.sort_indices(order)))


def _hex_values(values: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """``values`` when each is a chain value in hex, else None."""
    return values if pc.all(pc.match_substring_regex(values, "^[0-9a-f]{64}$")).as_py() else None


def _keep(seen: ChainCheck, file: SealedFile, checks: Sequence[ChainCheck]) -> None:
    """Put what was collected into ``checks``, by writer and position as the chains have it."""
    for check, stretch in zip(checks, file.stretches, strict=True):
        check.count = stretch.last_seq - stretch.first_seq + 1
        check.next_seq, check.head = stretch.last_seq + 1, stretch.head
    checks[0].taken_in = seen.taken_in
    checks[0].log_events = sorted(seen.log_events, key=lambda event: (event.writer_id, event.seq))
    if seen.payloads:
        checks[0].payloads = [pa.concat_tables(seen.payloads).sort_by(_CHAIN)]


def _name_differences(rows: pa.Table, file: SealedFile, checks: list[ChainCheck]) -> None:
    """Put the rows back into the order of their chains and check each stretch."""
    order = pc.sort_indices(rows, sort_keys=_CHAIN)
    places = _places(rows.select(["writer_id", "seq"]).take(order))
    end = 0
    for check, stretch in zip(checks, file.stretches, strict=True):
        first, seqs = places.get(stretch.writer_id, (end, []))
        start = first + bisect_left(seqs, stretch.first_seq)
        _name_unlisted(rows, order, range(end, start), checks[0])
        end = first + bisect_left(seqs, stretch.last_seq + 1)
        for begin in range(start, end, BATCH_ROWS):
            check.check(rows.take(order.slice(begin, min(BATCH_ROWS, end - begin))))
    _name_unlisted(rows, order, range(end, rows.num_rows), checks[0])


def _places(positions: pa.Table) -> dict[str | None, tuple[int, list[int]]]:
    """Writer → its first place in the sorted rows and the positions of its events; without one, none."""
    return {writer: (first, seqs) for writer, first, seqs in _runs(positions) if writer is not None}


def _runs(positions: pa.Table) -> Iterator[tuple[str | None, int, list[int]]]:
    encoded = pc.run_end_encode(positions["writer_id"].combine_chunks())
    first = 0
    for writer, last in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True):
        seqs = positions["seq"].slice(first, last - first).drop_null().to_pylist()
        yield writer, first, seqs
        first = last


def _name_unlisted(rows: pa.Table, order: pa.Array, places: range, check: ChainCheck) -> None:
    if not places:
        return
    for row in (
        rows.select(["event_id", "writer_id", "seq"]).take(order.slice(places.start, len(places))).to_pylist()
    ):
        seq = -1 if row["seq"] is None else row["seq"]
        what = event_name(row["event_id"] or "", row["writer_id"] or "", seq)
        check.add("row_unlisted", what, "the manifest lists no such event in its file")
