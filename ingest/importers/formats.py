"""What an importer is, and the list of those there are.

A format reads one source file and yields runs that are ready for the log, or rejects with their reason. It
never touches the workspace; :mod:`ingest.importers.intake` does, in the same way for every format.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, TypeAlias
from zoneinfo import ZoneInfo

from ingest.contract import Value
from ingest.errors import SourceError
from ingest.importers.mapping import Placement
from ingest.importers.probe import Probe
from ingest.importers.source import SourceFile

EventDict: TypeAlias = "dict[str, Value]"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One event before it is written: its columns, and the text that goes to the payload store, if any."""

    event: EventDict
    occurred_at: dt.datetime
    text: str | None = None
    text_kind: str = ""


@dataclass(frozen=True, kw_only=True)
class ImportedRun:
    """One run of a source, as events in the order they happened."""

    source_run_id: str
    run_id: str
    source_agent: str
    agent_id: str
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """One run that is malformed: where it stands in its document, why it was refused, and its text.

    ``raw`` is a document of the same format that holds this run alone, so that it can be read again after a
    fix. The intake fills in ``document`` and ``format_name``.
    """

    position: int
    source_run_id: str
    reason: str
    raw: str
    document: str = ""
    format_name: str = ""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """How many runs a header says that its source holds; what is found may be fewer."""

    run_count: int


Item: TypeAlias = "ImportedRun | Rejected | Declared"


class Places(Protocol):
    """Answers which team and agent a foreign run belongs to."""

    def place(self, *, source_agent: str, source_domain: str, model: str, file: str) -> Placement:
        """The placement by mapping, else the agent under its own name."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a format needs beside the file: where runs belong, the zone of times without one, the time now.

    ``imported_at`` is what runs carry whose source gives no time at all.
    """

    places: Places
    time_zone: dt.tzinfo = field(default_factory=lambda: ZoneInfo("UTC"))
    imported_at: dt.datetime = field(default_factory=_now)


class ImportFormat(Protocol):
    """One foreign file format."""

    name: str
    summary: str

    def recognises(self, probe: Probe) -> bool:
        """True when a document that begins like ``probe`` is of this format, by its content alone."""

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """Runs and rejects of ``source`` in file order. Raises SourceError when the whole file is wrong."""


# name → "module:object"; imported when asked for, so that a format's libraries are loaded only where used.
FORMATS: Mapping[str, str] = {
    "tau2": "ingest.importers.tau2:FORMAT",
    "tau2_reviews": "ingest.importers.tau2_reviews:FORMAT",
    "tau_bench_v1": "ingest.importers.tau_bench_v1:FORMAT",
    "agentdojo": "ingest.importers.agentdojo:FORMAT",
    "medagentbench": "ingest.importers.medagentbench:FORMAT",
    "inspect": "ingest.importers.inspect_log:FORMAT",
    "swe_agent": "ingest.importers.swe_agent:FORMAT",
    "managed_agents": "ingest.importers.managed_agents:FORMAT",
    "claude_code": "ingest.importers.claude_code:FORMAT",
    "langfuse": "ingest.importers.langfuse:FORMAT",
    "openai_run_state": "ingest.importers.openai_run_state:FORMAT",
    "chat_log": "ingest.importers.chat_log:FORMAT",
    "fleetbook": "ingest.importers.fleetbook:FORMAT",
}
AUTO = "auto"


def find_format(name: str) -> ImportFormat:
    """The format called ``name``. Raises SourceError that lists the known formats and the nearest one."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise SourceError(
            f"Nothing imported: unknown format {name!r}. {hint}Known formats: {AUTO}, {', '.join(FORMATS)}."
        )
    module, _, attribute = FORMATS[name].partition(":")
    found: ImportFormat = getattr(import_module(module), attribute)
    return found


def all_formats() -> tuple[ImportFormat, ...]:
    """Every known format, in the order of the list."""
    return tuple(find_format(name) for name in FORMATS)
