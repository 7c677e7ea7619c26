"""``fleetbook prices`` and ``fleetbook reprice``: list prices in use, and past calls at these prices."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from decimal import Decimal

    import polars as pl

    from ingest.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add ``prices`` and ``reprice`` to the command line."""
    app.command("prices")(prices)
    app.command("reprice")(reprice)


def prices() -> None:
    """List prices of the models that registry.yaml names, in USD per million tokens, with source and date.

    An own price (registry.yaml, ``prices``) comes before the installed genai-prices table. A model without a
    price is unknown, never free: agents with a wallet are refused on it.
    """
    from rich.console import Console
    from rich.table import Table

    from ingest.workspace import Workspace, home
    from runner.control.price_sheet import price_sheet
    from runner.control.registry_file import load_registry

    workspace = Workspace.open(home())
    registry = load_registry(workspace.registry_file)
    table = Table(
        "model", "input", "output", "cache read", "cache write", "source", "of", box=None, pad_edge=False
    )
    for column in table.columns[1:5]:
        column.justify = "right"
    for column in (table.columns[0], *table.columns[5:]):
        column.no_wrap = True
    lines = price_sheet(registry)
    for line in lines:
        table.add_row(
            line.model,
            _usd(line.input_usd_per_mtok),
            _usd(line.output_usd_per_mtok),
            _usd(line.cache_read_usd_per_mtok),
            _usd(line.cache_write_usd_per_mtok),
            line.source,
            line.dated,
        )
    console = Console()
    console.print(table)
    unknown = [line.model for line in lines if line.source == "unknown"]
    if unknown:
        console.print(
            f"{len(unknown)} without a price: {', '.join(unknown)}. Add a line under `prices` in "
            "registry.yaml and run `fleetbook registry apply`.",
            highlight=False,
            soft_wrap=True,
        )


def reprice(
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write each call to this Parquet file.")
    ] = None,
    demo: Annotated[
        bool | None, typer.Option("--demo/--real", help="Which rows; demo in a demo workspace.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--record", help="Keep it in the log, for the table rpt_restated_days.")
    ] = False,
    person: Annotated[
        str, typer.Option("--as", metavar="PERSON", help="Person who does it. Needed with --record.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why, for the record. Needed with --record.")] = "",
) -> None:
    """What the calls since a day would have cost at the prices in use now, beside what was recorded.

    Nothing recorded changes: wallets, reports and the log keep the cost of the day. Calls that are unknown
    then or now are counted, not added. --record needs the right to change budgets, company-wide.
    """
    from app.errors import WarehouseError
    from app.reprice import by_model, restated
    from app.warehouse import Warehouse
    from ingest.workspace import Workspace, home
    from runner.control.registry_file import load_registry

    try:
        day = dt.date.fromisoformat(first)
    except ValueError as error:
        raise typer.BadParameter(
            f"{first!r} is no day; write it as YYYY-MM-DD.", param_hint="--from"
        ) from error
    workspace = Workspace.open(home())
    if keep:
        _require_budgets(workspace, person, reason)
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise WarehouseError(
            f"Nothing to price again: {workspace.root} has no build. Run `fleetbook build` first."
        )
    registry = load_registry(workspace.registry_file)
    is_demo = workspace.is_demo if demo is None else demo
    rows = restated(warehouse, registry.prices, first_date=day, is_demo=is_demo)
    _show_restated(by_model(rows))
    typer.echo(
        f"{rows.height:,} calls since {day}, build {warehouse.build_id}. Recorded costs stay as they are."
    )
    if out is not None:
        rows.write_parquet(out, compression="zstd")
        typer.echo(f"Each call: {out}")
    if keep:
        from app.reprice import record

        made = record(
            workspace, rows, first_date=day, is_demo=is_demo, person_id=person, reason=reason.strip()
        )
        typer.echo(f"Recorded as {made}. Next: `fleetbook build`, then the table rpt_restated_days has it.")


def _require_budgets(workspace: Workspace, person_id: str, reason: str) -> None:
    """Raise AccessRefused, or typer's error for what is missing, unless the person may record it."""
    from runner.control.access import WHOLE_COMPANY
    from runner.control.plane import Control

    if not person_id or not reason.strip():
        raise typer.BadParameter("it needs --as PERSON and --reason, for the record.", param_hint="--record")
    with Control(workspace, process_name="fleetbook reprice") as control:
        control.require(control.registry(), person_id, "change_budget", WHOLE_COMPANY)


def _show_restated(models: pl.DataFrame) -> None:
    from rich.console import Console
    from rich.table import Table

    headings = (
        "provider",
        "model",
        "calls",
        "not compared",
        "recorded USD",
        "restated USD",
        "difference USD",
    )
    table = Table(*headings, box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for provider, model, *numbers in models.iter_rows():
        counts = [f"{count:,}" for count in numbers[:2]]
        money = ["–" if usd is None else f"{usd:,.2f}" for usd in numbers[2:]]
        table.add_row(str(provider), str(model), *counts, *money)
    Console().print(table)


def _usd(price: Decimal | None) -> str:
    return "–" if price is None else f"{price.normalize():f}"
