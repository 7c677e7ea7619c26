"""What the log holds of changes to the registry, for the tests of the registry."""

from __future__ import annotations

import pyarrow.parquet as pq

from ingest.contract import Value, parse_body
from ingest.workspace import Workspace


def told(workspace: Workspace, *event_types: str) -> list[dict[str, Value]]:
    """Events of these types in the log (of all without any), in order; its writers must be closed."""
    found: list[dict[str, Value]] = []
    for file in sorted(workspace.lake_dir.rglob("*.parquet")):
        for row in pq.read_table(file, columns=["body"]).to_pylist():
            event = dict(parse_body(row["body"]))
            if not event_types or event["event_type"] in event_types:
                found.append(event)
    return sorted(found, key=lambda event: (str(event["recorded_at"]), int(str(event["seq"]))))
