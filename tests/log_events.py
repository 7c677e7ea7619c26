"""Events and small logs for the tests of the event log."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.contract import Value, derived_event_id
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.workspace import Workspace

AT = dt.datetime(2026, 11, 4, 8, 30, tzinfo=dt.UTC)


def started(run_id: str, number: int = 0, **columns: Value) -> dict[str, Value]:
    """A ``run_started`` event; the same arguments give the same id."""
    return {
        "event_id": derived_event_id(AT, run_id, str(number)),
        "event_type": "run_started",
        "occurred_at": AT + dt.timedelta(seconds=number),
        "run_id": run_id,
        "agent_id": "refund-agent",
        **columns,
    }


def write_runs(
    workspace: Workspace, name: str, count: int, *, seal_bytes: int = 64 << 20, payload_every: int = 0
) -> str:
    """One writer that appends ``count`` events of run ``name`` one by one and closes; returns its id."""
    with LogWriter(workspace, recorded_via="runner", process_name=name, seal_bytes=seal_bytes) as writer:
        for number in range(count):
            if payload_every and number % payload_every == 0:
                made = make_payload(f"text {number} of {name}", kind="turn", occurred_at=AT, run_id=name)
                writer.append([started(name, number, **made.columns)], [made.payload])
            else:
                writer.append([started(name, number)])
        return writer.writer_id


def stored_rows(files: list[Path]) -> list[dict[str, Any]]:
    """The rows of Parquet ``files``, in the order of writer and position."""
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["writer_id"], row["seq"]))


def manifest_entries(workspace: Workspace) -> list[dict[str, Any]]:
    """The manifest's lines as plain dictionaries."""
    return [json.loads(line) for line in workspace.manifest_file.read_text(encoding="utf-8").splitlines()]


def write_manifest(workspace: Workspace, entries: list[dict[str, Any]]) -> None:
    """Overwrite the manifest, as an attacker would."""
    lines = [json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n" for entry in entries]
    workspace.manifest_file.write_text("".join(lines), encoding="utf-8")


def rewrite_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Overwrite a segment with ``rows``, in its own schema, as an attacker with Parquet tools would."""
    schema = pq.read_schema(path)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, write_page_checksum=True)
