"""Payloads: prompt, answer, argument and result texts, apart from the log and provable by it.

The log holds ``commit = SHA256(salt || content)`` with 32 random bytes of salt; the payload store holds salt
and content. The id of a payload is its month and the first half of its commitment, so that a text read by its
id proves itself. Deleting salt and content leaves a commitment that nobody can guess from.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

import msgspec

from ingest.contract import Value
from ingest.errors import ContractError
from ingest.log.wal import complete_lines
from ingest.masker import mask_text
from ingest.workspace import Workspace

PayloadKind: TypeAlias = Literal["task", "answer", "turn", "arguments", "result", "specification", "message"]
PAYLOAD_KINDS: tuple[str, ...] = get_args(PayloadKind)
PAYLOAD_LABEL = b"fleetbook/payload/v1\0"
SALT_BYTES = 32
ID_HEX = 32  # 128 bits of the commitment: nobody finds another text for them
_PAYLOAD_ID = re.compile(rf"p[0-9]{{6}}-[0-9a-f]{{{ID_HEX}}}")
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, kw_only=True)
class Payload:
    """One text, the salt of its commitment, and what it belongs to. Made by :func:`make_payload`.

    With a ``key_id`` it is encrypted (:mod:`ingest.payload_keys`): ``content`` is nonce and ciphertext of
    salt and text in base64, and ``salt`` is empty.
    """

    payload_id: str
    run_id: str | None
    subject_id: str | None  # person the text is about, for erasure
    kind: str  # one of PAYLOAD_KINDS
    content: str
    month: str  # of the event, "2026-11"
    salt: bytes  # 32 random bytes
    key_id: str | None = None


_DECODER = msgspec.json.Decoder(Payload)


class MadePayload(NamedTuple):
    """A payload, and the columns for its event: payload_id, payload_commit, payload_bytes, masked_count."""

    payload: Payload
    columns: dict[str, Value]


def commitment(salt: bytes, content: str) -> str:
    """SHA256(salt || content) in hex."""
    return sha256(salt + content.encode()).hexdigest()


def payload_id_of(month: str, commit: str) -> str:
    """The id of the payload with this ``commit`` in ``month`` ("2026-11")."""
    return f"p{month.replace('-', '')}-{commit[:ID_HEX]}"


def is_payload_id(text: str) -> bool:
    """True for text in the form of a payload id; anything else names no payload and no folder."""
    return _PAYLOAD_ID.fullmatch(text) is not None


def month_of(payload_id: str) -> str:
    """The month in a payload id, as "2026-11"."""
    return f"{payload_id[1:5]}-{payload_id[5:7]}"


def is_proven(payload_id: str, salt: bytes, content: str) -> bool:
    """True when salt and content give the commitment that the id states."""
    return payload_id_of(month_of(payload_id), commitment(salt, content)) == payload_id


def open_payload_dir(workspace: Workspace) -> Path:
    """Where the line files of payloads lie until they are sealed."""
    return workspace.payload_dir / "open"


def make_payload(
    content: str,
    *,
    kind: str,
    occurred_at: dt.datetime,
    run_id: str | None = None,
    subject_id: str | None = None,
    is_masked: bool = False,
) -> MadePayload:
    """The payload of ``content`` and the columns to merge into its event; secrets are masked first.

    ``is_masked`` says that the caller did that, many texts at once, and counts what it masked itself.
    Raises ContractError for an unknown ``kind``, a time without zone, or text that is no UTF-8.
    """
    if kind not in PAYLOAD_KINDS:
        raise ContractError("payload", f"kind {kind!r} is none of {', '.join(PAYLOAD_KINDS)}")
    if occurred_at.tzinfo is None:
        raise ContractError("payload", "occurred_at has no time zone")
    content, masked_count = (content, 0) if is_masked else mask_text(content)
    try:
        encoded = content.encode()
    except UnicodeEncodeError as error:
        raise ContractError("payload", f"the text is no UTF-8 ({error.reason})") from error
    salt = os.urandom(SALT_BYTES)
    commit = sha256(salt + encoded).hexdigest()
    month = occurred_at.astimezone(dt.UTC).strftime("%Y-%m")
    payload_id = payload_id_of(month, commit)
    payload = Payload(
        payload_id=payload_id,
        run_id=run_id,
        subject_id=subject_id,
        kind=kind,
        content=content,
        month=month,
        salt=salt,
    )
    columns: dict[str, Value] = {
        "payload_id": payload_id,
        "payload_commit": commit,
        "payload_bytes": len(encoded),
    }
    if masked_count:
        columns["masked_count"] = masked_count
    return MadePayload(payload, columns)


def payload_line(payload: Payload) -> bytes:
    """``hex(SHA256(label || body)) SP body LF``: the checksum that tells a whole line from a torn one."""
    body = _ENCODER.encode(payload)
    return sha256(PAYLOAD_LABEL + body).hexdigest().encode() + b" " + body + b"\n"


def parse_line(line: bytes) -> Payload | None:
    """The payload of a line without LF, or None when the line is torn or changed."""
    checksum, _, body = line.partition(b" ")
    if sha256(PAYLOAD_LABEL + body).hexdigest().encode() != checksum:
        return None
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        return None


class PayloadReader:
    """Reads the whole lines of a payload line file; ``valid_bytes`` says how many bytes they have.

    Payload lines are not chained: behind a damaged line the others still count.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.size = size
        self.valid_bytes = 0

    def blocks(self) -> Iterator[list[Payload]]:
        """The payloads, a block of the file at a time."""
        for lines in complete_lines(self._fd, self.size):
            block: list[Payload] = []
            for line in lines:
                payload = parse_line(line)
                if payload is None:
                    continue
                self.valid_bytes += len(line) + 1
                block.append(payload)
            yield block
