"""Taking the answer of a query out: the same export as of a table, with the query as its SQL."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from app.errors import ExportRefused
from app.export.formats import Format
from app.export.package import Export, Order, Rows
from app.export.service import Recorder, export_order
from app.warehouse import Scoped
from app.workbench.asking import Answer

NAME = "query"
"""What an export of an answer is called where others name their table."""


def export_answer(
    scoped: Scoped,
    recorder: Recorder,
    export_dir: Path,
    *,
    answer: Answer,
    sql: str,
    format_: Format,
    is_demo: bool,
    now: dt.datetime,
) -> tuple[Export, str]:
    """Export all rows of ``answer`` to ``sql``; return the export and the id of its event.

    Raises ExportRefused when the answer is not complete, AccessRefused when the person may not export.
    """
    if not answer.is_complete:
        raise ExportRefused(
            f"Export refused: the query has more than the {answer.rows.height:,} rows that were read, and an "
            "export is never cut. Narrow the query, or export the table on the page Log and export."
        )
    order = Order(
        scope=scoped.scope,
        mart=NAME,
        filters={"query_id": answer.query_id},
        is_demo=is_demo,
        build_id=scoped.warehouse.build_id,
        data_until=scoped.warehouse.data_until or scoped.warehouse.built_at,
        content=Rows(batches=(answer.rows,), row_count=answer.rows.height, meanings={}, format=format_),
        suffix=format_,
        sql=sql,
    )
    return export_order(order, recorder, export_dir, now)
