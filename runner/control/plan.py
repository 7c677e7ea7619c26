"""The registry plan: the difference between what is applied and what registry.yaml says, for a reviewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import BaseModel

from runner.control.divergence import diverged_fields
from runner.control.registry import Registry
from runner.control.versions import freeze

Verb: TypeAlias = Literal["add", "change", "remove"]
Flat: TypeAlias = dict[str, str]

# Kinds in the order in which a reader needs them: who, then what, then how much.
_LISTS = {
    "grants": ("id",),
    "budgets": ("wallet_id",),
    "prices": ("model",),
    "aliases": ("source_agent", "source_domain", "model", "file"),
    "notifications": ("id",),
    "alerts": ("id",),
}
_MAPPINGS = (
    "roles",
    "teams",
    "people",
    "former_people",
    "tools",
    "knowledge",
    "mcp_servers",
    "templates",
    "agents",
    "schedules",
)


_NOUNS = {"people": "person", "former_people": "former person", "aliases": "alias"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One declaration that is new, different or gone; ``details`` are lines like ``purpose: old → new``."""

    verb: Verb
    kind: str
    name: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What ``fleetbook registry apply`` would do; ``notes`` say what it will not do."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True when applying would write nothing."""
        return not self.changes


def plan_changes(
    applied: Registry | None, declared: Registry, statuses: Mapping[str, str] | None = None
) -> Plan:
    """The plan from ``applied`` to ``declared``; ``statuses`` are the decided ones by agent id."""
    changes = _single(applied, declared, "company", declared.company.name)
    for kind in _MAPPINGS:
        old_things = getattr(applied, kind) if applied else {}
        changes += _differences(kind, old_things, getattr(declared, kind))
    for kind, keys in _LISTS.items():
        changes += _differences(kind, _by_id(applied, kind, *keys), _by_id(declared, kind, *keys))
    changes += _single(applied, declared, "oversight", "company")
    return Plan(changes=tuple(changes), notes=tuple(_notes(applied, declared, statuses or {})))


def _single(applied: Registry | None, declared: Registry, kind: str, name: str) -> list[Change]:
    """The change of a part that the registry holds once."""
    old = flat(getattr(applied, kind)) if applied else {}
    new = flat(getattr(declared, kind))
    details = _details(old, new)
    if not details:
        return []
    return [Change(verb="add" if applied is None else "change", kind=kind, name=name, details=details)]


def _by_id(registry: Registry | None, kind: str, *keys: str) -> dict[str, BaseModel]:
    if registry is None:
        return {}
    return {"/".join(str(getattr(one, key) or "*") for key in keys): one for one in getattr(registry, kind)}


def _differences(kind: str, old: Mapping[str, BaseModel], new: Mapping[str, BaseModel]) -> list[Change]:
    noun = _NOUNS.get(kind, kind.removesuffix("s"))
    found = []
    for name, thing in new.items():
        before = flat(old[name]) if name in old else {}
        # Status is decided by events; for a known agent the file's word is only a note.
        known_agent = kind == "agents" and name in old
        details = _details(before, flat(thing), hidden={"status"} if known_agent else set())
        if name not in old:
            found.append(Change(verb="add", kind=noun, name=name, details=details))
        elif details:
            found.append(Change(verb="change", kind=noun, name=name, details=details))
    found += [Change(verb="remove", kind=noun, name=name) for name in old if name not in new]
    return found


def flat(thing: BaseModel) -> Flat:
    """What a declaration says, by dotted path; defaults are left out."""
    found: Flat = {}
    _flatten(thing.model_dump(mode="json", by_alias=True, exclude_defaults=True), "", found)
    return found


def _flatten(value: object, path: str, found: Flat) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{path}.{key}" if path else str(key), found)
    elif isinstance(value, list):
        if not value:
            found[path] = "(none)"  # said instead of a default, so it is a difference
        for index, inner in enumerate(value):
            if not isinstance(inner, dict):
                found[path] = ", ".join(str(item) for item in value)
                return
            # Tools in a list are told apart by their name, not by their place.
            name = inner.get("tool") or inner.get("name") or index
            _flatten(inner, f"{path}[{name}]", found)
    elif value is not None:
        found[path] = str(value)


def _details(old: Flat, new: Flat, hidden: set[str] | None = None) -> tuple[str, ...]:
    lines = []
    for key in sorted(old.keys() | new.keys()):
        if key in (hidden or set()) or old.get(key) == new.get(key):
            continue
        if key not in old:
            lines.append(f"{key}: {_short(new[key])}")
        elif key not in new:
            lines.append(f"{key}: {_short(old[key])} → (removed)")
        else:
            lines.append(f"{key}: {_short(old[key])} → {_short(new[key])}")
    return tuple(lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}…"


def _notes(applied: Registry | None, declared: Registry, statuses: Mapping[str, str]) -> list[str]:
    notes = _version_notes(applied, declared)
    for agent_id, agent in declared.agents.items():
        decided = statuses.get(agent_id)
        if decided is not None and decided != agent.status:
            notes.append(
                f"agent {agent_id}: the file says status {agent.status}, decided is {decided}; "
                "status changes by decision only and stays as it is"
            )
    for agent_id in applied.agents if applied else {}:
        if agent_id not in declared.agents:
            notes.append(
                f"agent {agent_id}: no longer in the file; its history stays, it may not run until it is back"
            )
    return notes


def _version_notes(applied: Registry | None, declared: Registry) -> list[str]:
    """Of agents that change: whether a second person has to approve, and how they differ by template."""
    notes = []
    watched = declared.oversight.second_person_approves_versions
    for agent_id, agent in declared.agents.items():
        before = applied.agents.get(agent_id) if applied else None
        if applied and before and freeze(applied, before) == freeze(declared, agent):
            continue
        classes = {one.risk.risk_class for one in (before, agent) if one}
        if classes & set(watched):
            notes.append(
                f"agent {agent_id}: the new version is in force once a second person has approved it "
                f"(`fleetbook agents approve-version {agent_id}`)"
            )
        differing = diverged_fields(declared, agent)
        if agent.template and differing:
            of = f"{agent.template.id} v{agent.template.version}"
            notes.append(f"agent {agent_id}: differs from template {of} in {', '.join(differing)}")
    return notes
