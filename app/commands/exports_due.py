"""``fleetbook exports run|gaps``: the scheduled exports of ``exports.yaml``, and which are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from app.errors import WarehouseError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from app.export.package import Export
    from app.export.scheduled import Declared, Period, Standing
    from app.identity import Premises
    from app.warehouse import Scoped, Warehouse


def register(app: typer.Typer) -> None:
    """Add ``exports`` to the command line."""
    group = typer.Typer(help="Scheduled exports: bring what is due, and see what is missing.")
    group.command("run")(run)
    group.command("gaps")(gaps)
    app.add_typer(group, name="exports")


def run() -> None:
    """Bring each whole period that is not at its place yet; exit code 1 when something there differs."""
    from app.export import scheduled

    due = _Due.of_the_workspace()
    brought = 0
    for one in scheduled.deliver(due.wanted, due.last_day, due.counted, due.exported):
        _say(one)
        brought += 1
    left = [one for one in due.standing() if one.state != "delivered"]
    typer.echo(f"{brought} delivered; data until {due.last_day} is whole.")
    _end(left)


def gaps() -> None:
    """Say how each period of each scheduled export stands; exit code 1 when one is not as it should be."""
    due = _Due.of_the_workspace()
    found = list(due.standing())
    left = [one for one in found if one.state != "delivered"]
    typer.echo(
        f"{len(found) - len(left)} of {len(found)} periods delivered; data until {due.last_day} is whole."
    )
    _end(left)


def _end(left: list[Standing]) -> None:
    for one in left:
        _say(one)
    if left:
        raise typer.Exit(1)


def _say(one: Standing) -> None:
    typer.echo(f"{one.name}  {one.period.first_date} to {one.period.last_date}  {one.state}: {one.told}")


class _Due:
    """The workspace's scheduled exports and its current build."""

    def __init__(
        self, premises: Premises, warehouse: Warehouse, wanted: Mapping[str, Declared], last_day: dt.date
    ) -> None:
        self._premises = premises
        self._warehouse = warehouse
        self.wanted = wanted
        self.last_day = last_day

    @classmethod
    def of_the_workspace(cls) -> _Due:
        """Raises WarehouseError without a build, ExportError for an unreadable exports.yaml."""
        import datetime as dt
        from zoneinfo import ZoneInfo

        from app import identity
        from app.export import scheduled

        premises = identity.premises()
        warehouse = premises.warehouse()
        if warehouse is None or warehouse.data_until is None:
            raise WarehouseError(
                f"Nothing to export: {premises.workspace.root} has no build. Run `fleetbook build`."
            )
        zone = ZoneInfo(premises.desk.company().time_zone)
        last_day = warehouse.data_until.astimezone(zone).date() - dt.timedelta(days=1)
        return cls(premises, warehouse, scheduled.declared(premises.workspace.root), last_day)

    def standing(self) -> list[Standing]:
        """How each period stands."""
        from app.export import scheduled

        return list(scheduled.gaps(self.wanted, self.last_day, self.counted))

    def counted(self, one: Declared, period: Period) -> int:
        """Rows of the period in the current build, within the person's scope."""
        from app import identity

        scoped = self._scoped(one)
        return scoped.row_count(one.table, is_demo=identity.shows_demo(scoped), **one.filters(period))

    def exported(self, one: Declared, period: Period) -> Export:
        """The period's rows as an export of the workspace, as the declared person."""
        import datetime as dt

        from app import identity
        from app.export.service import export_table

        scoped = self._scoped(one)
        export, _ = export_table(
            scoped,
            self._premises.desk,
            self._premises.workspace.export_dir,
            mart=one.table,
            format_=one.format,
            is_demo=identity.shows_demo(scoped),
            filters=one.filters(period),
            now=dt.datetime.now(dt.UTC),
        )
        return export

    def _scoped(self, one: Declared) -> Scoped:
        from app import identity

        person = identity.person(self._premises.desk, one.person)
        return self._warehouse.for_person(identity.scope_of(person))
