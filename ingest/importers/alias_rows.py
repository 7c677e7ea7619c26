"""The registry's aliases as rows for the warehouse: an alias also finds runs that were imported before it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.contract import arrow_schema, derived_event_id
from ingest.importers.mapping import Entry, aliases
from ingest.importers.times import EPOCH
from ingest.workspace import Workspace

# A mapping's word and the event column that holds it.
COLUMNS = {
    "source_agent": "source_agent",
    "source_domain": "source_domain",
    "token": "token_id",
    "model": "requested_model",
    "file": "source_file",
}


def write_aliases(workspace: Workspace, target: Path) -> int:
    """Write the aliases of registry.yaml to ``target`` as ``alias_declared`` rows; returns their number.

    Without aliases nothing is written. Raises MappingError when the registry's aliases cannot be read.
    """
    rows = [_row(place, entry) for place, entry in enumerate(aliases(workspace))]
    if rows:
        pq.write_table(pa.Table.from_pylist(rows, arrow_schema()), target, compression="zstd")
    return len(rows)


def _row(place: int, entry: Entry) -> dict[str, object]:
    """``seq`` is the alias's place: the first that fits a run counts."""
    return {
        "event_id": derived_event_id(EPOCH, "alias_declared", str(place)),
        "event_type": "alias_declared",
        "occurred_at": EPOCH,
        "recorded_at": EPOCH,
        "recorded_via": "registry",
        "is_demo": False,
        "seq": place,
        "rule_id": f"alias:{place}",
        "team_id": entry.team,
        "agent_id": entry.agent,
        **{COLUMNS[word]: expected for word, expected in entry.match.items()},
    }
