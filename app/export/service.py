"""Exporting one table of the warehouse for one person: read within the scope, count again, write, record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from app.errors import ExportRefused
from app.export.focus import (
    focus_meanings,
    focus_rows,
    focus_text_rows,
    refuse_other_formats,
    refuse_what_is_no_charge,
)
from app.export.formats import Format
from app.export.manifest import Manifest
from app.export.package import Export, Order, Rows, create, filter_text
from app.warehouse import Scoped, Statement

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


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Rows of one statement as they are to leave: under which name, with which sentences.

    ``filters`` is what the manifest says they were cut by; ``made_by`` the SQL that makes a number of them;
    ``shape`` changes each batch without changing its number of rows.
    """

    name: str
    statement: Statement
    filters: Mapping[str, str]
    meanings: Mapping[str, str]
    made_by: str = ""
    shape: Callable[[pl.DataFrame], pl.DataFrame] | None = None


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
    told: Callable[[int], None] | None = None,
) -> tuple[Export, str]:
    """Export all rows of ``mart`` that ``filters`` and the scope let through; return it and the event id.

    ``is_focus`` gives charges the columns of FOCUS.
    Raises ExportRefused for a table that may not leave or rows that are not complete, AccessRefused when the
    person may not export, QuestionError for a filter the table does not take.
    """
    asked = asked_table(scoped, mart, is_demo=is_demo, filters=filters, is_focus=is_focus)
    if is_focus:
        refuse_other_formats(format_)
        asked = replace(asked, shape=focus_text_rows if format_ == "csv" else focus_rows)
    return export_rows(
        scoped, recorder, export_dir, asked, format_=format_, is_demo=is_demo, now=now, told=told
    )


def asked_table(
    scoped: Scoped,
    mart: str,
    *,
    is_demo: bool,
    filters: Mapping[str, FilterValue],
    is_focus: bool = False,
) -> Asked:
    """All rows of ``mart`` as they are to leave. Raises ExportRefused, QuestionError as export_table."""
    marts = scoped.marts()
    if mart not in marts:
        raise ExportRefused(f"Export refused: there is no table {mart!r}. Choose one of {', '.join(marts)}.")
    given: dict[str, Any] = dict(filters)  # the table itself refuses names and types it does not take
    asked = Asked(
        name=mart,
        statement=scoped.table_statement(mart, is_demo=is_demo, **given),
        filters={name: str(cell) for name, cell in filters.items()},
        meanings=scoped.column_docs(mart),
    )
    if not is_focus:
        return asked
    refuse_what_is_no_charge(mart)
    return replace(asked, meanings=focus_meanings(asked.meanings), shape=focus_rows)


def export_rows(
    scoped: Scoped,
    recorder: Recorder,
    export_dir: Path,
    asked: Asked,
    *,
    format_: Format,
    is_demo: bool,
    now: dt.datetime,
    told: Callable[[int], None] | None = None,
) -> tuple[Export, str]:
    """Export all rows of a statement; return the export and the event id. Raises as :func:`export_table`."""
    recorder.may_export(scoped.scope.person_id)
    batches = scoped.batches(asked.statement)
    content = Rows(
        batches=map(asked.shape, batches) if asked.shape else batches,
        row_count=scoped.count(asked.statement),
        meanings=asked.meanings,
        format=format_,
        told=told,
    )
    order = Order(
        scope=scoped.scope,
        mart=asked.name,
        filters=asked.filters,
        is_demo=is_demo,
        build_id=scoped.warehouse.build_id,
        data_until=scoped.warehouse.data_until or scoped.warehouse.built_at,
        content=content,
        suffix=format_,
        sql=asked.statement.text,
        made_by=asked.made_by,
    )
    return export_order(order, recorder, export_dir, now)


def export_order(order: Order, recorder: Recorder, export_dir: Path, now: dt.datetime) -> tuple[Export, str]:
    """Export ``order`` for the person of its scope; return the export and the event id.

    Raises AccessRefused when the person may not export, ExportRefused when it would not be complete.
    """
    person_id = order.scope.person_id
    recorder.may_export(person_id)

    def record(manifest: Manifest) -> str:
        return recorder.record_export(
            person_id,
            export_id=manifest.export_id,
            export_format=order.suffix,
            row_count=manifest.row_count,
            content_sha256=manifest.sha256,
            filter_text=filter_text(manifest),
            scope=manifest.scope,
        )

    return create(order, export_dir, record, now)
