"""``fleetbook doctor``: what is wrong with a workspace, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.upkeep.findings import Finding

_SIGNS = {"ok": "green", "look": "yellow", "broken": "red"}


def register(app: typer.Typer) -> None:
    """Add ``doctor`` to the command line."""
    app.command("doctor")(doctor)


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the findings as JSON, for machines.")
    ] = False,
) -> None:
    """Say what is wrong with a workspace – disk, registry, runs, log, warehouse – and what to do.

    Ends with 0 when all is well, 1 when something is worth a look, 2 when something is broken.
    """
    from app.upkeep.doctor import examine
    from ingest.log.writer import utc_now
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    found = examine(workspace, utc_now())
    if as_json:
        _print_json(found)
    else:
        _print_table(found)
    states = {one.state for one in found}
    raise typer.Exit(2 if "broken" in states else 1 if "look" in states else 0)


def _print_json(found: list[Finding]) -> None:
    import json
    from dataclasses import asdict

    typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))


def _print_table(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from app.terminal import plain

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        words = Text(plain(one.words))
        if one.advice:
            words.append(f"\n→ {plain(one.advice)}", style="bold")
        table.add_row(Text(one.state, style=_SIGNS[one.state]), one.subject, words)
    console = Console(highlight=False)
    console.print(table)
    worse = [one for one in found if one.state != "ok"]
    console.print(f"\n{len(worse)} findings." if worse else "\nAll is well.", markup=False)
