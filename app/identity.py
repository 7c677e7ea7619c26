"""Who is looking: the acting person, how far they see, and how the page names it.

On one's own machine the person is picked in the sidebar, without a password; the banner says so.
Roles are looked up in the directory on every rerun, never remembered from an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from app.warehouse import Scope

LOCAL_SWITCH = "Local person switch: no sign-in. Anyone at this machine can choose any person."

# The order in which the switch offers roles: who looks at the whole fleet first.
_ROLE_ORDER = ("platform_lead", "team_manager", "compliance_officer", "analyst", "agent_user")


class Directory(Protocol):
    """A person of the directory, as ``app.desk.people()`` returns them."""

    @property
    def person_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def role_id(self) -> str: ...
    @property
    def team_id(self) -> str | None: ...
    @property
    def scope(self) -> str: ...


def scope_of(person: Directory) -> Scope:
    """How far ``person`` sees: all teams, the own team, or only own runs. Anything else sees nothing."""
    if person.scope == "all":
        return Scope(person_id=person.person_id, role_id=person.role_id, team_ids=None, own_only=False)
    own_team = (person.team_id,) if person.team_id else ()
    return Scope(
        person_id=person.person_id,
        role_id=person.role_id,
        team_ids=own_team,
        own_only=person.scope != "team",
    )


Someone = TypeVar("Someone", bound=Directory)


def in_order(people: Sequence[Someone]) -> list[Someone]:
    """The directory as the switch lists it: by role, whole-fleet roles first, then by team and name."""
    rank = {role: place for place, role in enumerate(_ROLE_ORDER)}
    return sorted(people, key=lambda one: (rank.get(one.role_id, len(rank)), one.team_id or "", one.name))
