"""Makes the tables of a plan in DuckDB, one after the other, and runs its tests; a failure ends it."""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec

from app.building.changes import Basis, Log, can_be_kept, open_all, open_changes, remember
from app.building.export import month_name
from app.building.plan import Column, Step

READABLE_SINCE = "v1.2.0"
"""Analysts open the warehouse with this DuckDB and later."""
SHOWN_ROWS = 3
WORK_FILE = "work.duckdb"
MAXRSS_PER_MB = 1024 * 1024 if sys.platform == "darwin" else 1024
"""macOS tells the largest size of a process in bytes, Linux in KiB."""


class Failed(Exception):
    """A model could not be made or a test found rows: which, and what DuckDB says or the rows are."""

    def __init__(self, node: str, problem: str):
        super().__init__(f"{node}: {problem}")
        self.node = node
        self.problem = problem


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is done, as dbt's run_results.json words it, and more.

    Seconds are wall and CPU; ``row_count`` is how many rows were written, ``peak_mb`` the most memory that
    the process held so far. ``changed_months`` are those of the mart whose rows are others than in the build
    before, None where all may be.
    """

    unique_id: str
    status: str
    execution_time: float
    cpu_time: float
    row_count: int
    peak_mb: int
    changed_months: list[str] | None = None


class Making:
    """Two files in the making: the warehouse, and ``work.duckdb`` beside it with what later builds need.

    In a build that goes on from an earlier one, both hold what was made then. Steps by run are then made
    in a database of their own from the runs concerned, and take the place of what is kept of these runs;
    tests of nothing else look at them only. All other steps are made anew from whole tables.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, steps: Sequence[Step], *, is_partial: bool):
        self._connection = connection
        self._is_partial = is_partial
        self._steps = {step.relation: step for step in steps if step.kind == "model"}
        self.row_count = 0
        self.changed_months: list[str] | None = None

    def clear(self) -> None:
        """Remove what will be made anew; what is kept stays."""
        for relation, step in self._steps.items():
            if not step.by and relation.startswith('"warehouse"'):
                self._connection.execute(f"drop table {relation}")
        self._connection.execute("checkpoint")  # their place in the file is free from here on

    def do(self, step: Step) -> None:
        """Make the model or run the test, and note what it wrote. Raises Failed."""
        self.row_count, self.changed_months = 0, None
        try:
            if step.kind == "test":
                _test(self._connection, step, self._placed(step.sql, step.by))
            elif step.is_view:
                self._connection.execute(
                    f"create view {self._place(step.relation, step.by)} as {self._placed(step.sql, step.by)}"
                )
            else:
                self._fill(step)
        except duckdb.Error as error:
            raise Failed(f"{step.kind} {step.name}", str(error)) from error

    def _fill(self, step: Step) -> None:
        """DuckDB writes to one database in a transaction; one for each keeps the syncs few."""
        place, sql = self._place(step.relation, step.by), self._placed(step.sql, step.by)
        is_by_run = self._is_partial and step.by == "run"
        with _transaction(self._connection):
            self.row_count = _fill(self._connection, step, place, sql)
            if is_by_run:
                self._connection.execute(f"delete from {place} where run_id not in ({_AFFECTED})")
        if self._is_partial and step.is_kept:
            if is_by_run and step.day:
                gone = [f"{step.relation} where {condition}" for condition in _CONCERNED]
                self.changed_months = self._months(step.day, place, *gone)
            with _transaction(self._connection):
                for condition in _CONCERNED if is_by_run else ():
                    self._connection.execute(f"delete from {step.relation} where {condition}")
                self._connection.execute(f"insert into {step.relation} by name from {place}")

    def _months(self, day: str, *rows: str) -> list[str]:
        """The months of the rows that come and of those that go."""
        both = " union ".join(f"select date_trunc('month', {day}) from {one}" for one in rows)
        return [month_name(first) for (first,) in self._connection.execute(both).fetchall()]

    def _placed(self, sql: str, by: str) -> str:
        """``sql`` with each relation where a reader of the word ``by`` finds it."""
        return _RELATION.sub(lambda found: self._place(found.group(), by), sql)

    def _place(self, relation: str, by: str) -> str:
        step = self._steps.get(relation)
        if step is None or (relation.startswith('"warehouse"') and not step.by):
            return relation
        if step.is_kept and not (self._is_partial and by):
            return relation
        return relation.replace('"work"', '"scratch"').replace('"warehouse"', '"scratch"')


_AFFECTED = "select run_id from work.log.affected"
_CONCERNED = (f"run_id in ({_AFFECTED})", "run_id is null")
"""Rows that are made anew in a build that goes on. Two conditions: of each, DuckDB knows which parts of a
table hold no such row, of both in one it does not."""


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("begin")
    yield
    connection.execute("commit")


_RELATION = re.compile(r'"(?:warehouse|work)"\."main"\."\w+"')


def make_all(
    warehouse: Path,
    log: Log,
    variables: Mapping[str, str | int | None],
    plan: Sequence[Step],
    *,
    basis: Basis | None,
    before: Basis | None,
) -> Iterator[Made]:
    """Make every table of ``plan`` in the file ``warehouse``; gives each step when it is done.

    With ``before`` the file and ``work.duckdb`` beside it hold what was made then, and the build goes on from
    there. Without, they must not be there. Afterwards ``work.duckdb`` is what the next build may go on from,
    under the name ``basis``; there is none without it or when the plan allows no such build. Raises Failed,
    OSError, and TooMuchChanged before anything was made, when the build cannot go on from what there is.
    """
    work = warehouse.with_name(WORK_FILE)
    scratch = warehouse.with_name("scratch.duckdb")
    config = {"storage_compatibility_version": READABLE_SINCE}
    with duckdb.connect(str(warehouse), config=dict(config)) as connection:
        _settle(connection, work, scratch, variables)
        if before is None:
            open_all(connection, log)
        else:
            open_changes(connection, log, plan, before)
        making = Making(connection, plan, is_partial=before is not None)
        if before is not None:
            making.clear()
        for step in plan:
            yield _made(making, step)
        if basis is not None and can_be_kept(plan):
            remember(connection, log, plan, basis)
        connection.execute("detach scratch")
        connection.execute("detach work")
    scratch.unlink()
    if basis is None or not can_be_kept(plan):
        work.unlink()


def _made(making: Making, step: Step) -> Made:
    started, cpu = time.perf_counter(), time.process_time()
    making.do(step)
    return Made(
        unique_id=step.unique_id,
        status="pass" if step.kind == "test" else "success",
        execution_time=round(time.perf_counter() - started, 6),
        cpu_time=round(time.process_time() - cpu, 6),
        row_count=making.row_count,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MAXRSS_PER_MB,
        changed_months=making.changed_months,
    )


def _settle(
    connection: duckdb.DuckDBPyConnection,
    work: Path,
    scratch: Path,
    variables: Mapping[str, str | int | None],
) -> None:
    memory = os.environ.get("FLEETBOOK_MEMORY_LIMIT", "4GB")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set preserve_insertion_order = false")
    connection.execute(f"set memory_limit = {_text(memory)}")
    for name, file in (("work", work), ("scratch", scratch)):
        connection.execute(f"attach {_text(str(file))} as {name} (storage_version 'latest')")
    for name, value in variables.items():
        connection.execute(f"set variable {name} = {_literal(value)}")


def _fill(connection: duckdb.DuckDBPyConnection, step: Step, relation: str, sql: str) -> int:
    """Make the table ``relation`` of ``step``, with its contract and the sentences of its columns.

    Returns how many rows it has.
    """
    if not step.columns:
        return _count(connection.execute(f"create table {relation} as {sql}"))
    promised = ", ".join(
        f'"{column.name}" {column.data_type}{" not null" if column.is_required else ""}'
        for column in step.columns
    )
    connection.execute(f"create table {relation} ({promised})")
    _insist(connection, step, relation, sql)
    names = ", ".join(f'"{column.name}"' for column in step.columns)
    written = connection.execute(f"insert into {relation} ({names}) select {names} from ({sql})")
    count = _count(written)
    connection.execute(";".join(_comments(relation, step.description, step.columns)))
    return count


def _count(written: duckdb.DuckDBPyConnection) -> int:
    (row,) = written.fetchall()
    return int(row[0])


def _insist(connection: duckdb.DuckDBPyConnection, step: Step, relation: str, sql: str) -> None:
    """Raise Failed unless the model gives the columns and types of its contract."""
    promised = _types(connection, f"from {relation}")
    given = _types(connection, sql)
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


def _test(connection: duckdb.DuckDBPyConnection, step: Step, sql: str) -> None:
    """Raise Failed with the first rows that the test finds."""
    rows = connection.execute(f"select * from ({sql}) limit {SHOWN_ROWS}")
    names = [column[0] for column in rows.description or []]
    found = rows.fetchall()
    if not found:
        return
    (count,) = connection.execute(f"select count(*) from ({sql})").fetchall()[0]
    shown = "; ".join(", ".join(f"{n} = {v}" for n, v in zip(names, row, strict=True)) for row in found)
    raise Failed(f"test {step.name}", f"{count} rows break it, among them: {shown}")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _literal(value: str | int | None) -> str:
    if value is None:
        return "null"
    return str(value) if isinstance(value, int) else _text(value)
