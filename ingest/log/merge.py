"""Merging: the events of many sealed files in one, by agent and run, in little memory.

The rows are dealt into buckets by their agent and run, so that one bucket after the other can be sorted in
memory and written. Sorting all rows of a file of 200 MB at once would take 5 GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import arrow_schema
from ingest.errors import SegmentError
from ingest.log.disk import file_sha256
from ingest.log.lake import SealedFile
from ingest.log.segments import widened

# One run lies in one or two groups; smaller ones would make the footer large and reading all slow.
GROUP_ROWS = 32_000
# 128,000 events are about 300 MB while they are sorted.
BUCKET_ROWS = 4 * GROUP_ROWS
_ORDER = [(name, "ascending") for name in ("agent_id", "run_id", "writer_id", "seq")]
_KEYS = ["agent_id", "run_id"]
_LAST = "\U0010ffff"  # rows without agent or run come last, as Arrow sorts nulls
# Agents are told apart by the groups' statistics; runs of all agents overlap in time and so in their ids, so
# that a reader who does not know the agent needs the filter. 1 % of the other groups are read in vain.
_BLOOM = {"run_id": {"ndv": 4_000, "fpp": 0.01}}


def merge(lake: Path, inputs: Sequence[SealedFile], target: Path, *, group_rows: int = GROUP_ROWS) -> int:
    """Write the rows of ``inputs`` (below ``lake``) to ``target`` in order; returns their number.

    Every row group is read back and compared: the old files may go after this. Scratch files lie beside
    ``target`` and begin with its name. Raises SegmentError when an input is not what was sealed or the result
    does not read back, OSError.
    """
    scratch = _deal(lake, inputs, target, group_rows * (BUCKET_ROWS // GROUP_ROWS))
    try:
        count = _write(target, scratch, group_rows)
        _insist_readable(target, scratch, group_rows)
    finally:
        for path in scratch:
            path.unlink(missing_ok=True)
    return count


def _deal(lake: Path, inputs: Sequence[SealedFile], target: Path, bucket_rows: int) -> list[Path]:
    """Deal all rows into scratch files, whose order is that of the keys in them."""
    keys, bucket_of = _buckets([_intact(lake, file) for file in inputs], bucket_rows)
    paths = [
        target.with_name(f"{target.name}.{number}.part") for number in range(pc.max(bucket_of).as_py() + 1)
    ]
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with ExitStack() as stack:
        writers = [
            stack.enter_context(pa.ipc.new_file(str(path), arrow_schema(), options=options)) for path in paths
        ]
        for file in inputs:
            rows = _rows(lake / file.file, file)
            buckets = bucket_of.take(pc.index_in(_key(rows), value_set=keys))
            for number in buckets.unique().to_pylist():
                writers[number].write_table(rows.filter(pc.equal(buckets, number)))
    return paths


def _buckets(paths: Sequence[Path], bucket_rows: int) -> tuple[pa.Array, pa.Array]:
    """All keys in order, and the bucket of each: the rows of a key stay together."""
    counted = [
        pa.table({"key": _key(pq.read_table(path, columns=_KEYS, partitioning=None))})
        .group_by("key")
        .aggregate([([], "count_all")])
        for path in paths
    ]
    total = pa.concat_tables(counted).group_by("key").aggregate([("count_all", "sum")]).sort_by("key")
    counts = total["count_all_sum"].combine_chunks()
    before = pc.subtract(pc.cumulative_sum(counts), counts)
    return total["key"].combine_chunks(), pc.divide(before, bucket_rows)


def _key(rows: pa.Table) -> pa.Array:
    filled = [pc.fill_null(rows[name], _LAST) for name in _KEYS]
    key = pc.binary_join_element_wise(*filled, "\x1f")
    return key.combine_chunks() if isinstance(key, pa.ChunkedArray) else key


def _intact(lake: Path, file: SealedFile) -> Path:
    """The path of ``file``; a damaged file must not be made to look whole."""
    path = lake / file.file
    if not path.exists() or file_sha256(path) != file.file_sha256:
        raise SegmentError(
            f"Not compacted: {path} is missing or differs from what was sealed. "
            "Run `fleetbook verify` to see which events are concerned, and restore it from a backup."
        )
    return path


def _rows(path: Path, file: SealedFile) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
        rows = widened(parquet.read())
    if rows.num_rows != file.count:
        raise SegmentError(
            f"Not compacted: {path} has {rows.num_rows} events, the manifest says {file.count}. "
            "Run `fleetbook verify` and restore the file from a backup."
        )
    return rows


def _sorted_groups(scratch: Sequence[Path], group_rows: int) -> Iterator[pa.Table]:
    for path in scratch:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            rows = reader.read_all()
            order = pc.sort_indices(rows, sort_keys=_ORDER)
            for start in range(0, len(order), group_rows):
                yield rows.take(order.slice(start, group_rows))


def _write(target: Path, scratch: Sequence[Path], group_rows: int) -> int:
    count = 0
    with pq.ParquetWriter(
        target,
        arrow_schema(),
        compression="zstd",
        write_page_checksum=True,
        version="2.6",
        bloom_filter_options=_BLOOM,
    ) as writer:
        for group in _sorted_groups(scratch, group_rows):
            writer.write_table(group, row_group_size=group_rows)
            count += group.num_rows
    return count


def _insist_readable(target: Path, scratch: Sequence[Path], group_rows: int) -> None:
    with pq.ParquetFile(target, page_checksum_verification=True) as written:
        groups = _sorted_groups(scratch, group_rows)
        is_whole = all(
            written.read_row_group(number).equals(next(groups, None))
            for number in range(written.num_row_groups)
        )
        if not is_whole or next(groups, None) is not None:
            raise SegmentError(
                f"Not compacted: {target} does not read back as it was written. "
                "Check the disk; the old files are untouched."
            )
