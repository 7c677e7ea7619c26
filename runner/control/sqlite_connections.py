"""Connections to SQLite that are kept open, and transactions on them without ceremony.

Taking a connection out of SQLAlchemy's pool, beginning, committing and giving it back costs several times as
much CPU as the statement in between; a run has two dozen transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection, Engine

from runner.control.prepared import driver_of


class Idle:
    """Connections of ``engine`` that nobody uses right now. Thread-safe: each is lent to one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connections: list[Connection] = []

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """Lend a connection; one whose block raises is not used again."""
        try:
            connection = self._connections.pop()
        except IndexError:
            connection = self._engine.connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._connections.append(connection)

    def close(self) -> None:
        """Close those that are not lent."""
        while self._connections:
            self._connections.pop().close()


@contextmanager
def transaction(connection: Connection, begin: str, *, is_durable: bool = True) -> Iterator[None]:
    """A transaction of the kind ``begin``: commits at the end of the block, rolls back when it raises.

    ``BEGIN IMMEDIATE`` takes the write lock at once: no upgrade in the middle that fails with "database is
    locked". Without ``is_durable`` the commit reaches the disk with the next one that is.
    """
    driver = driver_of(connection)
    if not is_durable:
        driver.execute("PRAGMA synchronous=NORMAL")
    driver.execute(begin)
    try:
        yield
        driver.commit()
    except BaseException:
        driver.rollback()
        raise
    finally:
        if not is_durable:
            driver.execute("PRAGMA synchronous=FULL")
        if connection.in_transaction():
            connection.rollback()  # SQLAlchemy's own mark of a transaction; SQLite's is over
