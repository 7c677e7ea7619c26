"""The sealed log as tests read it: every event of some types, in order, once all writers have closed."""

from __future__ import annotations

import pyarrow.parquet as pq

from ingest.contract import Value, parse_body
from ingest.workspace import Workspace


def sealed_events(workspace: Workspace, *event_types: str) -> list[dict[str, Value]]:
    """Events of ``event_types`` in the order in which they were recorded."""
    found = []
    for file in workspace.lake_dir.rglob("*.parquet"):
        for row in pq.read_table(file, columns=["body", "recorded_at", "writer_id", "seq"]).to_pylist():
            event = parse_body(row["body"])
            if event["event_type"] in event_types:
                found.append(((row["recorded_at"], row["writer_id"], row["seq"]), event))
    return [event for _, event in sorted(found, key=lambda pair: pair[0])]
