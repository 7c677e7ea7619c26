"""Who is looking, and at which workspace: the acting person and how far they see.

On one's own machine the person is picked in the sidebar, without a password; the page says so.
Roles are looked up in the directory on every rerun, never remembered from an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.desk import Desk, Person
from app.warehouse import Scope, Warehouse
from ingest.workspace import Workspace, home

# The order in which the switch offers roles: who looks at the whole fleet first.
_ROLE_ORDER = ("platform_lead", "team_manager", "compliance_officer", "analyst", "agent_user")


class Premises(NamedTuple):
    """The workspace of this process with its desk; the warehouse is asked for once per page run."""

    workspace: Workspace
    desk: Desk

    def warehouse(self) -> Warehouse | None:
        """The current generation, None before the first build."""
        return Warehouse.current(self.workspace)


def premises() -> Premises:
    """The workspace named by FLEETBOOK_HOME. Raises a product error when it cannot be used."""
    workspace = Workspace.open(home())
    return Premises(workspace=workspace, desk=Desk.open(workspace))


def scope_of(person: Person) -> Scope:
    """How far ``person`` sees: all teams, the own team, or only own runs. Anything else sees nothing."""
    if person.scope == "all":
        return Scope(person_id=person.person_id, role_id=person.role_id, team_ids=None, own_only=False)
    return Scope(
        person_id=person.person_id,
        role_id=person.role_id,
        team_ids=(person.team_id,) if person.team_id else (),
        own_only=person.scope != "team",
    )


def in_order(people: Sequence[Person]) -> list[Person]:
    """The directory as the switch lists it: by role, whole-fleet roles first, then by team and name."""
    rank = {role: place for place, role in enumerate(_ROLE_ORDER)}
    return sorted(people, key=lambda one: (rank.get(one.role_id, len(rank)), one.team_id, one.name))


def reach(scope: Scope, team_names: dict[str, str]) -> str:
    """How far a person sees, in words for the sidebar."""
    if scope.team_ids is None:
        return "sees all teams"
    names = ", ".join(team_names.get(team, team) for team in scope.team_ids) or "no team"
    return f"sees own runs in {names}" if scope.own_only else f"sees {names} only"
