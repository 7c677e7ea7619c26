"""What a command that looks at the whole log does first: ship what is here, fetch what is elsewhere."""

from __future__ import annotations

from contextlib import suppress

from ingest.errors import ShippingBusy
from ingest.log.recover import recover
from ingest.shared.copying import Fetched, fetch
from ingest.shared.shipping import Shipper
from ingest.workspace import Workspace


def refresh(workspace: Workspace) -> Fetched | None:
    """Bring the record and this machine's copy of it up to date; None for a workspace that stands alone.

    Raises PlaceError when the place is not reached, PlaceRefusal, SegmentError, OSError.
    """
    if workspace.record == workspace:
        return None
    recover(workspace)
    with suppress(ShippingBusy):  # another process of this machine does it right now
        Shipper(workspace).ship()
    return fetch(workspace)
