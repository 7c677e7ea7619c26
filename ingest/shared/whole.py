"""The whole log as this machine knows it: its copy of the shared record, and what it has not shipped yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.log.manifest import Segment
from ingest.log.view import look
from ingest.shared.stretches import Piece, Reached, Stretches, reached_by
from ingest.workspace import Workspace


def own_beyond(workspace: Workspace, segments: Sequence[Segment]) -> Iterator[Piece]:
    """Events of ``workspace`` that the record, whose ``segments`` these are, does not hold; once each.

    None where the workspace stands alone. Raises SegmentError, OSError.
    """
    if workspace.record == workspace:
        return
    with look(workspace) as view:
        yield from Stretches(workspace).unshipped(view, reached_by(segments))


def furthest(workspace: Workspace, segments: Sequence[Segment]) -> dict[str, Reached]:
    """Writer → how far it is known to be, by the record's ``segments`` and by what lies here."""
    heads = reached_by(segments)
    if workspace.record == workspace:
        return heads
    with look(workspace) as view:
        own = {**reached_by(view.segments), **Stretches(workspace).heads(view, {})}
    beyond = {
        writer_id: head
        for writer_id, head in own.items()
        if writer_id not in heads or head.seq > heads[writer_id].seq
    }
    return {**heads, **beyond}
