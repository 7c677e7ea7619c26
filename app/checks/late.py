"""Events about a month that the log took in after the month was over: they are shown apart, not counted."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import arrow_schema
from ingest.log.lake import reading
from ingest.reader import snapshot
from ingest.workspace import Workspace

_COLUMNS = ["occurred_at", "recorded_at", "recorded_via"]


def late_events(workspace: Workspace, month_start: dt.datetime, month_end: dt.datetime) -> int:
    """How many events happened from ``month_start`` until ``month_end`` (UTC) and were recorded later.

    What the demo plays back counts as recorded when it happened. Raises SegmentError, OSError.
    """
    kind = arrow_schema().field("occurred_at").type
    first, end = (_scalar(moment, kind) for moment in (month_start, month_end))
    found = 0
    with reading(workspace.record), tempfile.TemporaryDirectory(prefix="fleetbook-late-") as folder:
        for file in snapshot(workspace, Path(folder)).files:
            with pq.ParquetFile(file) as parquet:
                for batch in parquet.iter_batches(columns=_COLUMNS):
                    happened, recorded = batch["occurred_at"], batch["recorded_at"]
                    inside = pc.and_(pc.greater_equal(happened, first), pc.less(happened, end))
                    told_late = pc.and_(
                        pc.greater_equal(recorded, end), pc.not_equal(batch["recorded_via"], "demo")
                    )
                    found += pc.sum(pc.and_(inside, told_late)).as_py() or 0
    return found


def _scalar(moment: dt.datetime, kind: object) -> object:
    import pyarrow as pa

    return pa.scalar(moment, type=kind)
