"""Reads registry.yaml: each problem is named with its line, a typo in a key with the nearest valid key."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import TypeAlias

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runner.control.declared import NAME_PATTERN, nearest
from runner.control.references import Path as Place
from runner.control.references import broken_references
from runner.control.registry import Registry
from runner.errors import Problem, RegistryInvalid

Lines: TypeAlias = dict[Place, int]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_registry(file: Path) -> Registry:
    """The registry declared in ``file``. Raises RegistryInvalid: file, line, key and nearest valid key."""
    return parse_registry(read_text(file), file)


def read_text(file: Path) -> str:
    """The text of a registry file. Raises RegistryInvalid when it is missing or no UTF-8 text."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        problem = Problem(line=0, path="", text="the file does not exist; `fleetbook init` makes a starter")
        raise RegistryInvalid(file, (problem,)) from error
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(
            line=0, path="", text=f"the file cannot be read as UTF-8 text ({type(error).__name__})"
        )
        raise RegistryInvalid(file, (problem,)) from error


def parse_registry(text: str, file: Path) -> Registry:
    """The registry declared in ``text``; ``file`` is only named in errors. Raises RegistryInvalid."""
    registry, lines = _validated(text, file)
    broken = broken_references(registry)
    if broken:
        problems = (
            Problem(line=_line(lines, item.path), path=_dotted(item.path), text=item.text) for item in broken
        )
        raise RegistryInvalid(file, tuple(problems))
    return registry


def declared_people(text: str, file: Path) -> set[str]:
    """Ids under people in ``text``, even where names in it lead nowhere. Raises RegistryInvalid."""
    return set(_validated(text, file)[0].people)


def _validated(text: str, file: Path) -> tuple[Registry, Lines]:
    """The registry by its schema alone, and where its parts stand."""
    tree, lines = _tree_and_lines(text, file)
    try:
        return Registry.model_validate(tree), lines
    except ValidationError as error:
        raise RegistryInvalid(file, tuple(_schema_problems(error, lines))) from error


def line_of(text: str, path: Place) -> int:
    """1-based line of the declaration at ``path`` in the YAML ``text``; 0 when it is not there."""
    lines: Lines = {}
    node = yaml.compose(text, Loader=_LOADER)
    if node is not None:
        list(_walk(node, (), lines))
    return _line(lines, path)


def _tree_and_lines(text: str, file: Path) -> tuple[dict[str, object], Lines]:
    lines: Lines = {}
    try:
        node = yaml.compose(text, Loader=_LOADER)
        repeated = list(_walk(node, (), lines)) if node is not None else []
        tree = yaml.load(text, Loader=_LOADER)  # a safe loader, in C where there is one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        problem = Problem(line=line, path="", text=f"no valid YAML: {error.problem or error.context}")
        raise RegistryInvalid(file, (problem,)) from error
    except yaml.YAMLError as error:
        problem = Problem(
            line=0, path="", text="no valid YAML: the file holds characters YAML does not allow"
        )
        raise RegistryInvalid(file, (problem,)) from error
    if repeated:
        raise RegistryInvalid(file, tuple(repeated))
    if not isinstance(tree, dict):
        problem = Problem(
            line=1, path="", text="the file is empty or no mapping; `fleetbook init` makes a starter"
        )
        raise RegistryInvalid(file, (problem,))
    return tree, lines


def _walk(node: yaml.Node, path: Place, lines: Lines) -> Iterator[Problem]:
    """Fill ``lines`` below ``node``; yield keys that are given twice, which YAML itself lets pass."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            place = (*path, str(key_node.value))
            line = key_node.start_mark.line + 1
            if place in lines:
                text = f"key is given twice, first in line {lines[place]}"
                yield Problem(line=line, path=_dotted(place), text=text)
            lines[place] = line
            yield from _walk(value_node, place, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(item, (*path, index), lines)


def _line(lines: Lines, path: Place) -> int:
    """Line of ``path``, or of its nearest parent that has one."""
    for length in range(len(path), -1, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 0


def _dotted(path: Place) -> str:
    return ".".join(f"[{part}]" if isinstance(part, int) else part for part in path).replace(".[", "[")


def _schema_problems(error: ValidationError, lines: Lines) -> list[Problem]:
    """One problem per pydantic finding, in the order of the file."""
    found = []
    for detail in error.errors(include_url=False):
        # A bad id is reported by pydantic as (…, id, "[key]"): the line is that of the id.
        place = tuple(part for part in detail["loc"] if part != "[key]")
        text = _sentence(detail, place)
        shown = place[:-1] if detail["type"] in {"extra_forbidden", "missing"} else place
        found.append(Problem(line=_line(lines, place), path=_dotted(shown), text=text))
    return sorted(found, key=lambda problem: problem.line)


def _sentence(detail: ErrorDetails, place: Place) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        keys = _keys_at(Registry, place[:-1])
        close = nearest(str(place[-1]), keys)
        hint = f"the nearest valid key is {close!r}" if close else f"valid keys: {', '.join(keys)}"
        return f"unknown key {place[-1]!r}; {hint}"
    if kind == "missing":
        return f"required key {place[-1]!r} is missing"
    if "[key]" in detail["loc"] or (kind == "string_pattern_mismatch" and NAME_PATTERN in detail["msg"]):
        return (
            "an id has lower-case letters, digits, '-' and '_', at most 63, and starts with a letter or digit"
        )
    if kind == "literal_error":
        allowed = [word.strip("'") for word in re.split(r", | or ", detail["ctx"]["expected"])]
        close = nearest(str(detail["input"]), allowed)
        hint = f"the nearest word is {close!r}" if close else f"words: {', '.join(allowed)}"
        return f"{detail['input']!r} is not allowed here; {hint}"
    return detail["msg"].removeprefix("Value error, ")


def _keys_at(model: type[BaseModel], place: Place) -> list[str]:
    """Valid keys of the mapping at ``place`` below ``model``."""
    here: object = model
    for part in place:
        fields = _fields(here)
        here = fields.get(str(part)) if fields else _element(here)
    return list(_fields(here))


def _fields(annotation: object) -> dict[str, object]:
    """Keys and their types of a model (or an optional one); empty for anything else."""
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return {field.alias or name: field.annotation for name, field in candidate.model_fields.items()}
        if not isinstance(annotation, UnionType):
            break
    return {}


def _element(annotation: object) -> object:
    """Type of the values of a ``dict[…, X]`` or of the items of a ``tuple[X, ...]``."""
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if arguments else None
