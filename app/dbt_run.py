"""The process that runs dbt and writes the marts beside the warehouse: ``python -m app.dbt_run``.

dbt keeps global state and is not made for threads, so each build has a process of its own. It reports on
standard output, one JSON object per line; it ends at once when its standard input closes, which is how it
learns that the builder died.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    import duckdb

MARTS_FOLDER = "marts"


class NodeDone(msgspec.Struct, tag="node", frozen=True, kw_only=True):
    """A model was made or a test was run: its name, its number and how many there are."""

    name: str
    done: int
    total: int


class Stopped(msgspec.Struct, tag="stopped", frozen=True, kw_only=True):
    """dbt gave up before it ran anything: why, in its words."""

    problem: str


class Marts(msgspec.Struct, tag="marts", frozen=True, kw_only=True):
    """What the generation holds: rows and SHA256 of the Parquet copy per table, events, newest event."""

    row_counts: dict[str, int]
    digests: dict[str, str]
    event_count: int
    data_until_us: int | None


Report: TypeAlias = NodeDone | Stopped | Marts


def main() -> int:
    """Run ``dbt build`` of all, or of what a selector names, then export the marts; 0 when all passed."""
    reports = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever dbt prints goes to the builder's log
    threading.Thread(target=_end_with_builder, daemon=True).start()
    project, target, logs, *selector = sys.argv[1:5]
    if not _run_dbt(project, target, logs, reports, selector):
        return 1
    _report(reports, _export(Path(os.environ["FLEETBOOK_WAREHOUSE_FILE"])))
    return 0


def _end_with_builder() -> None:
    os.read(0, 1)
    os._exit(70)  # EX_SOFTWARE: nothing of this build may go on


def _run_dbt(project: str, target: str, logs: str, reports: IO[bytes], selector: list[str]) -> bool:
    from dbt.cli.main import dbtRunner

    def watch(event: object) -> None:
        info = getattr(event, "info", None)
        if info is not None and info.name in ("LogModelResult", "LogTestResult"):
            data = event.data  # type: ignore[attr-defined]  # dbt's events are generated protobuf classes
            total = data.total if info.name == "LogModelResult" else data.num_models
            _report(reports, NodeDone(name=data.node_info.node_name, done=data.index, total=total))

    arguments = ["build", "--project-dir", project, "--profiles-dir", project]
    arguments += ["--target-path", target, "--log-path", logs, "--exclude-resource-type", "unit_test"]
    arguments += ["--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats", "--no-version-check"]
    arguments += ["--log-level-file", "info"]
    arguments += ["--selector", *selector] if selector else []
    outcome = dbtRunner(callbacks=[watch]).invoke(arguments)
    if outcome.exception is not None:
        _report(reports, Stopped(problem=str(outcome.exception)))
        return False
    return bool(outcome.success)


def _export(database: Path) -> Marts:
    """Write each mart as Parquet beside the database."""
    import duckdb

    folder = database.parent / MARTS_FOLDER
    folder.mkdir()
    row_counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name in _names(connection):
            file = folder / f"{name}.parquet"
            path = str(file).replace("'", "''")
            connection.execute(f"copy main.{name} to '{path}' (format parquet, compression zstd)")
            row_counts[name] = _number(connection, f"select count(*) from main.{name}") or 0
            with file.open("rb") as content:
                digests[name] = hashlib.file_digest(content, "sha256").hexdigest()
        return Marts(
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


def _report(reports: IO[bytes], report: Report) -> None:
    reports.write(msgspec.json.encode(report) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
