"""One sealed file against the manifest: its bytes, and every stretch of a chain that it must hold."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.errors import SegmentError
from ingest.log.disk import file_sha256
from ingest.log.findings import event_name
from ingest.log.lake import SealedFile
from ingest.log.manifest import Stretch
from ingest.log.rows import ChainCheck
from ingest.log.segments import widened

_BATCH_ROWS = 16_000  # as quick as whole row groups, with a quarter of the memory


def check_sealed_file(
    lake: Path, file: SealedFile, noted: Mapping[str, dict[int, str]], *, is_hashed: bool
) -> list[ChainCheck]:
    """Check ``file``; one result for each stretch, findings about the file itself with the first.

    ``noted`` are heads of writers (writer → seq → chain value) from the manifest; ``is_hashed`` compares the
    file's bytes too. Raises PermissionError.
    """
    checks = [
        ChainCheck(
            writer_id=stretch.writer_id,
            next_seq=stretch.first_seq,
            head=stretch.prev_head,
            wanted_heads=noted.get(stretch.writer_id, {}),
        )
        for stretch in file.stretches
    ]
    name = f"file {file.file}"
    if _read(lake / file.file, file, checks, is_hashed=is_hashed):
        count = sum(check.count for check in checks)
        if count != file.count:
            checks[0].add("count_differs", name, f"it has {count} events, the manifest says {file.count}")
        for check, stretch in zip(checks, file.stretches, strict=True):
            _check_end(check, stretch, name)
    for check in checks:
        check.finish(name)
    return checks


def _check_end(check: ChainCheck, stretch: Stretch, name: str) -> None:
    if check.head != stretch.head:
        detail = f"{stretch.writer_id} ends in {check.head[:16]}…, the manifest says {stretch.head[:16]}…"
        check.add("head_differs", name, detail)


def _read(path: Path, file: SealedFile, checks: list[ChainCheck], *, is_hashed: bool) -> bool:
    """Give every row to the check of its stretch; False when the file cannot be read."""
    name = f"file {file.file}"
    try:
        if is_hashed and file_sha256(path) != file.file_sha256:
            detail = f"its SHA-256 is not {file.file_sha256[:16]}… as in the manifest"
            checks[0].add("file_changed", name, detail)
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            if file.is_compacted:
                _check_sorted(widened(parquet.read()), file, checks)
            else:
                for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
                    checks[0].check(widened(pa.table(batch)))
    except FileNotFoundError:
        code, detail = "file_missing", f"it held {_held(file)}"
    except PermissionError:
        raise
    except (OSError, pa.ArrowException, SegmentError) as error:
        code, detail = "file_unreadable", str(error)
    else:
        return True
    checks[0].add(code, name, detail)
    for check in checks:
        check.is_unread = True
    return False


def _held(file: SealedFile) -> str:
    named = [f"events {one.first_seq} to {one.last_seq} of {one.writer_id}" for one in file.stretches[:3]]
    more = len(file.stretches) - len(named)
    return ", ".join(named) + (f" and those of {more} more" if more else "")


def _check_sorted(rows: pa.Table, file: SealedFile, checks: list[ChainCheck]) -> None:
    """Put the rows of a compacted file back into the order of their chains and check each stretch."""
    order = pc.sort_indices(rows, sort_keys=[("writer_id", "ascending"), ("seq", "ascending")])
    places = _places(rows.select(["writer_id", "seq"]).take(order))
    end = 0
    for check, stretch in zip(checks, file.stretches, strict=True):
        first, seqs = places.get(stretch.writer_id, (end, []))
        start = first + bisect_left(seqs, stretch.first_seq)
        _name_unlisted(rows, order, range(end, start), checks[0])
        end = first + bisect_left(seqs, stretch.last_seq + 1)
        for begin in range(start, end, _BATCH_ROWS):
            check.check(rows.take(order.slice(begin, min(_BATCH_ROWS, end - begin))))
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
