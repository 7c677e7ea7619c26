"""Upkeep: what keeps the log in order by itself, done by every builder after its build."""

from __future__ import annotations

from ingest.errors import MaintenanceError, PlaceError, SegmentError
from ingest.log.compact import compact
from ingest.shared.adding import sweep
from ingest.workspace import Workspace

# Whoever reads the log now may read on: the next build comes soon.
_PATIENCE_S = 0.5


def keep_in_order(workspace: Workspace) -> str:
    """Compact what is due; returns what was done, or why not, as a sentence, empty for nothing to tell.

    Raises nothing that the log raises on purpose: what asked for upkeep is done already.
    """
    told = [_compacted(log) for log in dict.fromkeys((workspace, workspace.record))]
    return " ".join(one for one in told if one)


def _compacted(workspace: Workspace) -> str:
    try:
        report = compact(workspace, patience_s=_PATIENCE_S)
        if report.records and workspace.origin_file.exists():
            sweep(workspace)
    except MaintenanceError:
        return ""  # a compaction or a pruning is at work: the next build looks again
    except (SegmentError, PlaceError, OSError) as error:
        return f"The log was not compacted: {error}"
    if not report.records:
        return ""
    files = sum(len(record.inputs) for record in report.records)
    return f"Compacted {files:,} files of the log into {len(report.records):,}."
