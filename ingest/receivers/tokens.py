"""Senders' tokens: one or more per team, kept as hashes in ``tokens.json`` of the workspace, shown once.

A token is ``fbt_<id>_<secret>`` with 256 random bits, so a plain SHA-256 is enough to keep. The file is read
again when it changes: a revoked token is refused within a twentieth of a second.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hmac
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest.capture import Capture
from ingest.contract import derived_event_id, rfc3339
from ingest.errors import TokenError
from ingest.log.disk import write_file
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace

PREFIX = "fbt_"
FILE_NAME = "tokens.json"
FILE_VERSION = 1
_ID = re.compile(r"[0-9a-f]{12}")
_TEAM_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_NO_HASH = "0" * 64
# Asking for the state of the file with each request was a fiftieth of the receiver's time.
_REFRESH_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Token:
    """What the workspace knows of a token; the token itself is nowhere."""

    token_id: str
    team_id: str
    label: str  # what sends with it, in the words of who made it
    content_capture: Capture
    secret_sha256: str
    content_key: str  # 32 random bytes in hex: the salt of hashed content
    created_at: str  # RFC 3339
    revoked_at: str | None = None


class MadeToken(NamedTuple):
    """A new token: what is kept of it, and its text, which is shown once."""

    token: Token
    text: str


@dataclass(frozen=True, kw_only=True)
class _TokenFile:
    version: int
    tokens: list[Token]


def token_file(workspace: Workspace) -> Path:
    """Where the tokens of ``workspace`` are kept."""
    return workspace.root / FILE_NAME


def create_token(
    workspace: Workspace,
    writer: LogWriter,
    *,
    team_id: str,
    label: str,
    content_capture: Capture,
    person_id: str | None,
    now: dt.datetime,
) -> MadeToken:
    """Make a token for ``team_id``, record the event, keep its hash. Raises TokenError for a bad team id."""
    if not _TEAM_ID.fullmatch(team_id):
        raise TokenError(
            f"Token not made: {team_id!r} is no team id. Team ids are small letters, digits, - and _; "
            "registry.yaml lists yours under teams."
        )
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = Token(
        token_id=token_id,
        team_id=team_id,
        label=label,
        content_capture=content_capture,
        secret_sha256=sha256(secret.encode()).hexdigest(),
        content_key=secrets.token_hex(32),
        created_at=rfc3339(now),
    )
    with _locked(workspace):
        tokens = read_tokens(workspace)
        # The event first: a token that nobody recorded must not work.
        _record(writer, "token_created", token, now, person_id)
        _write(workspace, [*tokens, token])
    return MadeToken(token, f"{PREFIX}{token_id}_{secret}")


def revoke_token(
    workspace: Workspace, writer: LogWriter, token_id: str, *, person_id: str | None, now: dt.datetime
) -> Token:
    """Revoke a token, record it as an event. Raises TokenError when it is unknown or revoked already."""
    with _locked(workspace):
        tokens = read_tokens(workspace)
        known = next((token for token in tokens if token.token_id == token_id), None)
        if known is None or known.revoked_at is not None:
            state = "is not known" if known is None else f"was revoked on {known.revoked_at}"
            raise TokenError(
                f"Token not revoked: {token_id} {state}. `fleetbook token list` shows the tokens' ids."
            )
        revoked = replace(known, revoked_at=rfc3339(now))
        # The file first: it must stop working even if the event cannot be written.
        _write(workspace, [revoked if token is known else token for token in tokens])
        _record(writer, "token_revoked", revoked, now, person_id)
    return revoked


def read_tokens(workspace: Workspace) -> list[Token]:
    """All tokens, revoked ones too, oldest first. Raises TokenError when the file cannot be understood."""
    path = token_file(workspace)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    try:
        kept = msgspec.json.decode(content, type=_TokenFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TokenError(
            f"Tokens unreadable: {path} is no token file ({error}). Restore it from a backup, or remove it: "
            "then no token works and new ones are made with `fleetbook token create`."
        ) from error
    if kept.version > FILE_VERSION:
        raise TokenError(f"Tokens too new: {path} has version {kept.version}. Update Fleetbook.")
    return kept.tokens


class TokenBook:
    """The tokens as the receiver asks for them; follows the file."""

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._clock = clock
        self._asked_at = -math.inf
        self._path = token_file(workspace)
        self._state: tuple[int, int, int] | None = None
        self._tokens: dict[str, Token] = {}

    def find(self, text: str) -> Token | None:
        """The live token whose text is ``text``, or None. Takes the same time whatever is wrong with it."""
        token_id, _, secret = text.removeprefix(PREFIX).partition("_")
        is_one = text.startswith(PREFIX) and _ID.fullmatch(token_id) is not None
        self._refresh(is_urgent=is_one and token_id not in self._tokens)
        token = self._tokens.get(token_id) if is_one else None
        expected = token.secret_sha256 if token else _NO_HASH
        found = hmac.compare_digest(sha256(secret.encode("utf-8", "replace")).hexdigest(), expected)
        return token if found and token is not None and token.revoked_at is None else None

    def _refresh(self, *, is_urgent: bool) -> None:
        now = self._clock()
        if now - self._asked_at < _REFRESH_SECONDS and not is_urgent:
            return
        self._asked_at = now
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._state, self._tokens = None, {}
            return
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        if state != self._state:
            self._tokens = {token.token_id: token for token in read_tokens(self._workspace)}
            self._state = state


@contextmanager
def _locked(workspace: Workspace) -> Iterator[None]:
    fd = os.open(workspace.root / f"{FILE_NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _write(workspace: Workspace, tokens: list[Token]) -> None:
    content = msgspec.json.format(
        msgspec.json.encode(_TokenFile(version=FILE_VERSION, tokens=tokens)), indent=1
    )
    write_file(token_file(workspace), content + b"\n", mode=0o600)


def _record(
    writer: LogWriter, event_type: str, token: Token, now: dt.datetime, person_id: str | None
) -> None:
    writer.append(
        [
            {
                "event_id": derived_event_id(now, event_type, token.token_id),
                "event_type": event_type,
                "occurred_at": now,
                "team_id": token.team_id,
                "token_id": token.token_id,
                "content_capture": token.content_capture if event_type == "token_created" else None,
                "reason": token.label or None,
                "person_id": person_id,
                "actor_id": person_id,
            }
        ]
    )
