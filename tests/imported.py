"""Imports in tests: files written, taken in through the front door, and the log read back."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ingest.importers.intake import IntakeReport, Intent, take_in
from ingest.reader import payload_texts, snapshot
from ingest.workspace import Workspace

Event = dict[str, Any]


def write(path: Path, content: object) -> Path:
    """Write ``content`` as JSON, or as it is when it is text or bytes; gzip when the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else text_of(content).encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_lines(path: Path, *values: object) -> Path:
    """Write one value per line."""
    return write(path, "".join(text_of(value) + "\n" for value in values))


def write_zip(path: Path, members: Mapping[str, object]) -> Path:
    """Write a deflate zip of ``members``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if isinstance(content, bytes) else text_of(content))
    return path


def text_of(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content)


def bring_in(workspace: Workspace, format_name: str, *paths: Path, **options: Any) -> IntakeReport:
    """Import ``paths`` and return the report."""
    return take_in(workspace, Intent(format_name=format_name, files=paths, **options))


def told(workspace: Workspace) -> list[Event]:
    """Every event of the log in order, as its body says."""
    files = snapshot(workspace, workspace.root / "look").files
    bodies = [body for file in files for body in pq.read_table(file, columns=["body"])["body"].to_pylist()]
    events = [json.loads(body) for body in bodies]
    return sorted(events, key=lambda event: (event["occurred_at"], event["writer_id"], event["seq"]))


def runs(events: list[Event]) -> dict[str, list[Event]]:
    """The events of each run, by the run's id at its source."""
    names = {event["run_id"]: event["source_run_id"] for event in events if "source_run_id" in event}
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.get("run_id") in names:
            found.setdefault(names[event["run_id"]], []).append(event)
    return found


def only_run(workspace: Workspace) -> list[Event]:
    """The events of the one run in the log."""
    (events,) = runs(told(workspace)).values()
    return events


def of_type(events: list[Event], event_type: str) -> list[Event]:
    return [event for event in events if event["event_type"] == event_type]


def one(events: list[Event], event_type: str) -> Event:
    (event,) = of_type(events, event_type)
    return event


def texts(workspace: Workspace, events: list[Event]) -> list[str | None]:
    """The payload texts of ``events``, in order."""
    ids = [event["payload_id"] for event in events if "payload_id" in event]
    found = payload_texts(workspace, ids)
    return [found[payload_id] for payload_id in ids]


def columns(events: list[Event], *names: str) -> list[tuple[object, ...]]:
    """The named columns of each event; None where it has none."""
    return [tuple(event.get(name) for name in names) for event in events]
