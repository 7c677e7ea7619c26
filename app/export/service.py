"""Exporting one table of the warehouse for one person: read within the scope, count again, write, record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from app.errors import ExportRefused
from app.export.focus import focus_meanings, focus_rows
from app.export.formats import Format
from app.export.manifest import Manifest
from app.export.package import Export, Order, create, filter_text
from app.warehouse import Scoped

FilterValue = str | dt.date


class Recorder(Protocol):
    """Who lets the rows out and writes the event; ``app.desk.Desk`` does."""

    def may_export(self, person_id: str) -> None:
        """Return when the person may export. Raises AccessRefused with the rule otherwise."""

    def record_export(
        self,
        person_id: str,
        *,
        export_id: str,
        export_format: str,
        row_count: int,
        content_sha256: str,
        filter_text: str,
        scope: str,
    ) -> str:
        """Write ``export_created`` durably and return its event id."""


def export_table(
    scoped: Scoped,
    recorder: Recorder,
    export_dir: Path,
    *,
    mart: str,
    format_: Format,
    is_demo: bool,
    filters: Mapping[str, FilterValue],
    now: dt.datetime,
    is_focus: bool = False,
) -> tuple[Export, str]:
    """Export all rows of ``mart`` that ``filters`` and the scope let through; return it and the event id.

    ``is_focus`` gives charges the columns of FOCUS.
    Raises ExportRefused for a table that may not leave or rows that are not complete, AccessRefused when the
    person may not export, QuestionError for a filter the table does not take.
    """
    marts = scoped.marts()
    if mart not in marts:
        raise ExportRefused(f"Export refused: there is no table {mart!r}. Choose one of {', '.join(marts)}.")
    person_id = scoped.scope.person_id
    recorder.may_export(person_id)
    asked: dict[str, Any] = dict(filters)  # the table itself refuses names and types it does not take
    frame = scoped.table(mart, is_demo=is_demo, limit=None, offset=0, **asked)
    meanings = scoped.column_docs(mart)
    if is_focus:
        frame, meanings = focus_rows(mart, frame), focus_meanings(meanings)
    order = Order(
        scope=scoped.scope,
        mart=mart,
        filters={name: str(cell) for name, cell in filters.items()},
        is_demo=is_demo,
        build_id=scoped.warehouse.build_id,
        data_until=scoped.warehouse.data_until or scoped.warehouse.built_at,
        frame=frame,
        expected_rows=scoped.row_count(mart, is_demo=is_demo, **asked),
        meanings=meanings,
        format=format_,
    )

    def record(manifest: Manifest) -> str:
        return recorder.record_export(
            person_id,
            export_id=manifest.export_id,
            export_format=format_,
            row_count=manifest.row_count,
            content_sha256=manifest.sha256,
            filter_text=filter_text(manifest),
            scope=manifest.scope,
        )

    return create(order, export_dir, record, now)
