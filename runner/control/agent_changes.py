"""Agents, changed by command or page: added, changed, handed over, rolled back, attested and removed.

Each change edits registry.yaml and is applied in the same step, so that the file stays the truth and the
events are those of ``fleetbook registry apply``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml.comments import CommentedMap

from runner.control.access import Target, agent_target
from runner.control.amend import Right, amend, part
from runner.control.attestations import put_attestation
from runner.control.declared import Declared, nearest
from runner.control.lifecycle import find_agent
from runner.control.owners import require_owner_or
from runner.control.plan import Plan
from runner.control.registry import Agent, Registry, ToolUse
from runner.control.version_approval import VersionState, find_version
from runner.control.versions import Frozen, freeze
from runner.errors import AlreadyDeclared, FieldNotSettable, NotFound

if TYPE_CHECKING:
    from runner.control.plane import Control

# Decided, or handed over, by commands of their own.
_OWN_COMMANDS = {
    "status": "`fleetbook agents status` decides it",
    "owner": "`fleetbook agents owner` hands it over",
    "deputy": "`fleetbook agents owner --deputy` names one",
}


class RolledBack(NamedTuple):
    """The new version, and tools that are declared differently than in the version that was asked for."""

    version: VersionState
    different_tools: tuple[str, ...]


def add_agent(control: Control, agent_id: str, facts: Mapping[str, object], *, by: str) -> Plan:
    """Declare an agent with the keys of registry.yaml as ``facts``.

    Raises AlreadyDeclared, AccessRefused, RegistryInvalid.
    """
    registry = control.registry()
    if agent_id in registry.agents:
        raise AlreadyDeclared("agent", agent_id, f"Change it with `fleetbook agents set {agent_id}`.")

    def edit(tree: CommentedMap) -> None:
        part(tree, "agents")[agent_id] = dict(facts)

    right = Right("change_agents", Target(team_id=str(facts.get("team") or "")))
    return amend(control, edit, person_id=by, right=right)


def set_fields(
    control: Control, agent_id: str, values: Mapping[str, object], *, by: str, reason: str | None = None
) -> Plan:
    """Change fields of an agent, named as in the file (``risk.class``); None takes a field away.

    Raises NotFound, AccessRefused, RegistryInvalid, FieldNotSettable for what has a command of its own.
    """
    for path in values:
        if path.partition(".")[0] in _OWN_COMMANDS:
            raise FieldNotSettable(path, _OWN_COMMANDS[path.partition(".")[0]])
    registry = control.registry()
    declared_agent(registry, agent_id)
    if "team" in values:  # into a team as well as out of one
        control.require(registry, by, "change_agents", Target(team_id=str(values["team"])))

    def edit(tree: CommentedMap) -> None:
        for path, value in values.items():
            _put(tree["agents"][agent_id], path.split("."), value)

    return amend(control, edit, person_id=by, right=_right(registry, agent_id), reason=reason)


def change_owner(
    control: Control,
    agent_id: str,
    owner_id: str,
    *,
    deputy_id: str | None = None,
    by: str,
    reason: str | None = None,
) -> Plan:
    """Hand an agent over; its owner may do so, and who may change agents. Without a deputy the old one stays.

    Raises NotFound, AccessRefused.
    """
    registry = control.registry()
    agent = declared_agent(registry, agent_id)
    for one in (owner_id, deputy_id):
        if one is not None:
            control.known_person(registry, one)
    deputy = deputy_id or (agent.deputy if agent.deputy != owner_id else None)

    def edit(tree: CommentedMap) -> None:
        tree["agents"][agent_id]["owner"] = owner_id
        _put(tree["agents"][agent_id], ["deputy"], deputy)

    right = Right("change_agents", agent_target(registry, agent_id), owned=agent_id)
    return amend(control, edit, person_id=by, right=right, reason=reason)


def remove_agent(control: Control, agent_id: str, *, by: str, reason: str | None = None) -> Plan:
    """Take an agent, its wallets, grants and schedules out of the file; its history stays.

    Raises NotFound, AccessRefused, RegistryInvalid while another agent delegates to it.
    """
    registry = control.registry()
    declared_agent(registry, agent_id)
    wallets = {f"agent:{agent_id}", f"run:{agent_id}"}

    def edit(tree: CommentedMap) -> None:
        del tree["agents"][agent_id]
        _drop(tree, "budgets", lambda one: one["wallet"] in wallets)
        _drop(tree, "grants", lambda one: one.get("agent") == agent_id)
        schedules = tree.get("schedules") or {}
        for name in [name for name, one in schedules.items() if one["agent"] == agent_id]:
            del schedules[name]

    return amend(control, edit, person_id=by, right=_right(registry, agent_id), reason=reason)


def roll_back(control: Control, agent_id: str, number: int, *, by: str, reason: str) -> RolledBack:
    """Make a new version with the specification of version ``number``, in file and store.

    Where the agent's versions are approved by a second person, so is this one. Tools are declared for all
    agents, so they stay as they are now; those that differ are named. Raises NotFound, AccessRefused,
    RegistryInvalid when the old version names what is no longer declared.
    """
    registry = control.registry()
    declared_agent(registry, agent_id)
    with control.store.read() as connection:
        old = find_version(connection, agent_id, number).frozen
    agent = registry.agents[agent_id]
    fields = _fields(agent, freeze(registry, agent), old)

    def edit(tree: CommentedMap) -> None:
        for name, value in fields.items():
            _put(tree["agents"][agent_id], [name], value)

    why = f"rolled back to version {number}: {reason}"
    amend(control, edit, person_id=by, right=_right(registry, agent_id), reason=why)
    after = control.registry()
    with control.store.read() as connection:
        newest = find_version(connection, agent_id, None)
    now = {tool.name: tool for tool in freeze(after, after.agents[agent_id]).tools}
    different = tuple(tool.name for tool in old.tools if now.get(tool.name) != tool)
    return RolledBack(newest, different)


def attest(control: Control, agent_id: str, *, by: str, reason: str | None = None) -> str:
    """State that the agent is still wanted and as described; its owner, deputy or who may change agents.

    Returns the event's id. Raises NotFound, AccessRefused.
    """
    registry = control.registry()
    require_owner_or(control, registry, by, "change_agents", agent_id)
    with control.store.write() as tx:
        state = find_agent(tx.sql, registry, agent_id)
        put_attestation(tx, agent_id, by)
        event_id = tx.emit(
            "attested",
            actor_id=by,
            person_id=by,
            agent_id=agent_id,
            agent_version=state.agent_version,
            team_id=state.team_id,
            reason=reason,
        )
    control.relay.flush()
    return event_id


def declared_agent(registry: Registry, agent_id: str) -> Agent:
    """The agent of that id as it is declared. Raises NotFound with the nearest one."""
    found = registry.agents.get(agent_id)
    if found is None:
        close = nearest(agent_id, list(registry.agents))
        raise NotFound("agent", agent_id, close, "`fleetbook agents` lists them.")
    return found


def _right(registry: Registry, agent_id: str) -> Right:
    return Right("change_agents", agent_target(registry, agent_id))


def _fields(agent: Agent, current: Frozen, old: Frozen) -> dict[str, object]:
    """What to write into the agent's entry to get the old version; None takes a key away."""
    wanted: dict[str, object] = {}
    for name, field in type(agent).model_fields.items():
        if name in type(old).model_fields and getattr(current, name) != getattr(old, name):
            is_default = getattr(old, name) == field.default
            wanted[name] = None if is_default else _plain(getattr(old, name))
    # A frozen tool says where the tool was; the agent's entry only names it, with its rule.
    uses = [ToolUse(tool=tool.name, approval=tool.approval) for tool in old.tools]
    wanted.pop("tools", None)
    if tuple(uses) != agent.tools:
        wanted["tools"] = [_plain(use) for use in uses] or None
    return wanted


def _plain(value: object) -> object:
    """A value as YAML holds it."""
    if isinstance(value, Declared):
        return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return list(value) if isinstance(value, tuple) else value


def _drop(tree: CommentedMap, key: str, is_gone: Callable[[CommentedMap], bool]) -> None:
    """Take the entries of a list that ``is_gone`` names out of it."""
    entries = tree.get(key) or []
    for index in reversed(range(len(entries))):
        if is_gone(entries[index]):
            del entries[index]


def _put(tree: CommentedMap, path: list[str], value: object) -> None:
    """Set or take away the value at ``path``; what is equal already keeps its comments."""
    for key in path[:-1]:
        if not isinstance(tree.get(key), dict):
            tree[key] = CommentedMap()
        tree = tree[key]
    if value is None:
        tree.pop(path[-1], None)
    elif tree.get(path[-1]) != value:
        tree[path[-1]] = value
