"""``fleetbook export``: rows of one table into files with a manifest, as a named person."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from app.errors import ExportRefused, WarehouseError


def register(app: typer.Typer) -> None:
    """Add ``export`` to the command line."""

    @app.command("export")
    def export_command(
        mart: Annotated[str, typer.Argument(help="Table of the warehouse, for example fct_runs.")],
        person: Annotated[str, typer.Option("--as", help="Person who exports; their scope applies.")],
        format_: Annotated[
            str,
            typer.Option(
                "--format", help="csv, parquet, xlsx or jsonl; focus-csv, focus-parquet for charges."
            ),
        ] = "parquet",
        team: Annotated[str | None, typer.Option(help="Only rows of this team.")] = None,
        agent: Annotated[str | None, typer.Option(help="Only rows of this agent.")] = None,
        first: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.")] = None,
        last: Annotated[str | None, typer.Option("--to", help="Last day, YYYY-MM-DD.")] = None,
        demo: Annotated[
            bool | None, typer.Option("--demo/--real", help="Which rows, where the build holds both.")
        ] = None,
    ) -> None:
        """Write rows of one table with a manifest of filter, build, rows and SHA-256: complete or refused."""
        filters = {
            "team_id": team,
            "agent_id": agent,
            "first_date": _day("--from", first),
            "last_date": _day("--to", last),
        }
        _export(
            mart, person, format_, {name: cell for name, cell in filters.items() if cell is not None}, demo
        )


def _export(
    mart: str, person_id: str, wanted: str, filters: dict[str, str | dt.date], demo: bool | None
) -> None:
    from app import identity
    from app.export.formats import FORMATS
    from app.export.service import export_table

    place = identity.premises()
    format_ = next((one for one in FORMATS if one == wanted.removeprefix("focus-")), None)
    if format_ is None:
        known = (*FORMATS, "focus-csv", "focus-parquet")
        raise ExportRefused(
            f"Export refused: there is no format {wanted!r}. Choose one of {', '.join(known)}."
        )
    person = identity.person(place.desk, person_id)
    warehouse = place.warehouse()
    if warehouse is None:
        raise WarehouseError(
            f"Nothing to export: {place.workspace.root} has no build. Run `fleetbook build`."
        )
    scoped = warehouse.for_person(identity.scope_of(person))
    export, event_id = export_table(
        scoped,
        place.desk,
        place.workspace.export_dir,
        mart=mart,
        format_=format_,
        is_demo=identity.shows_demo(scoped) if demo is None else demo,
        filters=filters,
        now=dt.datetime.now(dt.UTC),
        is_focus=wanted.startswith("focus-"),
    )
    entry = export.manifest.files[0]
    typer.echo(
        f"{entry.row_count:,} rows of {mart}, {export.manifest.scope}, build {export.manifest.build_id}"
    )
    typer.echo(f"  {export.data_file}")
    typer.echo(f"  sha256 {entry.sha256}")
    typer.echo(f"  {export.manifest_file}")
    typer.echo(f"  event export_created {event_id}")


def _day(option: str, text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day; write it as YYYY-MM-DD.", param_hint=option) from error
