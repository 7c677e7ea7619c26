"""Content rules: what registry.yaml says about the texts of a team, of an agent, or of an outside agent.

For imports and receivers, which read the file leniently; the runner asks its applied registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from ingest.capture import Capture, capture_of, strictest
from ingest.errors import MappingError
from ingest.importers.mapping import Entry, aliases, outside_agent_id
from ingest.workspace import Workspace

_NEVER_READ = -2
_ABSENT = -1


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """One reading of the file: captures by team and agent, the team of each agent, the aliases."""

    teams: Mapping[str, Capture] = field(default_factory=dict)
    agents: Mapping[str, Capture] = field(default_factory=dict)
    aliases: tuple[Entry, ...] = ()


class ContentRules:
    """The rules of one workspace; a changed registry.yaml counts from the next question on.

    One that cannot be read any more changes nothing; one that never could raises MappingError.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stamp = _NEVER_READ
        self._rules = _Rules()
        self._outside: dict[tuple[str | None, str | None, str | None], Capture] = {}

    def keep_all(self) -> bool:
        """True when the registry switches nothing off."""
        self._refresh()
        said = {*self._rules.teams.values(), *self._rules.agents.values()}
        return said <= {"on"}

    def of(self, team_id: str | None, agent_id: str | None) -> Capture:
        """The stricter word of team and agent; on when nothing is declared."""
        self._refresh()
        return self._of(team_id, agent_id)

    def of_outside(self, team_id: str | None, source_agent: str | None, source_domain: str | None) -> Capture:
        """The strictest word of the team and of every agent that such a sender may stand for.

        An alias may also ask for a model or a file, which is not known here: it counts all the same.
        """
        self._refresh()
        key = (team_id, source_agent, source_domain)
        if key not in self._outside:
            if len(self._outside) > 10_000:  # senders make names up
                self._outside.clear()
            words = {"source_agent": source_agent or "", "source_domain": source_domain or ""}
            own_name = outside_agent_id(source_agent or "", "")
            places: list[tuple[str | None, str | None]] = [(team_id, own_name)]
            places += [
                (entry.team, entry.agent)
                for entry in self._rules.aliases
                if all(words.get(name, wanted) == wanted for name, wanted in entry.match.items())
            ]
            self._outside[key] = strictest(*(self._of(*place) for place in places))
        return self._outside[key]

    def _of(self, team_id: str | None, agent_id: str | None) -> Capture:
        rules = self._rules
        return strictest(rules.teams.get(team_id or "", "on"), rules.agents.get(agent_id or "", "on"))

    def _refresh(self) -> None:
        try:
            stamp = self._workspace.registry_file.stat().st_mtime_ns
        except FileNotFoundError:
            stamp = _ABSENT
        if stamp == self._stamp:
            return
        try:
            self._rules = _read(self._workspace) if stamp != _ABSENT else _Rules()
        except MappingError:
            if self._stamp == _NEVER_READ:
                raise
            return  # half edited: what was read before counts until it can be read again
        self._outside.clear()
        self._stamp = stamp


def _read(workspace: Workspace) -> _Rules:
    path = workspace.registry_file
    try:
        declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingError(
            f"Texts not judged: {path} is no valid YAML. Run `fleetbook registry check`."
        ) from error
    if not isinstance(declared, dict):
        return _Rules()
    return _Rules(
        teams=_captures(declared.get("teams")),
        agents=_captures(declared.get("agents")),
        aliases=tuple(aliases(workspace)),
    )


def _captures(section: object) -> dict[str, Capture]:
    if not isinstance(section, dict):
        return {}
    return {
        str(name): capture_of(spec.get("content_capture"))
        for name, spec in section.items()
        if isinstance(spec, dict)
    }
