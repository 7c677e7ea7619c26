"""What the receiver tells of its requests: refusals, and each request where the level is debug."""

from __future__ import annotations

import logging
import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

_log = logging.getLogger("fleetbook.receiver")
_HEADER = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOO_MUCH = 429
"""Who sends too much is told so many times a second: no warning, or one sender could fill the disk."""


def tell(request: Request, response: Response, seconds: float) -> None:
    """Tell how ``request`` was answered; who was refused gets the id under which it was told.

    The id is the sender's own, where it gave one. Nothing of the body is told, and no header.
    """
    status = response.status_code
    level = logging.DEBUG if status in (200, _TOO_MUCH) else logging.WARNING
    if not _log.isEnabledFor(level):
        return
    given = request.headers.get(_HEADER, "")
    request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
    response.headers[_HEADER] = request_id
    _log.log(
        logging.ERROR if status >= 500 else level,
        "%s answered with %d (request %s)",
        request.url.path,
        status,
        request_id,
        extra={
            "request_id": request_id,
            "path": request.url.path,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
        },
    )
