"""Statements of the hot path, compiled once: on SQLite they go straight to the driver.

SQLAlchemy spends several times as much CPU on a statement as SQLite does, at each execution anew: a quarter
of all CPU of a run, as measured. On PostgreSQL the network costs more, so there SQLAlchemy executes them.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.sql.dml import UpdateBase

Row: TypeAlias = sa.Row[tuple[object, ...]]  # read by the names of its columns only
Values: TypeAlias = Mapping[str, object]
_Change: TypeAlias = Callable[[object], object]


class _Slot(NamedTuple):
    """Where a bound value goes, what it is called, and what the driver wants instead of it."""

    place: int
    name: str
    change: _Change | None


class _Plan(NamedTuple):
    """A statement as SQLite's driver takes it, and its rows as callers take them."""

    sql: str
    constants: list[object]
    slots: tuple[_Slot, ...]
    row: Callable[[Sequence[object]], Row]


class Prepared:
    """One statement with named bound values. Each method executes it in the transaction of ``connection``.

    ``columns`` names the columns that an insert gives values for.
    """

    def __init__(self, statement: sa.Select[tuple[object, ...]] | UpdateBase, *columns: str) -> None:
        self._statement = statement
        self._columns = columns

    def all(self, connection: Connection, values: Values) -> list[Row]:
        """The rows of a select, or those that a change returns."""
        if connection.dialect.name != "sqlite":
            return list(connection.execute(self._statement, values).all())
        row = self._plan.row
        return [row(found) for found in self._execute(connection, values).fetchall()]

    def first(self, connection: Connection, values: Values) -> Row | None:
        """The only row, or None."""
        return next(iter(self.all(connection, values)), None)

    def one(self, connection: Connection, values: Values) -> Row:
        """The row that is there. Raises NoResultFound."""
        found = self.first(connection, values)
        if found is None:
            raise sa.exc.NoResultFound("No row was found when one was required")
        return found

    def changed(self, connection: Connection, values: Values) -> int:
        """Number of rows that an update or a delete changed."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, values).rowcount
        return self._execute(connection, values).rowcount

    def many(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Execute once per element of ``rows``."""
        if connection.dialect.name != "sqlite":
            connection.execute(self._statement, rows)
            return
        driver_of(connection).executemany(self._plan.sql, [self._bound(values) for values in rows])

    def _execute(self, connection: Connection, values: Values) -> sqlite3.Cursor:
        return driver_of(connection).execute(self._plan.sql, self._bound(values))

    def _bound(self, values: Values) -> list[object]:
        bound = self._plan.constants.copy()
        for place, name, change in self._plan.slots:
            bound[place] = values[name] if change is None else change(values[name])
        return bound

    @cached_property
    def _plan(self) -> _Plan:
        dialect = sqlite.dialect()
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns or None)
        constants: list[object] = []
        slots: list[_Slot] = []
        for place, name in enumerate(compiled.positiontup or ()):
            bind = compiled.binds[name]
            change = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.required:
                slots.append(_Slot(place, name, change))
                constants.append(None)
            else:
                constants.append(bind.value if change is None else change(bind.value))
        return _Plan(str(compiled), constants, tuple(slots), self._row(dialect))

    def _row(self, dialect: sa.Dialect) -> Callable[[Sequence[object]], Row]:
        columns = [column for column in self._statement.exported_columns if column.key is not None]
        record = namedtuple("record", [column.key for column in columns])  # type: ignore[misc]  # only known here
        changes = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        typed = [(place, change) for place, change in enumerate(changes) if change is not None]

        def row(found: Sequence[object]) -> Row:
            cells = list(found)
            for place, change in typed:
                cells[place] = change(cells[place])
            return cast(Row, record._make(cells))

        return row


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection behind ``connection``."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # the connection is checked out, and of SQLite
    return driver
