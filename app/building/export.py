"""The marts as Parquet files beside the warehouse, and what the generation holds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import duckdb

MARTS_FOLDER = "marts"


class Held(NamedTuple):
    """Rows and SHA256 of the Parquet copy per table; events and the newest of them (µs since 1970)."""

    row_counts: dict[str, int]
    digests: dict[str, str]
    event_count: int
    data_until_us: int | None


def export(database: Path) -> Held:
    """Write each mart as Parquet beside the database. Raises duckdb.Error, OSError."""
    folder = database.parent / MARTS_FOLDER
    folder.mkdir()
    row_counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        for name in _names(connection):
            file = folder / f"{name}.parquet"
            path = str(file).replace("'", "''")
            connection.execute(f"copy main.{name} to '{path}' (format parquet, compression zstd)")
            row_counts[name] = _number(connection, f"select count(*) from main.{name}") or 0
            with file.open("rb") as content:
                digests[name] = hashlib.file_digest(content, "sha256").hexdigest()
        return Held(
            row_counts=row_counts,
            digests=digests,
            event_count=_number(connection, "select event_count from main.build_info") or 0,
            data_until_us=_number(connection, "select epoch_us(data_until) from main.build_info"),
        )


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("select table_name from duckdb_tables() where schema_name = 'main' order by 1")
    return [str(row[0]) for row in rows.fetchall()]


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int | None:
    cell = connection.execute(sql).fetchall()[0][0]
    return None if cell is None else int(cell)
