"""``fleetbook build`` and ``fleetbook warehouse``: make the next generation, and where the current one is."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.build import Generation, Step
    from ingest.workspace import Workspace


_log = logging.getLogger("fleetbook.build")


def register(app: typer.Typer) -> None:
    """Add ``build`` and ``warehouse`` to the command line."""
    app.command("build")(build_warehouse)
    app.command("warehouse")(show_warehouse)


def build_warehouse(
    force: Annotated[bool, typer.Option("--force", help="Build although nothing changed.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Make all tables anew from the whole log.")] = False,
) -> None:
    """Build the warehouse from the log. Readers keep the old one until the new one is whole.

    Ends at once when the current one is up to date: same events, same registry, same release, same day.
    Otherwise makes anew what is concerned by the events that came since, which gives the same tables.
    A failed build changes nothing and says which step failed and why.
    """
    from app.build import PROJECT
    from app.commands.machines import whole_log
    from app.service_log import set_up
    from app.standing import up_to_date
    from ingest.workspace import Workspace, home

    set_up()
    workspace = Workspace.open(home())
    whole_log(workspace, may_be_older=True)
    now = dt.datetime.now(dt.UTC)
    checked = None if force or full else up_to_date(workspace, PROJECT, now)
    if checked is None:
        _build(workspace, is_full=full)
    else:
        _log.info(
            f"Build {checked.build_id} is up to date (checked {checked.checked_at:%Y-%m-%d %H:%M:%S} UTC): "
            "nothing came since. Build anyway with `fleetbook build --force`.",
            extra={"build_id": checked.build_id},
        )
    _look_at_alerts(workspace)


def _look_at_alerts(workspace: Workspace) -> None:
    """Measure the alerts of the applied registry, also where nothing came: no data may be news."""
    from app.alerting import evaluate
    from app.warehouse import Warehouse
    from runner.control.plane import Control
    from runner.errors import RegistryNotApplied

    warehouse = Warehouse.current(workspace)
    if warehouse is None or not workspace.has_control:
        return
    with Control(workspace, process_name="fleetbook build") as control:
        try:
            followed = evaluate(control, warehouse, control.store.clock())
        except RegistryNotApplied:
            return
    for one in followed.raised:
        _log.warning(f"Alert {one.alert_id} raised ({one.alert_incident_id}): {one.title}")
    for one in followed.resolved:
        _log.info(f"Alert {one.alert_id} ended ({one.alert_incident_id}): {one.resolution}")


def _build(workspace: Workspace, *, is_full: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from app.build import build
    from app.service_log import is_json
    from app.table_docs import write_docs
    from app.warehouse import Warehouse

    console = Console()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("Reading the log", total=None)

        def show(step: Step) -> None:
            bar.update(task, description=step.name, completed=step.done, total=step.total)

        made = build(workspace, progress=show, is_full=is_full)
    if is_json():
        _tell(made)
        return
    how = "" if made.is_full else " from what changed"
    console.print(
        f"Build {made.build_id}: {made.event_count:,} events, {made.row_counts['fct_runs']:,} runs, "
        f"{len(made.row_counts)} tables in {made.seconds:.1f} s{how}. {_until(made.data_until)}",
        highlight=False,
        soft_wrap=True,
    )
    if made.upkeep:
        console.print(made.upkeep, highlight=False, soft_wrap=True, markup=False)
    console.print(f"Open it with DuckDB: {made.path / 'warehouse.duckdb'}", highlight=False, soft_wrap=True)
    made_now = Warehouse.at(made.path)
    console.print(f"What its tables hold: {write_docs(made_now)}", highlight=False, soft_wrap=True)


def _tell(made: Generation) -> None:
    ids = {
        "build_id": made.build_id,
        "event_count": made.event_count,
        "duration_ms": round(made.seconds * 1000),
    }
    _log.info("built%s", "" if made.is_full else " from what changed", extra=ids)
    if made.upkeep:
        _log.info("%s", made.upkeep)


def show_warehouse() -> None:
    """Print where the current generation is, how fresh it is, and what its tables hold."""
    from rich.console import Console
    from rich.table import Table

    from app.freshness import freshness
    from app.standing import checked_at
    from app.warehouse import Warehouse
    from ingest.workspace import Workspace, home

    console = Console()
    workspace = Workspace.open(home())
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        console.print("No warehouse yet. Make one with `fleetbook build`.", highlight=False)
        raise typer.Exit(1)
    console.print(f"{warehouse.file}", highlight=False, soft_wrap=True)
    console.print(
        f"Build {warehouse.build_id} of {warehouse.built_at:%Y-%m-%d %H:%M:%S} UTC. "
        f"{_until(warehouse.data_until)}",
        highlight=False,
    )
    checked = checked_at(workspace, warehouse.build_id)
    if checked is not None:
        console.print(f"Up to date when checked at {checked:%Y-%m-%d %H:%M:%S} UTC.", highlight=False)
    fresh = freshness(workspace, warehouse, dt.datetime.now(dt.UTC))
    if fresh.is_late:
        console.print(f"{fresh.words.capitalize()}.", highlight=False, soft_wrap=True)
    elif fresh.state == "waiting":
        console.print("The log has newer events: they come with the next build.", highlight=False)
    table = Table("table", "rows", "what it holds", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name, (rows, sentence) in warehouse.contents().items():
        table.add_row(name, f"{rows:,}", sentence)
    console.print(table)


def _until(newest: dt.datetime | None) -> str:
    return f"Data until {newest:%Y-%m-%d %H:%M:%S} UTC." if newest else "The log is empty."
