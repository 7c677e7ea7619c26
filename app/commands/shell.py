"""``fleetbook shell``: SQL on the current generation, read only, and where its numbers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import duckdb

_ROWS_SHOWN = 200


def register(app: typer.Typer) -> None:
    """Add ``shell`` and ``lineage`` to the command line."""
    app.command("shell")(shell)
    app.command("lineage")(lineage)


def shell(
    sql: Annotated[
        str | None, typer.Option("--command", "-c", help="Run this SQL, print its rows and end.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print rows as CSV, all of them.")] = False,
) -> None:
    """Ask the current generation in SQL. Nothing can be changed; each statement ends with a semicolon.

    It reads the files as the person at the terminal can: team scopes are for the pages and exports.
    """
    from app.errors import WarehouseError
    from app.warehouse import Warehouse
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise WarehouseError(
            f"Nothing to ask: {workspace.root} has no build. Run `fleetbook build` and ask again."
        )
    with warehouse.reader() as connection:
        if sql is not None:
            _answer(connection, sql, csv)
            return
        typer.echo(f"{warehouse.file}, build {warehouse.build_id}. Tables: `show tables;`. Ctrl-D ends.")
        _converse(connection, csv)


def lineage(
    metric: Annotated[str, typer.Argument(help="Metric, table or event type, for example success_rate.")],
) -> None:
    """Where a number comes from and goes to: event types, models on the way, its table, pages and exports.

    Of an event type: its columns, the tables that are made from it, and the pages and exports of these.
    """
    from app.errors import WarehouseError
    from app.lineage import of_event_type, of_metric
    from app.warehouse import Warehouse
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise WarehouseError(
            f"No lineage yet: {workspace.root} has no build. Run `fleetbook build` and ask again."
        )
    typer.echo(str(of_event_type(warehouse, metric) or of_metric(warehouse, metric)))


def _converse(connection: duckdb.DuckDBPyConnection, csv: bool) -> None:
    import sys

    from app.errors import QuestionError

    if sys.stdin.isatty():
        import readline  # noqa: F401  (imported for what it does to input(): history and editing)
    pending = ""
    while True:
        try:
            pending += input("... " if pending else "sql> ") + "\n"
        except EOFError:
            break
        if not pending.rstrip().endswith(";"):
            continue
        try:
            _answer(connection, pending, csv)
        except QuestionError as error:
            typer.echo(str(error), err=True)
        pending = ""
    typer.echo()


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, csv: bool) -> None:
    import duckdb

    from app.errors import QuestionError

    try:
        rows = connection.sql(sql)
    except duckdb.Error as error:
        raise QuestionError(
            f"SQL not answered: {error}. See the tables with `fleetbook warehouse`, their columns in "
            "docs/metrics.md."
        ) from error
    if rows is None:
        return
    if csv:
        typer.echo(rows.pl().write_csv(), nl=False)
    else:
        rows.show(max_rows=_ROWS_SHOWN, max_width=10_000)
