"""Making one export: all rows or none, the event before the files appear, never over an older export."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from app.errors import ExportError, ExportRefused
from app.export.formats import Format, column_table, write
from app.export.manifest import MANIFEST_NAME, ColumnEntry, Manifest, describe, read
from app.warehouse import Scope


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be exported: the rows as read within the person's scope, and where they came from.

    ``expected_rows`` is the count asked from the same build with the same filters; ``meanings`` is column
    to sentence.
    """

    scope: Scope
    mart: str
    filters: Mapping[str, str]
    is_demo: bool
    build_id: str
    data_until: dt.datetime
    frame: pl.DataFrame
    expected_rows: int
    meanings: Mapping[str, str]
    format: Format


@dataclass(frozen=True, kw_only=True)
class Export:
    """One finished export: its folder and its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def data_file(self) -> Path:
        """The file with the rows."""
        return self.folder / self.manifest.files[0].name

    @property
    def manifest_file(self) -> Path:
        """The manifest beside it."""
        return self.folder / MANIFEST_NAME


def scope_words(scope: Scope) -> str:
    """How far the rows could reach, in words: all teams, the named teams, or own runs."""
    if scope.team_ids is None:
        return "all teams"
    teams = "teams " + ", ".join(scope.team_ids) if scope.team_ids else "no team"
    return f"own runs in {teams}" if scope.own_only else teams


def create(
    order: Order, export_dir: Path, record: Callable[[Manifest], str], now: dt.datetime
) -> tuple[Export, str]:
    """Write the files, record the event, then show the files; return the export and the event id.

    ``record`` writes ``export_created`` durably and returns its id; when it raises, no file stays.
    Raises ExportRefused when the rows are not complete or the format cannot hold them.
    """
    if order.frame.height != order.expected_rows:
        raise ExportRefused(
            f"Export refused: {order.frame.height:,} rows were read and {order.expected_rows:,} were counted "
            f"in build {order.build_id}. Nothing was written. Run `fleetbook build`, then export again."
        )
    export_id = str(uuid.uuid4())
    making = export_dir / f".making-{export_id}"
    making.mkdir(parents=True)
    try:
        manifest = _write_files(order, making, export_id, now)
        event_id = record(manifest)
        folder = export_dir / _folder_name(order, export_id, now)
        making.rename(folder)
    except OSError as error:
        raise ExportError(
            f"Export not made: {error.strerror or error} ({export_dir}). "
            "Free space or correct the folder's rights, then export again."
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Export(folder=folder, manifest=manifest), event_id


def past(export_dir: Path, scope: Scope) -> list[Export]:
    """Finished exports, newest first: all of them for a person who sees all teams, else the person's own."""
    found: list[Export] = []
    for folder in export_dir.glob("[!.]*/"):
        if not (folder / MANIFEST_NAME).exists():
            continue
        export = Export(folder=folder, manifest=read(folder))
        if scope.team_ids is None or export.manifest.person_id == scope.person_id:
            found.append(export)
    return sorted(found, key=lambda export: export.manifest.created_at, reverse=True)


def filter_text(manifest: Manifest) -> str:
    """Mart, filters and scope as canonical JSON, for the event."""
    told = {
        "mart": manifest.mart,
        "filters": manifest.filters,
        "scope": manifest.scope,
        "build_id": manifest.build_id,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _write_files(order: Order, making: Path, export_id: str, now: dt.datetime) -> Manifest:
    data = making / f"{order.mart}.{order.format}"
    write(order.frame, data, order.format, order.meanings)
    manifest = Manifest(
        export_id=export_id,
        created_at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
        person_id=order.scope.person_id,
        role_id=order.scope.role_id,
        scope=scope_words(order.scope),
        mart=order.mart,
        filters=dict(order.filters),
        is_demo=order.is_demo,
        build_id=order.build_id,
        data_until=order.data_until.astimezone(dt.UTC).isoformat(timespec="seconds"),
        row_count=order.frame.height,
        columns=tuple(
            ColumnEntry(name=name, type=kind, meaning=meaning)
            for name, kind, meaning in column_table(order.frame, order.meanings)
        ),
        files=(describe(data, order.frame.height),),
    )
    (making / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    for path in (data, making / MANIFEST_NAME, making):
        _to_disk(path)
    return manifest


def _folder_name(order: Order, export_id: str, now: dt.datetime) -> str:
    return f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{order.mart}-{export_id[:8]}"


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
