"""Links to finished files that are too large for the page itself: signed, for minutes, for one file."""

from __future__ import annotations

import secrets
from functools import lru_cache
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

PATH = "/exports/{token}"
LIVES_S = 600
"""Seconds a link lives: whoever has it can take the file, so it is short."""


@lru_cache(maxsize=1)
def _signer() -> URLSafeTimedSerializer:
    """One key per process: links end with it."""
    return URLSafeTimedSerializer(secrets.token_hex(32), salt="fleetbook export")


def link(path: Path) -> str:
    """The address, on these pages, of the finished file at ``path``."""
    return PATH.format(token=_signer().dumps(str(path.resolve())))


def file_of(token: str) -> Path | None:
    """The file a token was made for; None when it was not made here, is too old, or the file is gone."""
    try:
        path = Path(str(_signer().loads(token, max_age=LIVES_S)))
    except BadSignature:
        return None
    return path if path.is_file() else None
