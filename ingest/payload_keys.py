"""Keys of texts: with ``FLEETBOOK_PAYLOAD_KEY`` set, texts are written encrypted (AES-256-GCM).

The variable names a file with one key a line, the newest last, or holds the keys themselves. The newest one
encrypts, all decrypt. What is encrypted is salt and text together, bound to the payload's id; beside it
stands the id of its key. A workspace that holds encrypted texts takes no others any more.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ingest.errors import KeyUnusable, WriterError
from ingest.log.disk import make_folder, write_file
from ingest.payloads import SALT_BYTES, Payload
from ingest.workspace import Workspace

KEY_VARIABLE = "FLEETBOOK_PAYLOAD_KEY"
KEY_PREFIX = "fbpk1:"
MARKER = "encrypted"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_ID_LABEL = b"fleetbook/payload-key/v1\0"
_ID_HEX = 16


def key_id_of(key: bytes) -> str:
    """The id of a key, 16 hex digits of its hash."""
    return sha256(_ID_LABEL + key).hexdigest()[:_ID_HEX]


def new_key() -> str:
    """A new key as the line of a key file."""
    return KEY_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """The keys at hand: key id → key, the newest last. Empty without any."""

    keys: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str, where: str) -> Keyring:
        """The keys in ``text``, apart by white space or commas; lines with ``#`` are comments.

        Raises KeyUnusable, which names ``where``.
        """
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        words = [word for word in re.split(r"[\s,]+", "\n".join(lines)) if word]
        keys = [_key(word, where) for word in words]
        if not keys:
            raise KeyUnusable(f"No key: {where} holds none. Make one with `fleetbook log key FILE`.")
        return cls(keys={key_id_of(key): key for key in keys})

    @property
    def newest(self) -> str | None:
        """Id of the key that encrypts, None without keys."""
        return list(self.keys)[-1] if self.keys else None

    def sealed(self, payload: Payload) -> Payload:
        """``payload`` encrypted with the newest key; as it is when there is none, or when it has that key."""
        key_id = self.newest
        if key_id is None or payload.key_id is not None:
            return payload
        nonce = secrets.token_bytes(_NONCE_BYTES)
        secret = payload.salt + payload.content.encode()
        hidden = AESGCM(self.keys[key_id]).encrypt(nonce, secret, payload.payload_id.encode())
        return replace(payload, salt=b"", content=base64.b64encode(nonce + hidden).decode(), key_id=key_id)

    def opened(self, payload_id: str, key_id: str, content: str) -> tuple[bytes, str] | None:
        """Salt and text behind an encrypted ``content``; None when it was changed.

        Raises KeyError when the key is not at hand.
        """
        key = self.keys[key_id]
        try:
            raw = base64.b64decode(content, validate=True)
            secret = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], payload_id.encode())
            return secret[:SALT_BYTES], secret[SALT_BYTES:].decode()
        except (InvalidTag, binascii.Error, ValueError):
            return None


def _key(word: str, where: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(KEY_PREFIX), altchars=b"-_", validate=True)
    except binascii.Error:
        key = b""
    if not word.startswith(KEY_PREFIX) or len(key) != _KEY_BYTES:
        raise KeyUnusable(
            f"No key: {where} holds a word that is none (a key is {KEY_PREFIX} and {_KEY_BYTES} bytes in "
            "base64). Restore the file, or make a key with `fleetbook log key FILE`."
        )
    return key


def keyring() -> Keyring:
    """The keys that ``FLEETBOOK_PAYLOAD_KEY`` names or holds; none when it is not set.

    Raises KeyUnusable when it names a file that cannot be read, or something in it is no key.
    """
    named = os.environ.get(KEY_VARIABLE, "").strip()
    if not named:
        return Keyring(keys={})
    if named.startswith(KEY_PREFIX):
        return Keyring.parse(named, KEY_VARIABLE)
    try:
        text = Path(named).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KeyUnusable(
            f"No key: {KEY_VARIABLE} names {named}, which cannot be read ({reason}). "
            "Correct the variable, or run the command as a user who may read the file."
        ) from error
    return Keyring.parse(text, named)


class TextSealer:
    """Encrypts payloads on their way to the disk; looks at the key file again when it has changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._marker = workspace.payload_dir / MARKER
        self._stamp: tuple[str, int] | None = None
        self._ring = Keyring(keys={})
        self._is_marked = False

    def __call__(self, payload: Payload) -> Payload:
        """``payload`` as it may be stored. Raises WriterError when it has to be encrypted and cannot."""
        try:
            self._refresh()
        except KeyUnusable as error:
            raise WriterError(f"Text not written: {error}") from error
        if self._ring.newest is not None:
            self.mark()
        elif payload.key_id is None and self._marker.exists():
            raise WriterError(
                f"Text not written: the texts of this workspace are encrypted and {KEY_VARIABLE} is not set. "
                "Set it for every process that writes, and start this one again."
            )
        return self._ring.sealed(payload)

    def _refresh(self) -> None:
        named = os.environ.get(KEY_VARIABLE, "")
        try:
            changed_at = Path(named).stat().st_mtime_ns if named and not named.startswith(KEY_PREFIX) else 0
        except OSError:
            changed_at = -1
        if self._stamp != (named, changed_at):
            self._ring = keyring()
            self._stamp = (named, changed_at)

    def mark(self) -> None:
        """Leave word in the workspace that its texts are encrypted. Raises OSError."""
        if not self._is_marked:
            if not self._marker.exists():
                make_folder(self._marker.parent)
                write_file(self._marker, b"The texts here are encrypted; see FLEETBOOK_PAYLOAD_KEY.\n")
            self._is_marked = True


def add_key(path: Path) -> str:
    """Add a new key at the end of the key file, which is made when it is missing; returns the key's id.

    Raises KeyUnusable when the file holds something else, OSError.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if before.strip():
        Keyring.parse(before, str(path))
    line = new_key()
    text = before if not before or before.endswith("\n") else f"{before}\n"
    make_folder(path.resolve().parent)
    write_file(path, f"{text}{line}\n".encode(), mode=0o600)
    return next(iter(Keyring.parse(line, str(path)).keys))
