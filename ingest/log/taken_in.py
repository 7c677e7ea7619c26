"""What the log had taken in before a moment, as the rows that were verified say."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

_MOMENTS = pa.timestamp("us", tz="UTC")


@dataclass
class TakenIn:
    """Counts of the rows that were recorded before ``before`` (UTC), demo rows of those that happened then.

    ``texts`` are rows that name a text which was kept, whatever became of it since.
    """

    before: dt.datetime
    events: int = 0
    texts: int = 0
    writers: set[str] = field(default_factory=set)

    def add(self, table: pa.Table) -> None:
        """Count the rows of ``table``, in the schema of the contract."""
        is_demo = pc.fill_null(pc.equal(table["recorded_via"], "demo"), False)
        moments = pc.if_else(is_demo, table["occurred_at"], table["recorded_at"])
        is_early = pc.fill_null(pc.less(moments, pa.scalar(self.before, _MOMENTS)), False)
        count = pc.sum(is_early).as_py() or 0
        if count:
            self.events += count
            self.texts += pc.sum(pc.and_(is_early, pc.is_valid(table["payload_id"]))).as_py()
            self.writers.update(pc.unique(table["writer_id"].filter(is_early)).drop_null().to_pylist())


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What the whole log had taken in before a moment.

    ``open_files`` are line files, not sealed yet, that begin before it; ``silent_writers`` are writers with
    such files and no event since.
    """

    events: int
    texts: int
    writers: int
    open_files: int
    silent_writers: frozenset[str]
