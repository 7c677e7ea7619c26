"""Rejected input on its way to the shared record: what a machine has in quarantine, as it is there now."""

from __future__ import annotations

import msgspec

from ingest.log.disk import write_file
from ingest.shared.objects import Objects
from ingest.workspace import Workspace

FOLDER = "quarantine/"
_NOTE = "quarantine.json"  # below shipping/: file → size and time of its last change when it was shipped


def ship_rejected(objects: Objects, workspace: Workspace, machine_id: str) -> int:
    """Bring new and changed files of the quarantine to the place, and remove there those that are gone here.

    Returns how many were brought. Raises PlaceError, OSError.
    """
    note = workspace.shipping_dir / _NOTE
    before = msgspec.json.decode(note.read_bytes(), type=dict[str, tuple[int, int]]) if note.exists() else {}
    now = {
        path.relative_to(workspace.quarantine_dir).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(workspace.quarantine_dir.rglob("*"))
        if path.is_file() and not path.name.endswith(".tmp")
    }
    if now == before:
        return 0
    changed = [name for name, state in now.items() if before.get(name) != state]
    for name in changed:
        content = (workspace.quarantine_dir / name).read_bytes()
        objects.replace(f"{FOLDER}{machine_id}/{name}", content)
    for name in before.keys() - now.keys():
        objects.delete(f"{FOLDER}{machine_id}/{name}")
    write_file(note, msgspec.json.encode(now))
    return len(changed)
