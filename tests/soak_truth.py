"""What must be true after a soak: what was acknowledged is in the log and in the tables, once, and over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import sqlalchemy as sa

from app.warehouse import Warehouse
from ingest.log.checkpoint import notarise
from ingest.log.verify import verify
from ingest.reader import snapshot
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.tables import approvals, holds, outbox, runs, schedule_slots, wallets
from tests.soak_traffic import Done

OVER = ("ended", "refused")
MOST = 10  # of one kind of problem are told


def is_at_rest(control: Control) -> bool:
    """Whether no run is open and every event has left for the log."""
    with control.store.read() as connection:
        open_runs = sa.select(sa.func.count()).select_from(runs).where(runs.c.status.not_in(OVER))
        unsent = sa.select(sa.func.count()).select_from(outbox)
        return not connection.execute(open_runs).scalar_one() and not connection.execute(unsent).scalar_one()


def problems(workspace: Workspace, done: Done, folder: Path) -> list[str]:
    """Every way in which the workspace is not as it must be; ``folder`` takes a copy of the log."""
    found = list(_left_open(workspace))
    with duckdb.connect() as database:
        files = [str(path) for path in snapshot(workspace, folder / "snapshot").files]
        database.execute(
            "create view log as from read_parquet($1, union_by_name=true)".replace("$1", str(files))
        )
        warehouse = Warehouse.current(workspace)
        assert warehouse is not None
        database.execute(f"attach '{warehouse.file}' as marts (read_only)")
        found += _runs(database, workspace, done)
        found += _spans(database, done)
        found += _agreement(database)
    notarise(workspace)
    found += [f"verify: {finding.code} {finding}" for finding in verify(workspace, 2).findings]
    return found


def _left_open(workspace: Workspace) -> Iterator[str]:
    """Runs, holds, wallets, requests and events that nobody brought to an end."""
    with Control(workspace, process_name="soak") as control, control.store.read() as connection:
        for row in connection.execute(sa.select(runs).where(runs.c.status.not_in(OVER))):
            yield f"stuck run: {row.run_id} of {row.agent_id} is {row.status}"
        for row in connection.execute(sa.select(holds)):
            yield f"leaked hold: run {row.run_id} turn {row.turn_index} on {row.wallet_id}"
        for row in connection.execute(sa.select(wallets).where(wallets.c.held_nano_usd != 0)):
            yield f"wallet {row.wallet_id} holds {row.held_nano_usd} nano-USD for nobody"
        for row in connection.execute(sa.select(approvals).where(approvals.c.status == "waiting")):
            yield f"request {row.approval_id} of run {row.run_id} still waits"
        for row in connection.execute(sa.select(outbox.c.event_id)):
            yield f"event {row.event_id} never left for the log"


def _runs(database: duckdb.DuckDBPyConnection, workspace: Workspace, done: Done) -> Iterator[str]:
    """Requested and scheduled runs, and decisions: once in the log, once in the tables, and over."""
    with Control(workspace, process_name="soak") as control, control.store.read() as connection:
        fired = sa.select(schedule_slots.c.run_id).where(schedule_slots.c.run_id.is_not(None))
        scheduled: list[str] = list(connection.execute(fired).scalars())
    if not scheduled:
        yield "no schedule fired"
    wanted = [*done.requested, *scheduled]
    database.execute("create table wanted as select unnest($1::varchar[]) as run_id", [wanted])
    yield from _said(
        database,
        """select * from (
                select run_id,
                    (select count(*) from log
                        where event_type = 'run_requested' and log.run_id = wanted.run_id) as told,
                    (select count(*) from marts.main.fct_runs as runs
                        where runs.run_id = wanted.run_id and run_status = 'ended') as shown
                from wanted
            ) where told <> 1 or shown <> 1""",
        "run {} was requested {} times in the log and has ended {} times in fct_runs",
    )
    database.execute("create table decided (approval_id varchar, decision varchar)")
    if done.decided:
        database.executemany("insert into decided values (?, ?)", list(done.decided.items()))
    yield from _said(
        database,
        """select approval_id, told, shown from (
                select decided.approval_id,
                    (select count(*) from log where event_type = 'approval_decided'
                        and log.approval_id = decided.approval_id
                        and log.decision = decided.decision) as told,
                    (select count(*) from marts.main.fct_approvals as requests
                        where requests.approval_id = decided.approval_id
                        and requests.decision = decided.decision) as shown
                from decided
            ) where told <> 1 or shown <> 1""",
        "decision of {} is {} times in the log and {} times in fct_approvals",
    )


def _spans(database: duckdb.DuckDBPyConnection, done: Done) -> Iterator[str]:
    """Runs sent as spans: every acknowledged one once in the tables, with each of its turns and calls."""
    database.execute(
        "create table sent as select unnest($1::varchar[]) as run_id",
        [[f"otel-{ids.trace_id.hex()}" for ids in done.sent]],
    )
    yield from _said(
        database,
        """select * from (
                select run_id,
                    (select count(*) > 0 from log
                        where log.run_id = sent.run_id and event_type = 'otel_span') as is_stored,
                    (select count(*) from marts.main.fct_runs as t where t.run_id = sent.run_id) as rows,
                    (select count(*) from marts.main.fct_turns as t where t.run_id = sent.run_id) as turns,
                    (select count(*) from marts.main.fct_tool_calls as t
                        where t.run_id = sent.run_id) as calls
                from sent
            ) where (is_stored, rows, turns, calls) <> (true, 1, 4, 3)""",
        "outside run {} is in the log: {}; it has {} rows in fct_runs, {} turns and {} calls",
    )


def _agreement(database: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What the log and the tables say of all runs, also those whose acknowledgement was lost in a kill."""
    yield from _said(
        database,
        """select event_id, count(*) from log where event_type not like 'otel%'
            group by event_id having count(*) > 1""",
        "event {} is {} times in the log",
    )
    for mart, event_type, key in (
        ("fct_turns", "turn_requested", "(run_id, turn_index, attempt)"),
        ("fct_tool_calls", "tool_call_requested", "(run_id, call_index)"),
        ("fct_approvals", "approval_requested", "approval_id"),
    ):
        yield from _said(
            database,
            f"""select (select count(distinct {key}) from log where event_type = '{event_type}'),
                (select count(*) from marts.main.{mart} where run_id not like 'otel-%')
                where 1 = 1""",
            f"{event_type}: {{}} in the log, {{}} in {mart}",
            is_equal_fine=True,
        )


def _said(
    database: duckdb.DuckDBPyConnection, query: str, sentence: str, *, is_equal_fine: bool = False
) -> Iterator[str]:
    """A sentence for each row of ``query``; with ``is_equal_fine`` none for a row of two equal numbers."""
    rows: Sequence[tuple[object, ...]] = database.execute(query).fetchall()
    wrong = [row for row in rows if not (is_equal_fine and row[0] == row[1])]
    yield from (sentence.format(*row) for row in wrong[:MOST])
    if len(wrong) > MOST:
        yield f"… and {len(wrong) - MOST} more like the last"
