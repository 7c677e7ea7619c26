"""What the log tells, for tests: the events of one type, in the order in which they happened."""

from __future__ import annotations

from ingest.contract import Value, parse_body
from ingest.reader import rows_where
from ingest.workspace import Workspace


def told_of(workspace: Workspace, event_type: str) -> list[dict[str, Value]]:
    """All events of that type in the log."""
    found = [
        parse_body(body)
        for rows in rows_where(workspace, ["body", "event_type"], "event_type", event_type)
        for body in rows.column("body").to_pylist()
    ]
    return sorted(found, key=lambda event: str(event["event_id"]))
