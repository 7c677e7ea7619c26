"""Adding to the shared record from a machine that has a copy of it: compactions, prunings, legal holds.

What is added was decided on the record as the copy has it. Where the record went on meanwhile, nothing is
added: who wanted it looks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingest.errors import MaintenanceError
from ingest.log.lake import sealed_state
from ingest.log.manifest import Manifest
from ingest.shared.copying import LAKE, one_at_a_time
from ingest.shared.joining import opened
from ingest.shared.lines import add_lines
from ingest.shared.objects import create_whole
from ingest.workspace import Workspace


def add_to_record(copy: Workspace, lines: Sequence[bytes]) -> None:
    """Add manifest ``lines`` to the record that ``copy`` is of, and to the copy.

    Raises MaintenanceError when the record has lines that the copy has not, PlaceError, OSError.
    """
    record, manifest = opened(copy), Manifest(copy)
    with one_at_a_time(copy):
        if not add_lines(record.objects, len(manifest.lines()), lines):
            raise MaintenanceError(
                f"Not recorded: {record.objects.address} went on while this was decided. "
                "Run the command again; it looks at the newest state."
            )
        manifest.append_lines(lines)


def put_file(copy: Workspace, file: Path, name: str) -> None:
    """Bring ``file`` to the place as the sealed file ``name`` (below lake/). Raises PlaceError, OSError."""
    create_whole(opened(copy).objects, LAKE + name, file.read_bytes())


def sweep(copy: Workspace) -> int:
    """Remove what was compacted or pruned from the place; returns the number of objects. Raises PlaceError.

    A machine whose copy is older finds a file gone, reads on in the manifest, and learns what took its place.
    """
    objects = opened(copy).objects
    state = sealed_state(Manifest(copy).entries())
    gone = {f"{LAKE}{file}" for file in (*state.replaced, *state.pruned)}
    there = [name for name in objects.names(LAKE) if name in gone] if gone else []
    for name in there:
        objects.delete(name)
    return len(there)
