"""Where foreign runs belong: the command line, a mapping file, or the aliases of the registry.

The first entry that matches wins: mapping file, then registry aliases, then ``--team`` and ``--agent``. What
nothing matches keeps the name it gave itself and belongs to no team.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from ingest.errors import MappingError
from ingest.workspace import Workspace

ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
MATCH_KEYS = ("source_agent", "source_domain", "token", "model", "file")
TARGET_KEYS = ("team", "agent")
MAX_ID_CHARS = 63


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Team and agent of a foreign run; ``team_id`` is None when nobody claimed it."""

    agent_id: str
    team_id: str | None
    is_mapped: bool


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One mapping: the source's words that must be equal (absent = any), and where such runs belong."""

    match: Mapping[str, str]
    team: str | None
    agent: str | None
    where: str

    def fits(self, words: Mapping[str, str]) -> bool:
        """True when every word of the entry equals the run's."""
        return all(words[key] == expected for key, expected in self.match.items())


@dataclass(frozen=True, kw_only=True)
class Directory:
    """The teams and agents that the workspace's registry declares: agent id → team id."""

    teams: frozenset[str]
    agents: Mapping[str, str]

    def check(self, team: str | None, agent: str | None, where: str) -> None:
        """Raise MappingError unless ``team`` and ``agent`` are declared and belong together."""
        if team is not None and team not in self.teams:
            raise _unknown(where, "team", team, sorted(self.teams))
        if agent is not None and agent not in self.agents:
            raise _unknown(where, "agent", agent, sorted(self.agents))
        if team is not None and agent is not None and self.agents[agent] != team:
            raise MappingError(
                f"Nothing imported: {where} puts agent '{agent}' into team '{team}', the registry has it in "
                f"'{self.agents[agent]}'. Name only the agent, or correct the team."
            )


class Mappings:
    """All mappings of one import; answers :meth:`place`."""

    def __init__(self, entries: Sequence[Entry], directory: Directory | None) -> None:
        self._entries = tuple(entries)
        self._directory = directory

    def place(
        self, *, source_agent: str, source_domain: str, model: str, file: str, token: str = ""
    ) -> Placement:
        """The first fitting entry's team and agent; else the agent under its own name, in no team."""
        words = {
            "source_agent": source_agent,
            "source_domain": source_domain,
            "token": token,
            "model": model,
            "file": file,
        }
        own_name = outside_agent_id(source_agent, model)
        for entry in self._entries:
            if entry.fits(words):
                agent = entry.agent or own_name
                team = entry.team or (self._directory.agents.get(agent) if self._directory else None)
                return Placement(agent_id=agent, team_id=team, is_mapped=True)
        return Placement(agent_id=own_name, team_id=None, is_mapped=False)


def outside_agent_id(source_agent: str, model: str) -> str:
    """Id of an unregistered agent: own name and model in the letters of an id (``llm_agent-on-gpt-4-1``)."""
    names = [_slug(name) for name in (source_agent, model)]
    return "-on-".join(name for name in names if name)[:MAX_ID_CHARS].rstrip("-_") or "unnamed"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")


def load_mappings(
    workspace: Workspace, *, team: str | None, agent: str | None, mapping_file: Path | None
) -> Mappings:
    """Everything that says where runs belong, checked against the registry when the workspace has one.

    Raises MappingError naming file and line for a mistyped key, an unknown team or an unknown agent.
    """
    directory, aliases = _registry(workspace.registry_file)
    entries = [*(_mapping_entries(mapping_file) if mapping_file else ()), *aliases]
    if team is not None or agent is not None:
        entries.append(_entry({}, team, agent, "the command line"))
    if directory:
        for entry in entries:
            # An alias may give an outside agent an id of its own; its team must be there.
            directory.check(entry.team, None if entry in aliases else entry.agent, entry.where)
    return Mappings(entries, directory)


def aliases(workspace: Workspace) -> list[Entry]:
    """The registry's aliases in order, each with its team. Raises MappingError as :func:`load_mappings`."""
    directory, entries = _registry(workspace.registry_file)
    for entry in entries:
        if directory:
            directory.check(entry.team, None, entry.where)
    return [
        entry if entry.team or not directory else replace(entry, team=directory.agents.get(entry.agent or ""))
        for entry in entries
    ]


def _entry(match: Mapping[str, str], team: str | None, agent: str | None, where: str) -> Entry:
    for word, given in (("team", team), ("agent", agent)):
        if given is not None and not ID_PATTERN.fullmatch(given):
            raise MappingError(
                f"Nothing imported: {where} names {word} {given!r}, which is no id. "
                "Ids have up to 63 small letters, digits, '_' and '-'."
            )
    return Entry(match=match, team=team, agent=agent, where=where)


def _mapping_entries(path: Path) -> list[Entry]:
    root = _compose(path)
    if not isinstance(root, yaml.MappingNode):
        raise _wrong(
            path,
            1,
            "the file is no list of mappings",
            "Begin it with 'mappings:', then '- ' lines",
        )
    entries: list[Entry] = []
    for key, value in _pairs(path, root, ("mappings",)):
        entries += _entries_below(path, key, value)
    return entries


def _entries_below(path: Path, name: str, node: yaml.Node) -> list[Entry]:
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(path, _line(node), f"'{name}' is no list", "Begin each mapping with '- '")
    return [_read_entry(path, item) for item in node.value]


def _read_entry(path: Path, node: yaml.Node) -> Entry:
    line = _line(node)
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(
            path,
            line,
            "a mapping is no set of keys",
            f"Use {', '.join((*MATCH_KEYS, *TARGET_KEYS))}",
        )
    words: dict[str, str] = {}
    for key, value in _pairs(path, node, (*MATCH_KEYS, *TARGET_KEYS)):
        if not isinstance(value, yaml.ScalarNode) or value.value == "":
            raise _wrong(path, _line(value), f"'{key}' is no text", "Write one value")
        words[key] = value.value
    team, agent = words.pop("team", None), words.pop("agent", None)
    if team is None and agent is None:
        raise _wrong(path, line, "a mapping names neither team nor agent", "Add 'team:' or 'agent:'")
    if not words:
        raise _wrong(path, line, "a mapping fits every run", f"Add one of {', '.join(MATCH_KEYS)}")
    return _entry(words, team, agent, f"{path} line {line}")


def _pairs(path: Path, node: yaml.MappingNode, known: Sequence[str]) -> list[tuple[str, yaml.Node]]:
    pairs: list[tuple[str, yaml.Node]] = []
    for key_node, value_node in node.value:
        key = str(key_node.value)
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            advice = f"Did you mean '{near[0]}'? Known keys: " if near else "Known keys: "
            raise _wrong(path, _line(key_node), f"unknown key '{key}'", advice + ", ".join(known))
        if key in dict(pairs):
            raise _wrong(path, _line(key_node), f"key '{key}' stands twice", "Keep one of them")
        pairs.append((key, value_node))
    return pairs


def _compose(path: Path) -> yaml.Node | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MappingError(f"Nothing imported: no mapping file {path}. Check --mapping.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(
            f"Nothing imported: mapping file {path} is unreadable ({error}). Check --mapping."
        ) from error
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _wrong(path, line, f"no valid YAML ({error.problem})", "Correct the line") from error


def _registry(path: Path) -> tuple[Directory | None, list[Entry]]:
    """Teams, agents and aliases of the registry, leniently: checking the registry is its own command."""
    if not path.exists():
        return None, []
    try:
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingError(
            f"Nothing imported: {path} is no valid YAML. Run `fleetbook registry check`."
        ) from error
    if not isinstance(declared, dict):
        return None, []
    agents = _section(declared, "agents")
    directory = Directory(
        teams=frozenset(_section(declared, "teams")),
        agents={name: str(spec.get("team", "")) for name, spec in agents.items() if isinstance(spec, dict)},
    )
    aliases = declared.get("aliases")
    return directory, [_alias(path, alias) for alias in aliases or [] if isinstance(alias, dict)]


def _section(declared: Mapping[str, object], name: str) -> dict[str, object]:
    section = declared.get(name)
    return {str(key): value for key, value in section.items()} if isinstance(section, dict) else {}


def _alias(path: Path, alias: Mapping[str, object]) -> Entry:
    words = {key: str(alias[key]) for key in MATCH_KEYS if alias.get(key)}
    team, agent = (str(alias[key]) if alias.get(key) else None for key in TARGET_KEYS)
    return _entry(words, team, agent, f"{path} (aliases)")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _wrong(path: Path, line: int, problem: str, advice: str) -> MappingError:
    return MappingError(f"Nothing imported: {path} line {line}: {problem}. {advice}.")


def _unknown(where: str, word: str, given: str, known: Sequence[str]) -> MappingError:
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return MappingError(
        f"Nothing imported: {where} names {word} '{given}', which the registry does not declare. "
        f"{hint}Add it to registry.yaml, or leave the {word} out."
    )
