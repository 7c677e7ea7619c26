"""``fleetbook import usage`` and ``fleetbook usage``: what providers charge beside what the log holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from ingest.usage.intake import Statement, Taken
    from ingest.usage.statement import Report

SHOWN = 10  # enough to see the pattern; the table rpt_provider_days has all of them


def register(app: typer.Typer) -> None:
    """Add ``usage`` to the command line; the import stands beside the other imports."""
    app.command("usage")(usage)


def import_usage(files: Sequence[Path], account: str | None, *, check: bool) -> None:
    """Read exports of model providers and, unless ``check``, write them into the log."""
    from rich.console import Console

    from ingest.usage.intake import DEFAULT_ACCOUNT, Taken, read_statement, reports, take_in_usage
    from ingest.workspace import Workspace, home

    console = Console(highlight=False)
    if check:
        statements: tuple[Statement, ...] = tuple(read_statement(path) for path in files)
        made = reports(statements, account or DEFAULT_ACCOUNT)
        _show(console, statements, [Taken(report=one, events_written=0) for one in made])
        console.print("Nothing was written.")
        if any(one.unread for one in statements):
            raise typer.Exit(1)
        return
    done = take_in_usage(Workspace.open(home()), files, account or DEFAULT_ACCOUNT)
    _show(console, done.statements, done.taken)
    if any(one.events_written for one in done.taken):
        console.print("Next: [bold]fleetbook build[/bold], then [bold]fleetbook usage[/bold] compares.")
    else:
        console.print("Nothing new: these statements are in the log already.")


def usage(
    month: Annotated[str | None, typer.Option(help="Month in days of UTC, as 2026-10. Default: all.")] = None,
    demo: Annotated[
        bool | None, typer.Option("--demo/--real", help="Which rows; demo in a demo workspace.")
    ] = None,
) -> None:
    """How much of what model providers charge the log holds: captured share per provider and model.

    Days are days of UTC, as providers count them. Ends with 1 when log and provider disagree on a day, or a
    price is missing or differs; with 2 without a build. `fleetbook import usage` brings exports in.
    """
    from rich.console import Console

    from app.errors import WarehouseError
    from app.warehouse import Scope, Warehouse
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise WarehouseError(
            f"Nothing to compare: {workspace.root} has no build. Run `fleetbook build` first."
        )
    days = _days(month)
    # what a provider charges belongs to no team; whoever runs the command holds the files anyway
    scoped = warehouse.for_person(Scope(person_id="", role_id="", team_ids=None, own_only=False))
    is_demo = workspace.is_demo if demo is None else demo
    captured = scoped.query("captured", is_demo=is_demo, **days)
    findings = scoped.query("provider_findings", is_demo=is_demo, **days)
    console = Console(highlight=False)
    _show_captured(console, captured)
    _show_findings(console, findings)
    _show_months(console, scoped.query("provider_months", is_demo=is_demo, **days))
    if findings.height:
        raise typer.Exit(1)


def _days(month: str | None) -> dict[str, dt.date]:
    if month is None:
        return {}
    from runner.control.months import parse_month

    first = parse_month(month)
    following = (first.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    return {"first_date": first, "last_date": following - dt.timedelta(days=1)}


def _show(console: Console, statements: Sequence[Statement], taken: Sequence[Taken]) -> None:
    from rich.table import Table

    from app.terminal import foreign

    headings = ("provider", "account", "kind", "days of UTC", "lines", "tokens", "USD", "new events")
    table = Table(*headings, box=None, pad_edge=False)
    for one in taken:
        cells = _report_cells(one.report)
        table.add_row(*(foreign(cell) for cell in cells), f"{one.events_written:,}")
    console.print(table)
    for statement in statements:
        for line in statement.unread[:SHOWN]:
            told = f"quarantined: {statement.name} line {line.position}: {line.reason}"
            console.print(foreign(told), soft_wrap=True)
        if statement.unread:
            told = (
                f"{statement.name}: {len(statement.unread):,} lines refused; its days prove nothing "
                "until the corrected export is imported under the same name."
            )
            console.print(foreign(told), soft_wrap=True)
        if statement.has_more:
            told = f"{statement.name}: its last page says that more follow. Give all pages in one command."
            console.print(foreign(told), soft_wrap=True)


def _report_cells(report: Report) -> tuple[str, ...]:
    tokens = [
        line.input_tokens + (line.output_tokens or 0)
        for line in report.lines
        if line.input_tokens is not None
    ]
    costs = [line.cost_nano_usd for line in report.lines if line.cost_nano_usd is not None]
    return (
        report.provider,
        report.account,
        report.kind,
        f"{report.start:%Y-%m-%d} to {report.end - dt.timedelta(microseconds=1):%Y-%m-%d}",
        f"{len(report.lines):,}",
        f"{sum(tokens):,}" if tokens else "–",
        f"{sum(costs) / 10**9:,.2f}" if costs else "–",
    )


def _show_captured(console: Console, rows: pl.DataFrame) -> None:
    headings = (
        "provider",
        "model",
        "days",
        "compared",
        "provider USD",
        "log USD",
        "captured",
        "tokens captured",
    )
    if rows.is_empty():
        console.print("No model calls and no exports in these days.")
        return
    _table(
        console,
        headings,
        [
            (
                row["provider_name"],
                row["model_name"] or "all models",
                f"{row['days']:,}",
                f"{row['days_compared']:,}",
                _usd(row["provider_cost_usd"]),
                _usd(row["log_cost_usd"]),
                _share(row["captured_cost_share"]),
                _share(row["captured_tokens_share"]),
            )
            for row in rows.iter_rows(named=True)
        ],
        numbers_from=2,
    )


def _show_findings(console: Console, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        console.print("No day on which an export and the log disagree.")
        return
    console.print(f"{rows.height:,} days and models on which log and provider disagree, most money first:")
    headings = (
        "day (UTC)",
        "provider",
        "model",
        "finding",
        "provider USD",
        "log USD",
        "USD/Mtok",
        "log USD/Mtok",
    )
    _table(
        console,
        headings,
        [
            (
                f"{row['usage_date']}",
                row["provider_name"],
                row["model_name"] or "all models",
                row["comparison"].replace("_", " "),
                _usd(row["provider_cost_usd"]),
                _usd(row["log_cost_usd"]),
                _usd(row["provider_usd_per_mtok"]),
                _usd(row["log_usd_per_mtok"]),
            )
            for row in rows.head(SHOWN).iter_rows(named=True)
        ],
        numbers_from=4,
    )


def _show_months(console: Console, rows: pl.DataFrame) -> None:
    invoiced = [row for row in rows.iter_rows(named=True) if row["invoices"]]
    if not invoiced:
        return
    headings = ("month (UTC)", "provider", "invoices", "invoiced USD", "log USD", "captured")
    _table(
        console,
        headings,
        [
            (
                f"{row['month_start_date']:%Y-%m}",
                row["provider_name"],
                f"{row['invoices']:,}",
                _usd(row["invoiced_usd"]),
                _usd(row["log_cost_usd"]),
                _share(row["captured_of_invoices_share"]),
            )
            for row in invoiced
        ],
        numbers_from=2,
    )


def _table(
    console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers_from: int
) -> None:
    from rich.table import Table

    from app.terminal import foreign

    table = Table(*headings, box=None, pad_edge=False)
    for column in table.columns[numbers_from:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(foreign(str(cell)) for cell in row))
    console.print(table)


def _usd(usd: object) -> str:
    return "–" if usd is None else f"{usd:,.2f}"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
