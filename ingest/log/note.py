"""Signed notes and checkpoints as C2SP specifies them (signed-note, tlog-checkpoint), with Ed25519 keys."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ingest.errors import NotaryError

_ED25519 = b"\x01"
_KEY_BYTES = 32
_KEY_ID_BYTES = 4
_SKEY_PREFIX = "PRIVATE+KEY+"
_DASH = "\u2014 "


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_ID_BYTES]


def _encoded(name: str, key: bytes, public: bytes) -> str:
    return f"{name}+{_key_id(name, public).hex()}+{base64.b64encode(_ED25519 + key).decode()}"


def _decoded(text: str, what: str) -> tuple[str, bytes, bytes]:
    """Name, key id and key of ``<name>+<hex id>+<base64 of 0x01 and the key>``."""
    try:
        name, key_id, encoded = text.split("+", 2)
        key = base64.b64decode(encoded, validate=True)
        found_id = bytes.fromhex(key_id)
    except (ValueError, binascii.Error) as error:
        raise NotaryError(f"No key: {what} is not in the form name+id+key. {_KEY_ADVICE}") from error
    if not name or key[:1] != _ED25519 or len(key) != _KEY_BYTES + 1:
        raise NotaryError(f"No key: {what} of {name!r} is no Ed25519 key. {_KEY_ADVICE}")
    return name, found_id, key[1:]


_KEY_ADVICE = "Restore the notary's key file from its backup, or name the right one in FLEETBOOK_NOTARY_KEY."


@dataclass(frozen=True)
class Verifier:
    """The public half of a notary's key: what auditors get and keep."""

    name: str
    public: bytes

    @property
    def vkey(self) -> str:
        """The key as C2SP writes it: ``name+id+key``."""
        return _encoded(self.name, self.public, self.public)

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """The verifier of a ``vkey``. Raises NotaryError."""
        name, key_id, public = _decoded(vkey.strip(), "the verifier key")
        if key_id != _key_id(name, public):
            raise NotaryError(
                f"No key: the id in the verifier key of {name!r} is not that of its key. {_KEY_ADVICE}"
            )
        return cls(name, public)

    def open(self, note: str) -> str:
        """The text of a signed ``note``. Raises NotaryError unless this key signed it."""
        text, separator, signatures = note.rpartition("\n\n")
        if not separator or not signatures.endswith("\n"):
            raise NotaryError(
                f"No checkpoint: the note for {self.name!r} has no signature lines. {_NOTE_ADVICE}"
            )
        signed = text + "\n"
        for line in signatures.splitlines():
            name, _, encoded = line.removeprefix(_DASH).rpartition(" ")
            if line.startswith(_DASH) and name == self.name and self._has_signed(signed, encoded):
                return signed
        raise NotaryError(f"No checkpoint: the note is not signed by {self.vkey}. {_NOTE_ADVICE}")

    def _has_signed(self, text: str, encoded: str) -> bool:
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            return False
        if raw[:_KEY_ID_BYTES] != _key_id(self.name, self.public):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(raw[_KEY_ID_BYTES:], text.encode())
        except InvalidSignature:
            return False
        return True


def opened_by(verifiers: Sequence[Verifier], note: str) -> str:
    """The text of a ``note`` that one of the keys signed. Raises NotaryError if none did."""
    first, *others = verifiers
    try:
        return first.open(note)
    except NotaryError:
        for one in others:
            with suppress(NotaryError):
                return one.open(note)
        raise


_NOTE_ADVICE = "Take the checkpoint from where it was sent to, unchanged, and the key from the notary."


@dataclass(frozen=True)
class Signer:
    """A notary's key pair."""

    name: str
    seed: bytes  # 32 bytes, secret

    @classmethod
    def generate(cls, name: str) -> Signer:
        """A new key under ``name`` (no spaces, no plus)."""
        key = Ed25519PrivateKey.generate()
        return cls(name, key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return Verifier(self.name, public.public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def skey(self) -> str:
        """The key as Go's note package writes it: ``PRIVATE+KEY+name+id+key``. Secret."""
        return _SKEY_PREFIX + _encoded(self.name, self.seed, self.verifier.public)

    @classmethod
    def parse(cls, skey: str) -> Signer:
        """The signer of an ``skey``. Raises NotaryError."""
        text = skey.strip()
        if not text.startswith(_SKEY_PREFIX):
            raise NotaryError(
                f"No key: the notary's key file does not begin with {_SKEY_PREFIX}. {_KEY_ADVICE}"
            )
        name, _, seed = _decoded(text.removeprefix(_SKEY_PREFIX), "the notary's key")
        return cls(name, seed)

    def sign(self, text: str) -> str:
        """The signed note of ``text``, which must end with LF."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        line = base64.b64encode(_key_id(self.name, self.verifier.public) + signature).decode()
        return f"{text}\n{_DASH}{self.name} {line}\n"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a log: its origin, the number of leaves, and the Merkle root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note text of C2SP tlog-checkpoint."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint of a note text. Raises NotaryError; extension lines are ignored."""
        try:
            origin, size, root, *_ = text.split("\n")
            found = cls(origin=origin, size=int(size), root=base64.b64decode(root, validate=True))
        except (ValueError, binascii.Error) as error:
            raise NotaryError(
                f"No checkpoint: {text[:80]!r} is not origin, size and root. {_NOTE_ADVICE}"
            ) from error
        if not origin or str(found.size) != size or found.size < 0 or len(found.root) != _KEY_BYTES:
            raise NotaryError(f"No checkpoint: {text[:80]!r} is not origin, size and root. {_NOTE_ADVICE}")
        return found
