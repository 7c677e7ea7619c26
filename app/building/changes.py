"""What came since the last build, and which runs that concerns: only those are made anew.

The builder keeps ``work.duckdb`` between builds: tables of the models that later builds need (see
:class:`app.building.plan.Step`), and in the schema ``log`` what it knows of the log. A build may go on from
it as long as the plan, the aliases and the events it was made from are there; otherwise all is made anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from app.building.plan import ARRIVALS, EVENTS, Step
from ingest.events import EVENT_TYPES

RUNS = '"work"."main"."int_runs_found"'
TIMED = '"work"."main"."int_runs_timed"'
MOST_IN_A_ROW = 200
"""After so many builds that went on from the one before, all is made anew: files stay free of holes."""
_KEPT_BY_RUN = ("int_runs_found", "int_runs_timed")
_NO_BODY = "exclude (body, hash)"
_NULL_BODY = "cast(null as varchar) as body, cast(null as varchar) as hash"


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The log as files: those of the log itself, those the builder derived, and how many events the former
    hold. ``only`` is a condition that rows must meet."""

    files: list[str]
    derived: list[str]
    event_count: int
    only: str = "true"


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What the kept tables must have been made with for a build to go on from them."""

    build_id: int
    plan_key: str
    derived_sha256: str


class TooMuchChanged(Exception):
    """The kept tables do not fit the log; all must be made anew."""


def open_all(connection: duckdb.DuckDBPyConnection, log: Log) -> None:
    """Let the plan read the whole log."""
    connection.execute("create schema work.log")
    connection.execute(f"create view {EVENTS} as {_rows([*log.files, *log.derived])} where {log.only}")
    connection.execute(f"create view {ARRIVALS} as select *, true as is_arrived from {EVENTS}")


def open_changes(
    connection: duckdb.DuckDBPyConnection, log: Log, steps: Sequence[Step], basis: Basis
) -> None:
    """Let the plan read what came, and all there is of the runs concerned.

    Raises TooMuchChanged when the kept tables are of another basis, or events went.
    """
    _insist_on_basis(connection, basis)
    _note_arrivals(connection, log)
    _note_affected(connection)
    bulk = _words(_run_types(steps))
    connection.execute(
        f"insert into work.log.others by name select * exclude (is_arrived) from {ARRIVALS} "
        f"where is_arrived and (run_id is null or event_type not in ({bulk}))"
    )
    concerned = f"event_type in ({bulk}) and run_id in (select run_id from work.log.affected)"
    files = _holding(connection, log, concerned)
    connection.execute(
        f"create view {EVENTS} as select *, {_NULL_BODY} from (from work.log.others "
        f"union all by name select * {_NO_BODY} from ({_rows(files)}) where {concerned} "
        f"union all by name select * {_NO_BODY} from ({_rows([*log.files[-1:], *log.derived])}) "
        "where writer_id is null)"
    )


def remember(connection: duckdb.DuckDBPyConnection, log: Log, steps: Sequence[Step], basis: Basis) -> None:
    """Note in the kept file what the next build must know of the log."""
    bulk = _words(_run_types(steps))
    rows = _rows(log.files)
    in_a_row = 0
    reached = "select writer_id, max(seq) as seq from {} where writer_id is not null group by writer_id"
    if _exists(connection, "basis"):
        (before,) = connection.execute("select in_a_row from work.log.basis").fetchall()[0]
        in_a_row = before + 1
        arrived = reached.format(ARRIVALS)
        connection.execute(
            "create or replace table work.log.reached as select writer_id, max(seq) as seq from "
            f"(from work.log.reached union all ({arrived})) group by writer_id"
        )
    else:
        connection.execute(f"create table work.log.reached as {reached.format(f'({rows})')}")
        connection.execute(
            f"create table work.log.others as select * {_NO_BODY} from ({rows}) "
            f"where run_id is null or event_type not in ({bulk})"
        )
    connection.execute("create or replace table work.log.files (name text)")
    names = [[Path(file).name] for file in log.files]
    connection.executemany("insert into work.log.files values (?)", names)
    connection.execute(
        "create or replace table work.log.basis as "
        "select ? as build_id, ? as plan_key, ? as derived, ? as events, ? as in_a_row",
        [basis.build_id, basis.plan_key, basis.derived_sha256, log.event_count, in_a_row],
    )
    for view in (EVENTS, ARRIVALS):
        connection.execute(f"drop view if exists {view}")
    connection.execute("drop table if exists work.log.affected")


def can_be_kept(steps: Sequence[Step]) -> bool:
    """Whether the plan has what tells which runs are concerned by an event."""
    return {step.name for step in steps if step.is_kept} >= set(_KEPT_BY_RUN)


def _insist_on_basis(connection: duckdb.DuckDBPyConnection, basis: Basis) -> None:
    if not _exists(connection, "basis"):
        raise TooMuchChanged
    found = connection.execute("select build_id, plan_key, derived from work.log.basis").fetchone()
    if found != (basis.build_id, basis.plan_key, basis.derived_sha256):
        raise TooMuchChanged
    (in_a_row,) = connection.execute("select in_a_row from work.log.basis").fetchall()[0]
    if in_a_row >= MOST_IN_A_ROW:
        raise TooMuchChanged


def _note_arrivals(connection: duckdb.DuckDBPyConnection, log: Log) -> None:
    """Events beyond what each writer had reached, from the files that are new and the one that is open."""
    known = {name for (name,) in connection.execute("select name from work.log.files").fetchall()}
    files = [file for file in log.files if Path(file).name not in known or file == log.files[-1]]
    connection.execute(
        f"create view {ARRIVALS} as select events.* {_NO_BODY}, "
        "events.seq > coalesce(reached.seq, -1) as is_arrived "
        f"from ({_rows(files)}) as events left join work.log.reached on reached.writer_id = events.writer_id "
        "where events.writer_id is not null and events.seq >= coalesce(reached.seq, -1)"
    )
    (before,) = connection.execute("select events from work.log.basis").fetchall()[0]
    (came,) = connection.execute(f"select count(*) from {ARRIVALS} where is_arrived").fetchall()[0]
    if before + came != log.event_count:
        raise TooMuchChanged  # events were deleted on record


def _note_affected(connection: duckdb.DuckDBPyConnection) -> None:
    """Runs with new events, runs that are not over, and all that are delegated in one tree with these."""
    connection.execute(
        f"""
        create table work.log.affected as
        select run_id from {ARRIVALS} where is_arrived and run_id is not null
        union
        select parent_run_id as run_id from {ARRIVALS} where is_arrived and parent_run_id is not null
        union
        select run_id from {TIMED} where run_status <> 'ended'
        """
    )
    while True:
        (added,) = connection.execute(
            f"""
            insert into work.log.affected
            select run_id from {RUNS}
            where
                run_id not in (select run_id from work.log.affected)
                and (
                    root_run_id in (
                        select root_run_id from {RUNS} where run_id in (select run_id from work.log.affected)
                    )
                    or parent_run_id in (select run_id from work.log.affected)
                    or run_id in (
                        select parent_run_id from {RUNS}
                        where run_id in (select run_id from work.log.affected) and parent_run_id is not null
                    )
                )
            """
        ).fetchall()[0]
        if not added:
            return


def _holding(connection: duckdb.DuckDBPyConnection, log: Log, concerned: str) -> list[str]:
    """The files that hold such rows, and the one that is open: the families of the plan read these only.

    Ids of runs begin with their time, so that the bounds leave out most of a long history.
    """
    bounds = connection.execute("select min(run_id), max(run_id) from work.log.affected").fetchall()[0]
    found = connection.execute(
        f"select distinct filename from ({_rows(log.files, ', filename=true')}) "
        f"where run_id between ? and ? and {concerned}",
        bounds,
    )
    return sorted({*log.files[-1:], *(name for (name,) in found.fetchall())})


def _run_types(steps: Sequence[Step]) -> set[str]:
    """Event types that only families by run read."""
    families = [step for step in steps if step.name.startswith("stg_events__")]
    by_run = {word for step in families if step.by == "run" for word in _named(step)}
    return by_run - {word for step in families if step.by != "run" for word in _named(step)}


def _named(step: Step) -> set[str]:
    return set(re.findall(r"'([a-z_]+)'", step.sql)) & {one.name for one in EVENT_TYPES}


def _words(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)) or "''"


def _rows(files: Sequence[str], options: str = "") -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return f"select * from read_parquet([{listed}], union_by_name=true, hive_partitioning=false{options})"


def _exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    found = connection.execute(
        "select 1 from duckdb_tables() "
        "where database_name = 'work' and schema_name = 'log' and table_name = ?",
        [table],
    )
    return bool(found.fetchall())
