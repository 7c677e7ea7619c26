"""``fleetbook prices``: which list prices are in use, from where and of when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from decimal import Decimal


def register(app: typer.Typer) -> None:
    """Add ``prices`` to the command line."""
    app.command("prices")(prices)


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


def _usd(price: Decimal | None) -> str:
    return "–" if price is None else f"{price.normalize():f}"
