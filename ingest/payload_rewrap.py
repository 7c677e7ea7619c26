"""Rewrapping: sealed texts are encrypted with the newest key, in place of an older one or of none.

Only salt and text change their form, so every commitment and every proof stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from ingest.errors import KeyUnusable, SegmentError
from ingest.log.disk import publish
from ingest.log.recover import recover
from ingest.payload_keys import KEY_VARIABLE, Keyring, TextSealer, keyring
from ingest.payload_store import payload_table, payload_writer
from ingest.payload_struck import texts_alone
from ingest.payloads import Payload, is_proven
from ingest.workspace import Workspace

_SUFFIX = ".rewrapping"


@dataclass(frozen=True, kw_only=True)
class RewrapReport:
    """What was done: the key's id, texts encrypted with it now, and texts whose old key is not at hand."""

    key_id: str
    rewrapped_count: int
    locked_count: int


def rewrap(workspace: Workspace) -> RewrapReport:
    """Encrypt every sealed text with the newest key; those of living writers follow when they are sealed.

    A file replaces its old self in one step; whatever interrupts this, the next call does the rest. Raises
    KeyUnusable without a key, SegmentError for a text that is not what its commitment states, OSError.
    """
    ring = keyring()
    newest = ring.newest
    if newest is None:
        raise KeyUnusable(
            f"Not encrypted: {KEY_VARIABLE} is not set. Make a key with `fleetbook log key FILE` and set the "
            "variable to the file, for every process that writes."
        )
    recover(workspace)
    TextSealer(workspace).mark()
    rewrapped = locked = 0
    with texts_alone(workspace):
        for leftover in workspace.payload_dir.glob(f"*{_SUFFIX}"):
            leftover.unlink()
        for path in sorted(workspace.payload_dir.glob("month=*/*.parquet")):
            done = _rewrap_file(workspace, path, ring, newest)
            rewrapped += done[0]
            locked += done[1]
    return RewrapReport(key_id=newest, rewrapped_count=rewrapped, locked_count=locked)


def _rewrap_file(workspace: Workspace, path: Path, ring: Keyring, newest: str) -> tuple[int, int]:
    """Texts that got the newest key, and texts that stay because their key is not at hand."""
    month = path.parent.name.removeprefix("month=")
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if "key_id" in file.schema_arrow.names:
            key_ids = file.read(columns=["key_id"])["key_id"].unique().to_pylist()
            if key_ids == [newest]:
                return 0, 0
        temporary = workspace.payload_dir / f"{path.stem}.{path.parent.name}{_SUFFIX}"
        rewrapped = locked = 0
        with payload_writer(temporary) as writer:
            for group in range(file.num_row_groups):
                before = [Payload(**row, month=month) for row in file.read_row_group(group).to_pylist()]
                after = [_renewed(payload, ring, newest) for payload in before]
                writer.write_table(payload_table(after))
                rewrapped += sum(old is not new for old, new in zip(before, after, strict=True))
                locked += sum(payload.key_id != newest for payload in after)
    publish(temporary, path)
    return rewrapped, locked


def _renewed(payload: Payload, ring: Keyring, newest: str) -> Payload:
    """``payload`` under the newest key; itself when it is that already, or its key is not at hand."""
    if payload.key_id == newest or (payload.key_id is not None and payload.key_id not in ring.keys):
        return payload
    opened: tuple[bytes, str] | None = (payload.salt, payload.content)
    if payload.key_id is not None:
        opened = ring.opened(payload.payload_id, payload.key_id, payload.content)
    if opened is None or not is_proven(payload.payload_id, *opened):
        raise SegmentError(
            f"Not encrypted: the text of {payload.payload_id} does not have the commitment in the log. "
            "Run `fleetbook verify --level 2` and restore the payload file from a backup."
        )
    return ring.sealed(replace(payload, salt=opened[0], content=opened[1], key_id=None))
