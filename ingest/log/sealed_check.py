"""One sealed file against the manifest: its bytes, and every stretch of a chain that it must hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.errors import SegmentError
from ingest.log.disk import file_sha256
from ingest.log.lake import SealedFile
from ingest.log.manifest import Stretch
from ingest.log.rows import ChainCheck
from ingest.log.segments import widened
from ingest.log.sorted_check import BATCH_ROWS, check_sorted
from ingest.log.taken_in import TakenIn


def check_sealed_file(
    lake: Path,
    file: SealedFile,
    noted: Mapping[str, dict[int, str]],
    *,
    is_hashed: bool,
    before: dt.datetime | None = None,
) -> list[ChainCheck]:
    """Check ``file``; one result for each stretch, findings about the file itself with the first.

    ``noted`` are heads of writers (writer → seq → chain value) from the manifest; ``is_hashed`` compares the
    file's bytes too. With ``before`` what was recorded until then is counted. Raises PermissionError and
    MemoryError.
    """
    checks = [
        ChainCheck(
            writer_id=stretch.writer_id,
            next_seq=stretch.first_seq,
            head=stretch.prev_head,
            wanted_heads=noted.get(stretch.writer_id, {}),
            taken_in=TakenIn(before) if before is not None else None,
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
        check.findings = [replace(one, recorded_at=file.min_recorded_at) for one in check.findings]
    return checks


def _check_end(check: ChainCheck, stretch: Stretch, name: str) -> None:
    if check.head != stretch.head:
        detail = f"{stretch.writer_id} ends in {check.head[:16]}…, the manifest says {stretch.head[:16]}…"
        check.add("head_differs", name, detail)


def _read(path: Path, file: SealedFile, checks: list[ChainCheck], *, is_hashed: bool) -> bool:
    """Give every row to the check of its stretch; False when the file cannot be read."""
    name = f"file {file.file}"
    try:
        is_as_sealed = is_hashed and file_sha256(path) == file.file_sha256
        if is_hashed and not is_as_sealed:
            detail = f"its SHA-256 is not {file.file_sha256[:16]}… as in the manifest"
            checks[0].add("file_changed", name, detail)
        # The SHA-256 covers every page, and page checksums take a quarter of the time of reading.
        with pq.ParquetFile(path, page_checksum_verification=not is_as_sealed) as parquet:
            if file.is_compacted:
                check_sorted(parquet, file, checks)
            else:
                for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
                    checks[0].check(widened(pa.table(batch)))
    except FileNotFoundError:
        code, detail = "file_missing", f"it held {_held(file)}"
    except PermissionError:
        raise
    except MemoryError:
        raise  # one of Arrow's own is an ArrowException: it says nothing about the file
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
