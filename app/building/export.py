"""The marts as Parquet files beside the warehouse, and what the generation holds.

A mart is a file of its name. One that grows with the runs is a folder of that name with a file for each
month: months in which nothing changed are the files of the generation before, as hard links.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import duckdb

MARTS_FOLDER = "marts"
UNDATED = "undated"
"""Where rows without a day are, and the one file of a mart without rows."""


class Held(NamedTuple):
    """Rows per table, SHA256 per Parquet file (its path below ``marts/``), events and the newest of them
    (µs since 1970)."""

    row_counts: dict[str, int]
    digests: dict[str, str]
    event_count: int
    data_until_us: int | None


class Before(NamedTuple):
    """The generation that this one goes on from: its folder, the digests of its Parquet files, and the months
    of each mart (``YYYY-MM`` or ``undated``) whose rows are others now."""

    folder: Path
    digests: Mapping[str, str]
    changed: Mapping[str, Collection[str]]


def export(database: Path, days: Mapping[str, str], before: Before | None = None) -> Held:
    """Write each mart as Parquet beside the database.

    ``days`` names for each mart that is cut into months the column with the day of a row. Raises
    duckdb.Error, OSError.
    """
    folder = database.parent / MARTS_FOLDER
    folder.mkdir()
    row_counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        for name in _names(connection):
            row_counts[name] = _number(connection, f"select count(*) from main.{name}") or 0
            for file, condition in _files(connection, name, days.get(name)):
                digests[file] = _reused(folder, file, before) or _write(
                    connection, folder / file, f"from main.{name} where {condition}"
                )
        return Held(
            row_counts=row_counts,
            digests=digests,
            event_count=_number(connection, "select event_count from main.build_info") or 0,
            data_until_us=_number(connection, "select epoch_us(data_until) from main.build_info"),
        )


def month_name(day: dt.date | None) -> str:
    """The name of the month of a day, ``undated`` for none."""
    return f"{day:%Y-%m}" if day else UNDATED


def _files(connection: duckdb.DuckDBPyConnection, name: str, day: str | None) -> Iterator[tuple[str, str]]:
    """Paths below ``marts/``, each with the condition for the rows in it."""
    if day is None:
        yield f"{name}.parquet", "true"
        return
    found = connection.execute(f"select distinct date_trunc('month', {day}) from main.{name} order by 1")
    for (first,) in found.fetchall() or [(None,)]:
        condition = f"{day} is null"
        if first is not None:
            condition = f"{day} >= date '{first}' and {day} < date '{first}' + interval 1 month"
        yield f"{name}.parquet/{month_name(first)}.parquet", condition


def _reused(folder: Path, file: str, before: Before | None) -> str | None:
    """Take ``file`` from the generation before when its rows are the same; returns its digest then."""
    name, _, last = file.partition(".parquet/")
    month = Path(last).stem
    if before is None or not month or month in before.changed.get(name, [month]):
        return None
    digest = before.digests.get(file)
    if digest is not None:
        (folder / file).parent.mkdir(exist_ok=True)
        try:
            os.link(before.folder / file, folder / file)
        except OSError:
            return None
    return digest


def _write(connection: duckdb.DuckDBPyConnection, path: Path, rows: str) -> str:
    path.parent.mkdir(exist_ok=True)
    target = str(path).replace("'", "''")
    connection.execute(f"copy ({rows}) to '{target}' (format parquet, compression zstd, compression_level 1)")
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("select table_name from duckdb_tables() where schema_name = 'main' order by 1")
    return [str(row[0]) for row in rows.fetchall()]


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int | None:
    cell = connection.execute(sql).fetchall()[0][0]
    return None if cell is None else int(cell)
