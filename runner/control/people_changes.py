"""People, changed by command or page: added, given another role or team, and seen off when they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml.comments import CommentedMap

from runner.control import approvals
from runner.control.access import Ruling, Target
from runner.control.amend import Right, amend, flow
from runner.control.declared import Action, nearest
from runner.control.departures import leaving
from runner.control.plan import Plan
from runner.control.registry import Registry, Role
from runner.errors import AccessRefused, AlreadyDeclared, NotFound

if TYPE_CHECKING:
    from runner.control.plane import Control

_REACH = ("own", "team", "all")
# Actions by which a person decides what others, or agents, may do.
OVER_OTHERS: frozenset[Action] = frozenset(
    {"apply_registry", "change_people", "change_agents", "change_budget", "approve_version"}
)


@dataclass(frozen=True, kw_only=True)
class Departure:
    """What became of a person's things.

    ``new_owners`` by agent (None: nobody); ``open_requests`` are approvals that the person asked for: they
    wait on, for others to decide.
    """

    plan: Plan
    new_owners: dict[str, str | None]
    stopped_schedules: tuple[str, ...]
    teams_without_manager: tuple[str, ...]
    open_requests: tuple[str, ...]


def add_person(control: Control, person_id: str, name: str, team_id: str, role_id: str, *, by: str) -> Plan:
    """Declare a person. Raises AlreadyDeclared, NotFound for team or role, AccessRefused, RegistryInvalid."""
    registry = control.registry()
    if person_id in registry.people:
        raise AlreadyDeclared(
            "person", person_id, f"Change the role with `fleetbook people role {person_id}`."
        )
    _known(registry, team_id, role_id)
    _require_role_within(control, registry, by, role_id, team_id)

    def edit(tree: CommentedMap) -> None:
        tree["people"][person_id] = flow({"name": name, "team": team_id, "role": role_id})
        (tree.get("former_people") or {}).pop(person_id, None)

    return amend(control, edit, person_id=by, right=_right(team_id))


def change_role(
    control: Control, person_id: str, role_id: str, *, team_id: str | None = None, by: str
) -> Plan:
    """Give a person another role, and team where one is named; it counts from the next question on.

    Nobody gives a role that may more, or reaches further, than their own, or changes their own.
    Raises NotFound, AccessRefused.
    """
    registry = control.registry()
    control.known_person(registry, person_id)
    now = registry.people[person_id]
    new_team = team_id or now.team
    _known(registry, new_team, role_id)
    for role, team in ((now.role, now.team), (role_id, new_team)):
        _require_role_within(control, registry, by, role, team)
    if by == person_id:
        _refuse(control, registry, by, "own-role", "nobody changes their own role", new_team)

    def edit(tree: CommentedMap) -> None:
        tree["people"][person_id].update({"team": new_team, "role": role_id})

    return amend(control, edit, person_id=by, right=_right(now.team))


def name_sign_in(
    control: Control, person_id: str, *, email: str | None, subject: str | None, by: str
) -> Plan:
    """Say how a sign-in names the person, in place of what was said before; neither: it names them no more.

    Whoever names a sign-in decides who acts as that person, so it takes the right to apply the registry.
    Raises NotFound, AccessRefused, RegistryInvalid (somebody else has the address, or it is none).
    """
    control.known_person(control.registry(), person_id)

    def edit(tree: CommentedMap) -> None:
        person = tree["people"][person_id]
        for key, told in (("email", email), ("subject", subject)):
            person.pop(key, None)
            if told is not None:
                person[key] = told

    return amend(control, edit, person_id=by)


def leave(control: Control, person_id: str, *, by: str, reason: str | None = None) -> Departure:
    """The person may nothing from now on; agents, schedules and requests are seen to, each with its event.

    Raises NotFound, AccessRefused.
    """
    registry = control.registry()
    control.known_person(registry, person_id)
    person = registry.people[person_id]
    _require_role_within(control, registry, by, person.role, person.team)
    day = control.store.clock().date()
    edit = leaving([(person_id, person.name)], day)
    done = amend(control, edit, person_id=by, right=_right(person.team), reason=reason or f"{person_id} left")
    after = control.registry()
    with control.store.read() as connection:
        waiting = [one for one in approvals.waiting(connection) if one.requested_by == person_id]
    return Departure(
        plan=done,
        new_owners=_differing(registry, after, lambda one, agent_id: one.agents[agent_id].owner),
        stopped_schedules=tuple(
            name for name, schedule in registry.schedules.items() if schedule.run_as == person_id
        ),
        teams_without_manager=tuple(name for name, team in after.teams.items() if team.manager is None),
        open_requests=tuple(one.approval_id for one in waiting),
    )


def orphans(registry: Registry) -> list[str]:
    """Agents that nobody answers for; they cannot start."""
    return [agent_id for agent_id, agent in registry.agents.items() if agent.owner is None]


def _differing(
    before: Registry, after: Registry, owner: Callable[[Registry, str], str | None]
) -> dict[str, str | None]:
    return {
        agent_id: owner(after, agent_id)
        for agent_id in before.agents
        if owner(before, agent_id) != owner(after, agent_id)
    }


def _right(team_id: str) -> Right:
    return Right("change_people", Target(team_id=team_id))


def _known(registry: Registry, team_id: str, role_id: str) -> None:
    for kind, name, known in (("team", team_id, registry.teams), ("role", role_id, registry.roles)):
        if name not in known:
            advice = f"It has to be under {kind}s in registry.yaml."
            raise NotFound(kind, name, nearest(name, list(known)), advice)


def _require_role_within(control: Control, registry: Registry, by: str, role_id: str, team_id: str) -> None:
    """Whoever may change people gives and takes nothing that they do not hold themselves."""
    control.require(registry, by, "change_people", Target(team_id=team_id))
    mine = registry.people[by].role
    if not _is_within(registry.roles[role_id], registry.roles[mine]):
        said = f"role {role_id} may more, or reaches further, than role {mine} of {by}"
        _refuse(control, registry, by, "role-above-own", said, team_id)


def _is_within(given: Role, mine: Role) -> bool:
    """A role with a say over others is given and taken only by who has as much of a say, and as far."""
    say = OVER_OTHERS & set(given.may)
    return not say or (say <= set(mine.may) and _REACH.index(given.scope) <= _REACH.index(mine.scope))


def _refuse(control: Control, registry: Registry, by: str, rule: str, said: str, team_id: str) -> None:
    ruling = Ruling(allowed=False, rule_id=rule, sentence=said)
    control.tell_refusal(registry, by, "change_people", ruling, Target(team_id=team_id))
    advice = "Ask somebody whose role may more, or change registry.yaml and apply it."
    raise AccessRefused(rule, said, advice)
