"""Which generation, scope and population a review reads."""

from __future__ import annotations

from app import identity
from app.desk import Desk
from app.errors import WarehouseError
from app.warehouse import Scope, Scoped, Warehouse
from ingest.workspace import Workspace


def scoped_of(workspace: Workspace, person_id: str | None, demo: bool | None) -> tuple[Scoped, bool]:
    """The current generation as ``person_id`` sees it (everything for None), and whether demo rows are read.

    ``demo`` None reads real rows where there are any. Raises WarehouseError before the first build, NotFound
    for an unknown person.
    """
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise WarehouseError(f"Nothing to review: {workspace.root} has no build. Run `fleetbook build`.")
    scope = Scope(person_id="", role_id="", team_ids=None, own_only=False)
    if person_id is not None:
        desk = Desk.open(workspace)
        try:
            scope = identity.scope_of(identity.person(desk, person_id))
        finally:
            desk.close()
    scoped = warehouse.for_person(scope)
    return scoped, identity.shows_demo(scoped) if demo is None else demo
