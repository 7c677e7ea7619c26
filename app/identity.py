"""Who is looking, and at which workspace: the acting person and how far they see.

Where the workspace declares a sign-in, the provider says who it is. Else the person is picked in the sidebar,
without a password, on one's own machine only; the page says so.
Roles are looked up in the directory on every rerun, never remembered from an earlier one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from app.desk import Desk, Person
from app.live.signing_in import Arrivals
from app.sign_in import SignIn, read_sign_in
from app.warehouse import Scope, Scoped, Warehouse
from ingest.workspace import Workspace, home
from runner.errors import NotFound

LOCAL_SWITCH = "Local person switch without sign-in: anyone at this machine can choose any person."

_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_OF_A_PROXY = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"}

# The order in which the switch offers roles: who looks at the whole fleet first.
_ROLE_ORDER = ("platform_lead", "team_manager", "compliance_officer", "auditor", "analyst", "agent_user")


class Premises(NamedTuple):
    """The workspace of this process with its desk; the warehouse is asked for once per page run."""

    workspace: Workspace
    desk: Desk

    def warehouse(self) -> Warehouse | None:
        """The current generation, None before the first build."""
        return Warehouse.current(self.workspace)


class Door(NamedTuple):
    """How people come in: ``sign_in`` is None where they are picked; ``arrivals`` are those seen so far."""

    sign_in: SignIn | None
    arrivals: Arrivals


def home_folder() -> Path:
    """The workspace folder of this process, absolute."""
    return home().resolve()


def premises() -> Premises:
    """The workspace named by FLEETBOOK_HOME. Raises a product error when it cannot be used."""
    workspace = Workspace.open(home())
    return Premises(workspace=workspace, desk=Desk.open(workspace))


def door() -> Door:
    """How people come in, as the workspace says. Raises SignInError when what it says cannot be used."""
    return Door(read_sign_in(Workspace.open(home()).root), Arrivals())


def is_own_machine(ip_address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a browser on this machine asks, not through a proxy; ``ip_address`` is None for this machine.

    Only then may a person be picked: behind a proxy everybody seems to be on this machine. Without any
    header no browser asks, but a program within this process.
    """
    told = {name.lower() for name in headers}
    if not told:
        return True
    host = urlsplit(f"//{headers.get('Host', '')}").hostname
    return ip_address is None and host in _OWN_NAMES and not told & _OF_A_PROXY


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


def person(desk: Desk, person_id: str) -> Person:
    """The declared person. Raises NotFound, which names the nearest id, when nobody has this id."""
    people = {one.person_id: one for one in desk.people()}
    if person_id not in people:
        close = difflib.get_close_matches(person_id, people, n=1)
        raise NotFound("person", person_id, next(iter(close), None), "registry.yaml lists everybody.")
    return people[person_id]


def shows_demo(scoped: Scoped) -> bool:
    """Which rows a build shows first: real ones where it has any, else demo rows."""
    build = scoped.query("freshness", is_demo=False).row(0, named=True)
    return bool(build["has_demo"]) and not build["has_real"]


def in_order(people: Sequence[Person]) -> list[Person]:
    """The directory as the switch lists it: by role, whole-fleet roles first, then by team and name."""
    rank = {role: place for place, role in enumerate(_ROLE_ORDER)}
    return sorted(people, key=lambda one: (rank.get(one.role_id, len(rank)), one.team_id, one.name))


def reach(scope: Scope, team_names: Mapping[str, str]) -> str:
    """How far a person sees, in words for the sidebar."""
    if scope.team_ids is None:
        return "sees all teams"
    names = ", ".join(team_names.get(team, team) for team in scope.team_ids) or "no team"
    return f"sees own runs in {names}" if scope.own_only else f"sees {names} only"
