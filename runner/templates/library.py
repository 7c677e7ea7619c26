"""Reads the template library and turns a template into an agent of registry.yaml.

The tools of the library are stand-ins that simulate a company's systems; whoever uses a template points
``function`` at the company's own ones. Names, effects and approval rules stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints
from ruamel.yaml.comments import CommentedMap

from runner.control.amend import Edit
from runner.control.declared import Declared, Money, Name, nearest
from runner.control.registry import ModelName, Registry, Risk, Tool, ToolUse
from runner.errors import NotFound, TemplateUnusable

_YAML_SUFFIX = ".yaml"


class Defaults(Declared):
    """What an agent made from the template begins with."""

    risk: Risk
    model: ModelName
    instructions: str
    max_output_tokens: int
    tools: tuple[ToolUse, ...]


class LibraryTemplate(Declared):
    """One template: what it is for, a task to try it with, its defaults, tools and monthly cap in USD."""

    name: str
    version: Annotated[int, Field(ge=1)]
    purpose: str
    sample_task: Annotated[str, StringConstraints(min_length=1)]
    defaults: Defaults
    tools: dict[Name, Tool]
    month_cap_usd: Money
    expected_use: str

    @property
    def asks_a_person(self) -> list[str]:
        """Tools whose calls can wait for a person."""
        return [use.tool for use in self.defaults.tools if use.approval]


@cache
def _trees() -> Mapping[str, dict[str, object]]:
    """The files as they are written, by template id, in the order of their names."""
    found = sorted(files("runner.templates").iterdir(), key=lambda one: one.name)
    return {
        one.name.removesuffix(_YAML_SUFFIX): yaml.safe_load(one.read_text(encoding="utf-8"))
        for one in found
        if one.name.endswith(_YAML_SUFFIX)
    }


@cache
def library() -> Mapping[str, LibraryTemplate]:
    """All templates by id."""
    return {name: LibraryTemplate.model_validate(tree) for name, tree in _trees().items()}


def template(template_id: str) -> LibraryTemplate:
    """The template of that id. Raises NotFound with the nearest one."""
    found = library().get(template_id)
    if found is None:
        close = nearest(template_id, list(library()))
        raise NotFound("template", template_id, close, "`fleetbook templates list` shows them.")
    return found


def use_template(registry: Registry, template_id: str, agent_id: str, team_id: str, author_id: str) -> Edit:
    """The edit of registry.yaml that adds agent ``agent_id`` of ``team_id``, made from the template.

    The agent starts as a draft, owned by the team's manager. Tools the registry has under the same name are
    kept as they are; a wallet is added only where the agent has none.

    Raises NotFound for an unknown template or team, TemplateUnusable when the agent exists, or when no role
    of the registry may decide its approvals.
    """
    chosen = template(template_id)
    team = registry.teams.get(team_id)
    if team is None:
        close = nearest(team_id, list(registry.teams))
        raise NotFound("team", team_id, close, "Teams are declared under teams in registry.yaml.")
    if agent_id in registry.agents:
        raise TemplateUnusable(template_id, f"agent {agent_id!r} is declared already", "Choose another id.")
    role = _approver_role(registry, template_id, chosen)
    tree = deepcopy(_trees()[template_id])
    defaults = tree["defaults"]
    assert isinstance(defaults, dict)  # the model has checked it

    def edit(file: CommentedMap) -> None:
        tools = _part(file, "tools")
        for name, tool in _mapping(tree["tools"]).items():
            tools.setdefault(name, tool)
        for use in defaults["tools"]:
            if "approval" in use:
                use["approval"]["approver_role"] = role
        _part(file, "templates")[template_id] = {
            "version": chosen.version,
            "name": chosen.name,
            "purpose": chosen.purpose,
            "defaults": deepcopy(defaults),
        }
        _part(file, "agents")[agent_id] = {
            "name": agent_id.replace("-", " ").replace("_", " ").capitalize(),
            "team": team_id,
            "owner": team.manager,
            "author": author_id,
            "purpose": chosen.purpose,
            **defaults,
            "template": {"id": template_id, "version": chosen.version},
            "expected_use": chosen.expected_use,
            "status": "draft",
        }
        budgets = file.setdefault("budgets", [])
        if not any(one.get("wallet") == f"agent:{agent_id}" for one in budgets):
            cap = f"{chosen.month_cap_usd:.2f}"
            budgets.append({"wallet": f"agent:{agent_id}", "window": "month", "cap_usd": cap})

    return edit


def _approver_role(registry: Registry, template_id: str, chosen: LibraryTemplate) -> str | None:
    """The role that decides: the template's own where the registry has it, else the nearest to the work."""
    wanted = next((use.approval.approver_role for use in chosen.defaults.tools if use.approval), None)
    if wanted is None:
        return None
    able = {name: role for name, role in registry.roles.items() if "decide_approval" in role.may}
    if wanted in able:
        return wanted
    if not able:
        advice = "Give decide_approval to a role under roles in registry.yaml, apply it, and try again."
        raise TemplateUnusable(template_id, "no role may decide the approvals that it asks for", advice)
    return min(able, key=lambda name: (able[name].scope != "team", name))


def _part(file: CommentedMap, key: str) -> CommentedMap:
    if file.get(key) is None:
        file[key] = CommentedMap()
    part = file[key]
    assert isinstance(part, CommentedMap)  # the registry was valid before the edit
    return part


def _mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict)  # the model has checked it
    return value
