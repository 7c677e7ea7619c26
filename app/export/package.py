"""Making one export: all rows or none, the event before the files appear, never over an older export."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import polars as pl

from app.errors import ExportError, ExportRefused
from app.export.formats import Format, column_table, refuse_what_is_too_long, write
from app.export.interrupted import FOLDERS, Begun, being_made, unmark
from app.export.manifest import MANIFEST_NAME, ColumnEntry, Manifest, describe, read
from app.warehouse import Scope


class Written(NamedTuple):
    """What an export's file holds: rows, and name, type and sentence of each column (none for a picture)."""

    row_count: int
    columns: tuple[ColumnEntry, ...]


class Content(Protocol):
    """What fills the file of an export; ``row_count`` is how many rows it must hold to be complete."""

    @property
    def row_count(self) -> int:
        """Rows that the file must hold, known before it is written."""

    def write(self, path: Path, about: Mapping[str, str]) -> Written:
        """Write the file; ``about`` tells of the export. Raises ExportRefused when it cannot be complete."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be exported: the content, who takes it, and where its rows came from.

    ``mart`` names the table, or the number, chart or page; ``suffix`` is the kind of file (a format of
    :mod:`app.export.formats`, ``png``, ``svg`` or ``pdf``); ``sql`` and ``made_by`` as in the manifest.
    """

    scope: Scope
    mart: str
    filters: Mapping[str, str]
    is_demo: bool
    build_id: str
    data_until: dt.datetime
    content: Content
    suffix: str
    sql: str = ""
    made_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows in batches, read within the person's scope, into one of the row formats.

    ``row_count`` is the count asked from the same build with the same filters; ``told`` hears of progress.
    """

    batches: Iterable[pl.DataFrame]
    row_count: int
    meanings: Mapping[str, str]
    format: Format
    told: Callable[[int], None] | None = None

    def write(self, path: Path, about: Mapping[str, str]) -> Written:
        """Write all batches. Raises ExportRefused before reading what XLSX cannot hold."""
        refuse_what_is_too_long(self.row_count, self.format)
        batches = iter(self.batches)
        first = next(batches)
        done = write(
            itertools.chain((first,), batches), path, self.format, self.meanings, about=about, told=self.told
        )
        columns = column_table(first, self.meanings)
        return Written(
            done, tuple(ColumnEntry(name=name, type=kind, meaning=told) for name, kind, told in columns)
        )


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
    export_id = str(uuid.uuid4())
    making = export_dir / f"{FOLDERS}{export_id}"
    folder = export_dir / _folder_name(order, export_id, now)
    begun = Begun(
        person_id=order.scope.person_id,
        mart=order.mart,
        row_count=order.content.row_count,
        created_at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
    )
    making.mkdir(parents=True)
    try:
        with being_made(making, begun):
            manifest = _write_files(order, making, export_id, now)
            event_id = record(manifest)
            unmark(making)
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
    data = making / f"{order.mart}.{order.suffix}"
    draft = Manifest(
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
        row_count=order.content.row_count,
        columns=(),
        files=(),
        sql=order.sql,
        made_by=order.made_by,
    )
    written = order.content.write(data, _about(draft))
    if written.row_count != order.content.row_count:
        raise ExportRefused(
            f"Export refused: {written.row_count:,} rows were read and {order.content.row_count:,} were "
            f"counted in build {order.build_id}. Nothing was kept. Run `fleetbook build`, then export again."
        )
    manifest = replace(draft, columns=written.columns, files=(describe(data, written.row_count),))
    (making / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    for path in (data, making / MANIFEST_NAME, making):
        _to_disk(path)
    return manifest


def _about(draft: Manifest) -> dict[str, str]:
    """What a file tells of its own making, where it has room for it."""
    return {
        "rows of": draft.mart,
        "rows": f"{draft.row_count:,}",
        "filters": ", ".join(f"{name} = {value}" for name, value in draft.filters.items()) or "none",
        "scope": draft.scope,
        "build": draft.build_id,
        "data until": draft.data_until,
        "kind": "demo data" if draft.is_demo else "real data",
        "exported by": draft.person_id,
        "exported at": draft.created_at,
        "export": draft.export_id,
        "number made by": draft.made_by,
        "SQL": draft.sql,
    }


def _folder_name(order: Order, export_id: str, now: dt.datetime) -> str:
    return f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{order.mart}-{export_id[:8]}"


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
