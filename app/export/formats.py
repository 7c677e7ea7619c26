"""The file formats of an export: a frame in, one complete file out.

CSV is for reading: text that a spreadsheet would run as a formula gets a leading apostrophe, everything
else is as in the rows. Parquet and JSON lines are exact (JSON lines keep decimals as strings, so that no
reader rounds them). XLSX is typed, with a sheet of column meanings and one about the export, and holds a
limited number of rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from app.errors import ExportRefused

Format = Literal["csv", "parquet", "xlsx", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)

XLSX_MAX_ROWS = 20_000
"""Rows one XLSX file holds here: 200,000 rows took 24 s and 1 GB of memory."""
XLSX_MAX_TEXT = 32_767
"""Characters one XLSX cell holds; longer text would be cut."""

_FORMULA = r"^[\s'\"]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r]"
_UTC_FORMAT = "%Y-%m-%dT%H:%M:%S%.6fZ"


def write(
    batches: Iterable[pl.DataFrame],
    path: Path,
    format_: Format,
    meanings: Mapping[str, str],
    *,
    created: dt.datetime | None = None,
    about: Mapping[str, str] | None = None,
    told: Callable[[int], None] | None = None,
) -> int:
    """Write all rows of ``batches`` to ``path``, one batch in memory at a time; return how many rows.

    At least one batch (it may be empty) with the columns of the file. ``meanings`` is column to sentence, for
    the dictionary sheet of an XLSX file; ``about`` is what its third sheet says of the export; ``created`` is
    what it says of its making: with it the same rows give the same bytes. XLSX is made from all rows at once.
    ``told`` is called after each batch with the rows written so far.

    Raises ExportRefused when the format cannot hold the rows complete.
    """
    if format_ == "xlsx":
        frame = pl.concat(batches)
        _write_xlsx(frame, path, meanings, created, about or {})
        return frame.height
    done = 0
    with _appending(path, format_) as append:
        for batch in batches:
            append(batch)
            done += batch.height
            if told is not None:
                told(done)
    return done


@contextmanager
def _appending(path: Path, format_: Format) -> Iterator[Callable[[pl.DataFrame], None]]:
    """What appends one batch to the file at ``path``; the file is whole when the block ends."""
    if format_ == "parquet":
        with _parquet(path) as append:
            yield append
        return
    with path.open("wb") as file:

        def lines(batch: pl.DataFrame) -> None:
            if format_ == "jsonl":
                batch.write_ndjson(file)
                return
            formula_safe(batch).write_csv(
                file,
                include_header=file.tell() == 0,
                quote_style="non_numeric",
                datetime_format=_UTC_FORMAT,
            )

        yield lines


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[pl.DataFrame], None]]:
    from pyarrow import parquet

    writer: parquet.ParquetWriter | None = None

    def append(batch: pl.DataFrame) -> None:
        nonlocal writer
        table = batch.to_arrow()
        if writer is None:
            writer = parquet.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)

    try:
        yield append
    finally:
        if writer is not None:
            writer.close()


def formula_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with an apostrophe before each text that a spreadsheet would run as a formula."""
    return frame.with_columns(
        pl.when(pl.col(name).str.contains(_FORMULA))
        .then(pl.concat_str(pl.lit("'"), pl.col(name)))
        .otherwise(pl.col(name))
        .alias(name)
        for name in frame.columns
        if frame.schema[name] == pl.String
    )


def _write_xlsx(
    frame: pl.DataFrame,
    path: Path,
    meanings: Mapping[str, str],
    created: dt.datetime | None,
    about: Mapping[str, str],
) -> None:
    import xlsxwriter

    _refuse_what_xlsx_would_cut(frame)
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(path, options) as book:
        if created is not None:
            book.set_properties({"created": created})
        head = book.add_format({"bold": True, "bottom": 1})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        rows = book.add_worksheet("rows")
        rows.freeze_panes(1, 0)
        _write_sheet(rows, frame.columns, frame.iter_rows(), head, day)
        columns = book.add_worksheet("columns")
        columns.set_column(0, 1, 28)
        columns.set_column(2, 2, 110)
        _write_sheet(columns, ("column", "type", "meaning"), column_table(frame, meanings), head, day)
        if about:
            told = book.add_worksheet("about")
            told.set_column(0, 0, 28)
            told.set_column(1, 1, 110)
            fits = {
                name: text if len(text) <= XLSX_MAX_TEXT else "Longer than a cell holds: see manifest.json."
                for name, text in about.items()
            }
            _write_sheet(told, ("what", "told"), fits.items(), head, day)


def _write_sheet(sheet, names: Sequence[str], rows, head, day) -> None:  # type: ignore[no-untyped-def]  # xlsxwriter has no types
    for column, name in enumerate(names):
        sheet.write_string(0, column, name, head)
    for line, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            _write_cell(sheet, line, column, cell, day)


def _write_cell(sheet, line: int, column: int, cell: object, day) -> None:  # type: ignore[no-untyped-def]  # xlsxwriter has no types
    if cell is None:
        return
    if isinstance(cell, bool):
        sheet.write_boolean(line, column, cell)
    elif isinstance(cell, (int, float, Decimal)):
        sheet.write_number(line, column, cell)
    elif isinstance(cell, dt.datetime):
        sheet.write_datetime(line, column, cell.astimezone(dt.UTC).replace(tzinfo=None))
    elif isinstance(cell, dt.date):
        sheet.write_datetime(line, column, cell, day)
    else:
        sheet.write_string(line, column, str(cell))


def refuse_what_is_too_long(row_count: int, format_: Format) -> None:
    """Raise ExportRefused when ``format_`` does not hold ``row_count`` rows."""
    if format_ == "xlsx" and row_count > XLSX_MAX_ROWS:
        raise ExportRefused(
            f"Export refused: {row_count:,} rows, and an XLSX file holds {XLSX_MAX_ROWS:,} here. "
            "Choose Parquet or CSV, or narrow the filter."
        )


def _refuse_what_xlsx_would_cut(frame: pl.DataFrame) -> None:
    refuse_what_is_too_long(frame.height, "xlsx")
    for name in frame.columns:
        if frame.schema[name] != pl.String:
            continue
        longest = frame[name].str.len_chars().max()
        if isinstance(longest, int) and longest > XLSX_MAX_TEXT:
            raise ExportRefused(
                f"Export refused: a text in column '{name}' has {longest:,} characters, "
                f"and an XLSX cell holds {XLSX_MAX_TEXT:,}. Choose Parquet or JSON lines."
            )


def column_table(frame: pl.DataFrame, meanings: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name, type and meaning of each column, in the order of the file."""
    return [(name, _type_word(kind), meanings.get(name, "")) for name, kind in frame.schema.items()]


def _type_word(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Decimal):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, pl.Datetime):
        return "time (UTC)"
    words: dict[type[pl.DataType], str] = {pl.String: "text", pl.Boolean: "boolean", pl.Date: "date"}
    return words.get(kind.base_type(), str(kind).lower())
