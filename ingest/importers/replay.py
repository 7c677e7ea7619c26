"""Replay: what is in quarantine is read again, after an importer, a mapping or the kept text was fixed."""

from __future__ import annotations

import gzip
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.importers import quarantine
from ingest.importers.formats import find_format
from ingest.importers.gathering import Document, Part
from ingest.importers.intake import examined, one_at_a_time
from ingest.importers.mapping import load_mappings
from ingest.importers.quarantine import Kept
from ingest.importers.recording import Recording
from ingest.importers.source import SourceFile
from ingest.workspace import Workspace

USAGE = "usage"
"""The word under which lines of usage exports are kept; they come in with their whole export only."""
_AGAIN = "; import the corrected export again"


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """How many kept runs were read again, how many of them came in, and what is still refused."""

    tried: int
    taken: int
    left: tuple[Kept, ...]


def replay(workspace: Workspace, *, mapping_file: Path | None = None, time_zone: str = "UTC") -> ReplayReport:
    """Read everything in quarantine again; what comes in leaves it. Raises SourceError, WriterError.

    A run is written before its line is removed: after a crash it is known and the line is removed next time.
    """
    places = load_mappings(workspace, team=None, agent=None, mapping_file=mapping_file)
    tried, taken = 0, 0
    left: list[Kept] = []
    with one_at_a_time(workspace), tempfile.TemporaryDirectory() as folder:
        for path in quarantine.files(workspace):
            still: list[Kept] = []
            with Recording(workspace, process_name="quarantine replay") as recording:
                for kept in quarantine.read(path):
                    tried += 1
                    if kept.format == USAGE:
                        # One line alone would take the place of its whole day.
                        still.append(replace(kept, reason=f"{kept.reason.removesuffix(_AGAIN)}{_AGAIN}"))
                        continue
                    one = examined(_part(kept, Path(folder)), places, time_zone)
                    if one.report.rejects:
                        still.append(replace(kept, reason=one.report.rejects[0].reason))
                        continue
                    one.write(recording, Counter(), has_scan=False)
                    taken += 1
            quarantine.write(path, still)
            left += still
    return ReplayReport(tried=tried, taken=taken, left=tuple(left))


def _part(kept: Kept, folder: Path) -> Part:
    """The kept text as a document under its old name, which runs carry as their source file."""
    name, _, member = kept.source_file.partition("!")
    path = folder / name
    content = kept.raw.encode("utf-8", "surrogatepass")
    # A name that ends in .gz promises gzip.
    path.write_bytes(gzip.compress(content) if (member or name).endswith(".gz") else content)
    source = SourceFile(path, None, member)
    document = Document(source=source, format=find_format(kept.format), is_found=True)
    return Part(name=name, documents=[document])
