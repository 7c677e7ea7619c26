"""tau2-bench result files: one simulation is one run.

What the numbers mean (data/real/truth/README.md in the reference set states the same rules):

- A turn is an assistant message with usage. Where a source gives no usage its messages are messages, and the
  number of model calls stays unknown.
- Tool calls belong to the side that made them: the agent, or the simulated user.
- Calls and results are paired in order of appearance, because a tool_call_id may repeat within a run.
- Money and time are the source's own figures; a cost of 0 without usage is what the source says, not a price.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ingest.errors import SourceError
from ingest.importers.draft import attempt
from ingest.importers.facts import SHAPE_ERRORS
from ingest.importers.formats import ImportedRun, Reading, Rejected
from ingest.importers.probe import Probe
from ingest.importers.source import Json, JsonReader, SourceFile
from ingest.importers.tau2_run import NAME, read_simulation
from ingest.importers.tau2_shape import Header, Simulation


class Tau2Format:
    """The importer ``tau2``."""

    name = NAME
    summary = "tau2-bench simulation results"

    def recognises(self, probe: Probe) -> bool:
        """An object with ``info`` and ``simulations`` (or ``tasks``, when it is cut before them)."""
        return probe.kind == "object" and (probe.has("info", "simulations") or probe.has("info", "tasks"))

    def read(self, source: SourceFile, reading: Reading) -> Iterator[ImportedRun | Rejected]:
        """Runs and rejects in file order. Raises SourceError when the file is no whole tau2 result file."""
        header = _read_header(source)
        with source.open() as stream:
            reader = JsonReader(stream, source.title)
            for key in reader.members():
                if key != "simulations":
                    reader.skip()
                    continue
                for position, raw in enumerate(reader.items()):
                    yield _read_simulation(raw, position, header, source, reading)
            reader.finish()


FORMAT = Tau2Format()


def _read_header(source: SourceFile) -> Header:
    """The words of ``info`` that are read; also checks that the document has the shape of a result file."""
    found: Header | None = None
    has_runs = False
    with source.open() as stream:
        reader = JsonReader(stream, source.title)
        if not reader.next_is("{"):
            raise _not_tau2(source, "it does not begin with an object")
        for key in reader.members():
            if key == "info":
                found = _convert_header(source, reader.value())
            elif key == "simulations" and reader.next_is("["):
                has_runs = True
                if found:
                    return found
                reader.skip()
            else:
                reader.skip()
    if found is None:
        raise _not_tau2(source, "it has no 'info'")
    if not has_runs:
        raise _not_tau2(source, "it has no list 'simulations'")
    return found


def _convert_header(source: SourceFile, raw: Json) -> Header:
    try:
        return msgspec.convert(raw, type=Header)
    except SHAPE_ERRORS as error:
        raise _not_tau2(source, f"its 'info' is of another shape ({error})") from error


def _not_tau2(source: SourceFile, problem: str) -> SourceError:
    return SourceError(
        f"Nothing imported: {source.title} is no tau2 result file: {problem}. "
        "A result file is {timestamp, info, tasks, simulations}; leave other files out, or name their format."
    )


def _read_simulation(
    raw: Json, position: int, header: Header, source: SourceFile, reading: Reading
) -> ImportedRun | Rejected:
    given = raw.get("id") if isinstance(raw, dict) else None
    return attempt(
        lambda: read_simulation(msgspec.convert(raw, type=Simulation), header, source, reading),
        raw={"info": msgspec.to_builtins(header), "simulations": [raw]},
        position=position,
        source_run_id=given if isinstance(given, str) else "",
    )
