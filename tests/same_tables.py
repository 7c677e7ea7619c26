"""Whether two warehouses hold the same: every table, every column, every row."""

from __future__ import annotations

from pathlib import Path

import duckdb


def tables_that_differ(one: Path, other: Path) -> set[str]:
    """Names of the tables of two DuckDB files that are not there in both with equal columns and rows."""
    with duckdb.connect() as memory:
        for name, file in (("one", one), ("other", other)):
            path = str(file).replace("'", "''")
            memory.execute(f"attach '{path}' as {name} (read_only)")
        columns = {name: _columns(memory, name) for name in ("one", "other")}
        names = columns["one"].keys() | columns["other"].keys()
        return {name for name in names if not _is_same(memory, name, columns)}


def copies_that_differ(generation: Path) -> set[str]:
    """Names of the tables of a generation whose Parquet files do not hold the same rows."""
    with duckdb.connect(str(generation / "warehouse.duckdb"), read_only=True) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        names = [name for (name,) in warehouse.execute("select table_name from duckdb_tables()").fetchall()]
        return {name for name in names if not _is_copied(warehouse, name, generation / "marts")}


def _is_copied(warehouse: duckdb.DuckDBPyConnection, name: str, folder: Path) -> bool:
    place = folder / f"{name}.parquet"
    files = [str(file) for file in (place.glob("*.parquet") if place.is_dir() else [place])]
    copy, table = f"from read_parquet({files!r})", f"from main.{name}"
    differences = f"({table} except all {copy}) union all ({copy} except all {table}) limit 1"
    return not warehouse.execute(differences).fetchall()


def _columns(memory: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    rows = memory.execute(
        "select table_name, column_name, data_type from duckdb_columns() where database_name = ? "
        "and schema_name = 'main' and not internal order by table_name, column_index",
        [database],
    )
    for table, column, data_type in rows.fetchall():
        found.setdefault(table, []).append((column, data_type))
    return found


def _is_same(
    memory: duckdb.DuckDBPyConnection, name: str, columns: dict[str, dict[str, list[tuple[str, str]]]]
) -> bool:
    if columns["one"].get(name) != columns["other"].get(name):
        return False
    for left, right in (("one", "other"), ("other", "one")):
        difference = f"from {left}.main.{name} except all from {right}.main.{name} limit 1"
        if memory.execute(difference).fetchall():
            return False
    return True
