"""Removing texts: sealed payload files are written again without them."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.log.disk import publish, sync_folder
from ingest.workspace import Workspace

_SUFFIX = ".erasing"


def remove_texts(workspace: Workspace, payload_ids: Iterable[str]) -> int:
    """Rewrite every sealed payload file without ``payload_ids``; returns the number of texts that went.

    To be called under the lock of :func:`texts_alone`. A file replaces its old self in one step. Raises
    OSError, and SegmentError when what stays does not read back.
    """
    ids = pa.array(sorted(payload_ids), pa.string())
    removed = 0
    for leftover in workspace.payload_dir.glob(f"*{_SUFFIX}"):
        leftover.unlink()
    for path in sorted(workspace.payload_dir.glob("month=*/*.parquet")) if len(ids) else []:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            hits = pc.is_in(file.read(columns=["payload_id"])["payload_id"], value_set=ids)
            count = pc.sum(hits).as_py() or 0
            if not count:
                continue
            temporary = workspace.payload_dir / f"{path.stem}.{path.parent.name}{_SUFFIX}"
            if count < len(hits):
                _write_rest(file, temporary, ids)
        if count < len(hits):
            publish(temporary, path)
        else:
            path.unlink()
        sync_folder(path.parent)
        removed += count
    return removed


def _write_rest(file: pq.ParquetFile, temporary: object, ids: pa.Array) -> None:
    with pq.ParquetWriter(
        temporary,
        file.schema_arrow,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=["run_id", "kind"],
    ) as writer:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group)
            rest = rows.filter(pc.invert(pc.is_in(rows["payload_id"], value_set=ids)))
            if rest.num_rows:
                writer.write_table(rest)
