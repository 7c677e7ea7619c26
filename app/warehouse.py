"""Period questions: the current generation, read only, asked within one person's scope.

A generation is a folder that never changes. Ask :meth:`Warehouse.current` once per page run and pass the
answer down; the scope and the choice between real and demo rows are put into every statement here, below the
pages, so that leaving a filter out can never widen what comes back.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import duckdb
import polars as pl

from app.errors import QuestionError, WarehouseError
from app.questions import fleet
from app.questions.asking import Ask, FilterValue, Metric, Question
from app.questions.catalogue import QUESTIONS
from app.questions.marts import MARTS
from app.questions.scope import Scope, confine
from app.questions.statement import Statement
from ingest.workspace import Workspace

__all__ = ["QUESTIONS", "Scope", "Scoped", "Statement", "Warehouse"]

FILE_NAME = "warehouse.duckdb"
POINTER = "current"

# Readers need nothing outside the file, and one dictionary for all of them: DuckDB refuses a second one.
_READER = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": "2GB",
    "threads": "2",
    "temp_directory": "",
}


_OPENING = threading.Lock()


@lru_cache(maxsize=3)
def _connection(file: str, _identity: tuple[int, int]) -> duckdb.DuckDBPyConnection:
    """One instance per generation and process. Evicted ones are dropped, not closed: cursors may run.

    A second connection to a file that is still open shares its settings, which are locked by then.
    """
    with _OPENING:
        connection = duckdb.connect(file, read_only=True, config=dict(_READER))
        locked = connection.execute("select current_setting('lock_configuration')").fetchall()[0][0]
        if not locked:
            connection.execute("set global TimeZone = 'UTC'")
            connection.execute("set lock_configuration = true")
    return connection


@lru_cache(maxsize=8)
def _metrics(warehouse: Warehouse) -> Mapping[str, Metric]:
    """Read once per generation, which never changes."""
    rows = warehouse.fetch("select * from main.dim_metrics order by position", {})
    return MappingProxyType({row["metric_id"]: Metric(**row) for row in rows.iter_rows(named=True)})


@lru_cache(maxsize=200)
def _column_docs(warehouse: Warehouse, mart: str) -> Mapping[str, str]:
    """Read once per generation and table."""
    rows = warehouse.fetch(
        "select column_name, comment from duckdb_columns() "
        "where schema_name = 'main' and table_name = $mart order by column_index",
        {"mart": mart},
    )
    return MappingProxyType({str(name): str(comment or "") for name, comment in rows.iter_rows()})


@dataclass(frozen=True, kw_only=True)
class Warehouse:
    """One generation. ``build_id`` names it; ``data_until`` is its newest event, None for an empty log."""

    path: Path
    build_id: str
    built_at: dt.datetime
    data_until: dt.datetime | None

    @classmethod
    def current(cls, workspace: Workspace) -> Warehouse | None:
        """The generation the pointer names now, None before the first build.

        Raises WarehouseError when the pointer leads to nothing readable.
        """
        pointer = workspace.build_dir / POINTER
        if not pointer.is_symlink():
            return None
        return cls.at(pointer.resolve())

    @classmethod
    def at(cls, path: Path) -> Warehouse:
        """The generation in folder ``path``. Raises WarehouseError when it cannot be read."""
        try:
            facts = json.loads((path / "generation.json").read_text(encoding="utf-8"))
            until = facts["data_until"]
            return cls(
                path=path,
                build_id=str(facts["build_id"]),
                built_at=dt.datetime.fromisoformat(facts["built_at"]),
                data_until=dt.datetime.fromisoformat(until) if until else None,
            )
        except (OSError, ValueError, KeyError) as error:
            raise WarehouseError(
                f"Warehouse not readable: {path} ({type(error).__name__}: {error}). "
                "Run `fleetbook build` to make a new generation."
            ) from error

    @property
    def file(self) -> Path:
        """The DuckDB file, readable by DuckDB 1.2 and later."""
        return self.path / FILE_NAME

    def for_person(self, scope: Scope) -> Scoped:
        """The generation as a person with ``scope`` may see it."""
        return Scoped(warehouse=self, scope=scope)

    def tables(self) -> dict[str, str]:
        """Each table and its sentence."""
        rows = self.fetch(
            "select table_name, comment from duckdb_tables() where schema_name = 'main' order by 1", {}
        )
        return {str(name): str(comment or "") for name, comment in rows.iter_rows()}

    def contents(self) -> dict[str, tuple[int, str]]:
        """Each table, its number of rows and its sentence."""
        return {
            name: (int(self.fetch(f"select count(*) from main.{name}", {}).item()), sentence)
            for name, sentence in self.tables().items()
        }

    def column_docs(self, mart: str) -> dict[str, str]:
        """Each column of table ``mart`` and its sentence, in order; empty for an unknown table."""
        return dict(_column_docs(self, mart))

    def metrics(self) -> Mapping[str, Metric]:
        """The metrics of this generation by name, in order."""
        return _metrics(self)

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on all rows, without any scope: for people who can read the files anyway."""
        cursor = self._cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        try:
            facts = self.file.stat()
            return _connection(str(self.file), (facts.st_ino, facts.st_mtime_ns)).cursor()
        except (OSError, duckdb.Error) as error:
            raise WarehouseError(
                f"Warehouse not readable: {self.file} ({error}). "
                "Run `fleetbook build` to make a new generation."
            ) from error

    def fetch(self, sql: str, values: Mapping[str, object]) -> pl.DataFrame:
        """Rows of ``sql``, without any scope: for this module and the builder. One cursor per call."""
        cursor = self._cursor()
        try:
            rows: pl.DataFrame = (cursor.sql(sql, params=dict(values)) if values else cursor.sql(sql)).pl()
            return rows
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise WarehouseError(
                f"Warehouse of another release: build {self.build_id} lacks what this release asks for "
                f"({str(error).splitlines()[0]}). Run `fleetbook build` to make a new generation."
            ) from error
        finally:
            cursor.close()

    def batches(self, sql: str, values: Mapping[str, object], size: int) -> Iterator[pl.DataFrame]:
        """Rows of ``sql`` in batches of at most ``size``, at least one; without any scope, as fetch."""
        cursor = self._cursor()
        try:
            rows = cursor.sql(sql, params=dict(values)) if values else cursor.sql(sql)
            reader = rows.to_arrow_reader(size)
            yield pl.DataFrame(reader.schema.empty_table())
            for part in reader:
                yield pl.DataFrame(part)
        finally:
            cursor.close()


@dataclass(frozen=True, kw_only=True)
class Scoped:
    """A generation seen by one person. Every answer holds rows of the scope and of one population only."""

    warehouse: Warehouse
    scope: Scope

    def query(self, name: str, *, is_demo: bool, **filters: FilterValue) -> pl.DataFrame:
        """Rows of the question ``name``. Raises QuestionError for an unknown question or filter."""
        question = _question(name)
        ask = Ask(filters=question.accept(filters), metrics=self.warehouse.metrics())
        statement = self._confined(question.write(ask), ask, is_demo, question.meaning)
        rows = self.warehouse.fetch(statement.sql, statement.used)
        return fleet.tile_frame(rows, ask) if name == "tiles" else question.finish(rows)

    def statement(self, name: str, *, is_demo: bool, **filters: FilterValue) -> Statement:
        """The SQL of the question, its values and its meaning, as :meth:`query` would run it."""
        question = _question(name)
        ask = Ask(filters=question.accept(filters), metrics=self.warehouse.metrics())
        return self._confined(question.write(ask), ask, is_demo, question.meaning)

    def table(
        self, mart: str, *, is_demo: bool, limit: int | None = None, offset: int = 0, **filters: FilterValue
    ) -> pl.DataFrame:
        """Rows of table ``mart`` in key order; filters are the period and its columns."""
        statement = self.table_statement(mart, is_demo=is_demo, limit=limit, offset=offset, **filters)
        return self.warehouse.fetch(statement.sql, statement.used)

    def table_statement(
        self, mart: str, *, is_demo: bool, limit: int | None = None, offset: int = 0, **filters: FilterValue
    ) -> Statement:
        """The SQL of :meth:`table`."""
        ask, where = self._table_where(mart, filters)
        page = "" if limit is None else f"\nlimit {limit} offset {offset}"
        keys = ", ".join(f"{key} nulls last" for key in MARTS[mart].keys)
        sql = f"select *\nfrom {mart}\nwhere {where}\norder by {keys}{page}"
        return self._confined(sql, ask, is_demo, self.warehouse.tables().get(mart, ""))

    def row_count(self, mart: str, *, is_demo: bool, **filters: FilterValue) -> int:
        """How many rows :meth:`table` has with the same filters, counted by a statement of its own."""
        ask, where = self._table_where(mart, filters)
        statement = self._confined(f"select count(*) from {mart} where {where}", ask, is_demo, "")
        return int(self.warehouse.fetch(statement.sql, statement.used).item())

    def rows_behind(
        self,
        measure: str,
        *,
        is_demo: bool,
        limit: int | None = None,
        offset: int = 0,
        **filters: FilterValue,
    ) -> pl.DataFrame:
        """The fact rows behind a tile: its numerator and denominator over them give the tile's number."""
        statement = self.behind_statement(measure, is_demo=is_demo, limit=limit, offset=offset, **filters)
        return self.warehouse.fetch(statement.sql, statement.used)

    def behind_statement(
        self,
        measure: str,
        *,
        is_demo: bool,
        limit: int | None = None,
        offset: int = 0,
        **filters: FilterValue,
    ) -> Statement:
        """The SQL of :meth:`rows_behind`; its meaning is the definition of ``measure``."""
        ask = Ask(filters=_question("tiles").accept(filters), metrics=self.warehouse.metrics())
        metric = fleet.metric_named(measure, ask)
        keys = ", ".join(f"{key} nulls last" for key in MARTS[metric.fact].keys)
        page = "" if limit is None else f"\nlimit {limit} offset {offset}"
        sql = f"select *\nfrom {metric.fact}\nwhere {fleet.rows_of(metric, ask)}\norder by {keys}{page}"
        return self._confined(sql, ask, is_demo, metric.definition)

    def batches(self, statement: Statement, size: int = 50_000) -> Iterator[pl.DataFrame]:
        """Rows of a statement of this scope, at most ``size`` in memory at once; the first batch is empty."""
        return self.warehouse.batches(statement.sql, statement.used, size)

    def first(self, statement: Statement, limit: int) -> pl.DataFrame:
        """The first ``limit`` rows of a statement of this scope."""
        return self.warehouse.fetch(f"select * from (\n{statement.sql}\n) limit {limit}", statement.used)

    def count(self, statement: Statement) -> int:
        """How many rows a statement of this scope has, counted by a statement of its own."""
        sql = f"select count(*) from (\n{statement.sql}\n)"
        return int(self.warehouse.fetch(sql, statement.used).item())

    def metric(self, measure: str) -> Metric:
        """The metric ``measure``. Raises QuestionError when the generation has none of that name."""
        return fleet.metric_named(measure, Ask(filters={}, metrics=self.warehouse.metrics()))

    def column_docs(self, mart: str) -> dict[str, str]:
        """Each column of table ``mart`` and its sentence, in order."""
        return self.warehouse.column_docs(mart)

    def marts(self) -> dict[str, str]:
        """Tables that may be exported, and the sentence of each."""
        sentences = self.warehouse.tables()
        return {name: sentences.get(name, "") for name in MARTS}

    def _table_where(self, mart: str, filters: Mapping[str, FilterValue]) -> tuple[Ask, str]:
        if mart not in MARTS:
            raise QuestionError(f"Unknown table {mart!r}. The tables are {', '.join(MARTS)}.")
        columns = self.warehouse.column_docs(mart)
        strays = [name for name in ("team_id", "agent_id") if filters.get(name) and name not in columns]
        if strays:
            raise QuestionError(f"Table {mart!r} has no column {strays[0]!r}. Ask without this filter.")
        reader = Question(name=mart, meaning="", write=lambda ask: "", takes=dict.fromkeys(columns, object))
        ask = Ask(filters=reader.accept(filters), metrics={})
        return ask, ask.where(MARTS[mart].date, equals={name: name for name in columns})

    def _confined(self, sql: str, ask: Ask, is_demo: bool, meaning: str) -> Statement:
        confined, values = confine(sql, self.scope)
        return Statement(sql=confined, values={**ask.values, **values, "is_demo": is_demo}, meaning=meaning)


def _question(name: str) -> Question:
    try:
        return QUESTIONS[name]
    except KeyError:
        raise QuestionError(
            f"Unknown question {name!r}. The questions are {', '.join(sorted(QUESTIONS))}."
        ) from None
