"""What becomes of a person's agents and schedules when the person leaves: pure edits of registry.yaml.

Agents go to the deputy, or into the orphan queue (``owner: null``); schedules that ran as the person stop.
Who wrote or assessed a version stays named as that: former_people keeps the name and the day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from runner.control.amend import Edit, amended, part
from runner.control.registry import Registry
from runner.control.registry_file import declared_people, parse_registry
from runner.errors import RegistryInvalid


def leaving(people: Iterable[tuple[str, str]], day: dt.date) -> Edit:
    """The edit that takes ``people`` (id, name) out and hands over what was theirs, as of ``day``."""
    gone = dict(people)

    def edit(tree: CommentedMap) -> None:
        former = part(tree, "former_people")
        for person_id, name in gone.items():
            tree["people"].pop(person_id, None)
            former[person_id] = {"name": name, "left": day}
        for agent in (tree.get("agents") or {}).values():
            _hand_over(agent, gone)
        for team in tree["teams"].values():
            if team["manager"] in gone:
                team["manager"] = None
        for source in (tree.get("knowledge") or {}).values():
            if source.get("owner") in gone:
                del source["owner"]
        for schedule in (tree.get("schedules") or {}).values():
            if schedule["run_as"] in gone:
                schedule["paused"] = True

    return edit


def _hand_over(agent: CommentedMap, gone: dict[str, str]) -> None:
    if agent.get("deputy") in gone:
        del agent["deputy"]
    if agent["owner"] in gone:
        agent["owner"] = agent.pop("deputy", None)


def settled(text: str, file: Path, applied: Registry | None, day: dt.date) -> tuple[str, Registry]:
    """``text`` of a registry and what it declares; people deleted by hand are treated as those who left.

    The text comes back changed only when something in it still names them. Raises RegistryInvalid.
    """
    try:
        return text, parse_registry(text, file)
    except RegistryInvalid:
        left = applied.people.keys() - declared_people(text, file) if applied else set[str]()
        if applied is None or not left:
            raise
        return amended(text, leaving(((one, applied.people[one].name) for one in sorted(left)), day), file)
