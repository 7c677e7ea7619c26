"""Texts that are not kept: what their events say instead, and the key that hashes them."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from ingest.capture import Capture
from ingest.contract import Value
from ingest.errors import WorkspaceError
from ingest.log.disk import sync_file, sync_folder, write_all
from ingest.masker import mask_text
from ingest.payloads import commitment
from ingest.workspace import Workspace

# An agent's specification is the company's own declaration, no content of a run.
ALWAYS_KEPT = frozenset({"specification"})
KEY_FILE = "content.key"
_KEY_BYTES = 32


def unkept_columns(content: str, capture: Capture, key: bytes) -> dict[str, Value]:
    """What the event of a text says instead of naming a payload; secrets are masked before it is hashed.

    ``hashed`` gives ``payload_commit`` = SHA256(key || content) and ``payload_bytes``: equal texts
    look equal, and whoever has a text can prove it. ``off`` gives the word alone.
    """
    columns: dict[str, Value] = {"content_capture": capture}
    if capture == "hashed":
        clean, masked_count = mask_text(content)
        columns["payload_commit"] = commitment(key, clean)
        columns["payload_bytes"] = len(clean.encode())
        if masked_count:
            columns["masked_count"] = masked_count
    return columns


def content_key(workspace: Workspace) -> bytes:
    """The salt of this workspace's hashed texts, 32 random bytes in ``content.key``; made when it is missing.

    Raises WorkspaceError when the file holds something else, OSError.
    """
    path = workspace.root / KEY_FILE
    with suppress(FileExistsError):
        _create(path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise WorkspaceError(
            f"Text not hashed: {path} does not hold a key of {_KEY_BYTES} bytes in hex. "
            "Restore the file from a backup."
        )
    return key


def _create(path: Path) -> None:
    if path.exists():
        raise FileExistsError(path)
    # Complete before it has its name: another process may look for it at any moment.
    making = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    fd = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, secrets.token_hex(_KEY_BYTES).encode() + b"\n")
        sync_file(fd)
    finally:
        os.close(fd)
    try:
        os.link(making, path)
    finally:
        making.unlink()
    sync_folder(path.parent)
