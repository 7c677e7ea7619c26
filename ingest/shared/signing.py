"""Signing the shared record: one notary, whose checkpoints lie at the place, each made once."""

from __future__ import annotations

from pathlib import Path

from ingest.errors import NotaryRefusal
from ingest.log.checkpoint import VKEY_FILE, Notarised
from ingest.log.note import Signer
from ingest.log.sink_folder import refusal
from ingest.shared.copying import CHECKPOINTS
from ingest.shared.joining import opened
from ingest.workspace import Workspace


def insist_on_one_notary(copy: Workspace, own: Path) -> None:
    """Raise NotaryRefusal when another key than the file ``own`` signed the record that ``copy`` is of."""
    known = copy.checkpoint_dir / VKEY_FILE
    if not known.exists():
        return
    if (
        own.exists()
        and Signer.parse(own.read_text(encoding="utf-8")).verifier.vkey == known.read_text().strip()
    ):
        return
    raise NotaryRefusal(
        f"Not signed: {known} is the key that signs this record, and the key in {own} is another one or "
        "not there. Sign on the notary's machine, or bring its key file and memory here "
        "(FLEETBOOK_NOTARY_KEY)."
    )


def publish_checkpoint(copy: Workspace, done: Notarised) -> None:
    """Keep the checkpoint and the notary's public key at the place.

    Of several that sign the same tree one makes the object; the others find their own note there, or are
    refused. Raises NotaryRefusal when another note has the name, PlaceError.
    """
    objects = opened(copy).objects
    for name, content in (
        (VKEY_FILE, (copy.checkpoint_dir / VKEY_FILE).read_bytes()),
        (done.path.name, done.note.encode()),
    ):
        if not objects.create(CHECKPOINTS + name, content):
            raise refusal(objects.address, name)
