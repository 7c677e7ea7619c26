"""Makes the tables of a plan in DuckDB, one after the other, and runs its tests; a failure ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import msgspec

from app.building.plan import EVENTS, Column, Step

READABLE_SINCE = "v1.2.0"
"""Analysts open the warehouse with this DuckDB and later."""
SHOWN_ROWS = 3


class Failed(Exception):
    """A model could not be made or a test found rows: which, and what DuckDB says or the rows are."""

    def __init__(self, node: str, problem: str):
        super().__init__(f"{node}: {problem}")
        self.node = node
        self.problem = problem


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is done, as dbt's run_results.json words it."""

    unique_id: str
    status: str
    execution_time: float


def make_all(
    warehouse: Path,
    events: str,
    variables: Mapping[str, str | int | None],
    steps: Sequence[Step],
) -> Iterator[Made]:
    """Make every table of ``steps`` in the new file ``warehouse``; ``events`` is the query of the log.

    Gives each step when it is done. Scratch tables lie in ``work.duckdb`` beside it, which is removed.
    Raises Failed, OSError.
    """
    work = warehouse.with_name("work.duckdb")
    with duckdb.connect(
        str(warehouse), config={"storage_compatibility_version": READABLE_SINCE}
    ) as connection:
        _settle(connection, warehouse, work, variables)
        _open_log(connection, events)
        for step in steps:
            started = time.perf_counter()
            _do(connection, step)
            spent = time.perf_counter() - started
            status = "pass" if step.kind == "test" else "success"
            yield Made(unique_id=step.unique_id, status=status, execution_time=round(spent, 6))
        connection.execute("detach work")
    work.unlink()


def _settle(
    connection: duckdb.DuckDBPyConnection,
    warehouse: Path,
    work: Path,
    variables: Mapping[str, str | int | None],
) -> None:
    memory = os.environ.get("FLEETBOOK_MEMORY_LIMIT", "4GB")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set preserve_insertion_order = false")
    connection.execute(f"set memory_limit = {_text(memory)}")
    connection.execute(f"attach {_text(str(work))} as work (storage_version 'latest')")
    for name, value in variables.items():
        connection.execute(f"set variable {name} = {_literal(value)}")


def _open_log(connection: duckdb.DuckDBPyConnection, events: str) -> None:
    connection.execute("create schema work.log")
    connection.execute(f"create view {EVENTS} as {events}")


def _do(connection: duckdb.DuckDBPyConnection, step: Step) -> None:
    try:
        if step.kind == "test":
            _test(connection, step)
        elif step.is_view:
            connection.execute(f"create view {step.relation} as {step.sql}")
        else:
            connection.execute("begin")
            _fill(connection, step)
            connection.execute("commit")
    except duckdb.Error as error:
        raise Failed(f"{step.kind} {step.name}", str(error)) from error


def _fill(connection: duckdb.DuckDBPyConnection, step: Step) -> None:
    """Make the table of ``step``, with its contract and the sentences of its columns."""
    if not step.columns:
        connection.execute(f"create table {step.relation} as {step.sql}")
        return
    promised = ", ".join(
        f'"{column.name}" {column.data_type}{" not null" if column.is_required else ""}'
        for column in step.columns
    )
    connection.execute(f"create table {step.relation} ({promised})")
    _insist(connection, step)
    names = ", ".join(f'"{column.name}"' for column in step.columns)
    connection.execute(f"insert into {step.relation} ({names}) select {names} from ({step.sql})")
    connection.execute(";".join(_comments(step.relation, step.description, step.columns)))


def _insist(connection: duckdb.DuckDBPyConnection, step: Step) -> None:
    """Raise Failed unless the model gives the columns and types of its contract."""
    promised = _types(connection, f"from {step.relation}")
    given = _types(connection, step.sql)
    if promised != given:
        wrong = sorted(
            name for name in promised.keys() | given.keys() if promised.get(name) != given.get(name)
        )
        words = "; ".join(
            f"column {name} is {given.get(name, 'missing')}, promised is {promised.get(name, 'nothing')}"
            for name in wrong
        )
        raise Failed(f"model {step.name}", words)


def _types(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in connection.execute(f"describe {sql}").fetchall()}


def _comments(relation: str, description: str, columns: Sequence[Column]) -> list[str]:
    table = [f"comment on table {relation} is {_text(description)}"]
    return table + [
        f'comment on column {relation}."{column.name}" is {_text(column.description)}' for column in columns
    ]


def _test(connection: duckdb.DuckDBPyConnection, step: Step) -> None:
    """Raise Failed with the first rows that the test finds."""
    rows = connection.execute(f"select * from ({step.sql}) limit {SHOWN_ROWS}")
    names = [column[0] for column in rows.description or []]
    found = rows.fetchall()
    if not found:
        return
    (count,) = connection.execute(f"select count(*) from ({step.sql})").fetchall()[0]
    shown = "; ".join(", ".join(f"{n} = {v}" for n, v in zip(names, row, strict=True)) for row in found)
    raise Failed(f"test {step.name}", f"{count} rows break it, among them: {shown}")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _literal(value: str | int | None) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else _text(value)
