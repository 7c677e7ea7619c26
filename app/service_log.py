"""What the long-running parts say while they work: lines for people, or a JSON object per line for machines.

``FLEETBOOK_LOG_FORMAT=json`` asks for the second, ``FLEETBOOK_LOG_LEVEL`` for more or less of both. A JSON
line (on standard error) has ``time``, ``level``, ``logger``, ``message`` and what is known of :data:`FIELDS`.
Texts of runs are never in it: of an error that is not the product's own only its type and the places are
told, because its words may quote what it failed on; what is left passes the masker.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import sys
import traceback
from types import TracebackType

from app.errors import PRODUCT_ERRORS, SettingError

ROOT = "fleetbook"
FORMAT_VARIABLE, LEVEL_VARIABLE = "FLEETBOOK_LOG_FORMAT", "FLEETBOOK_LOG_LEVEL"
LEVELS = ("debug", "info", "warning", "error")
FIELDS = (
    "part",
    "run_id",
    "agent_id",
    "schedule_id",
    "request_id",
    "token_id",
    "build_id",
    "status",
    "method",
    "path",
    "event_count",
    "duration_ms",
    "wait_s",
)
"""Names that a line may carry beside its message, given as ``extra``; others are left out."""

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class JsonLines(logging.Formatter):
    """One JSON object per record, UTF-8, time in UTC (RFC 3339)."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of ``record``, without its line end."""
        import msgspec  # what a command does not print it need not wait for

        from ingest.contract import rfc3339
        from ingest.masker import mask_text

        told: dict[str, object] = {
            "time": rfc3339(dt.datetime.fromtimestamp(record.created, dt.UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask_text(record.getMessage()).text,
        }
        told |= {name: getattr(record, name) for name in FIELDS if getattr(record, name, None) is not None}
        if record.exc_info and record.exc_info[0] is not None:
            told |= _error(record.exc_info)
        return msgspec.json.encode(told).decode()


def _error(info: ErrorInfo) -> dict[str, object]:
    from ingest.masker import mask_text

    kind, error, trace = info
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
    words = {"error": mask_text(str(error)).text} if isinstance(error, PRODUCT_ERRORS) else {}
    return {"error_type": kind.__name__, **words, "error_at": places}


class PlainLines(logging.Formatter):
    """The message alone, as a person reads it on a terminal; an error in its usual words."""


class _Terminal(logging.Handler):
    """Prints on the streams of the moment: errors on standard error, and all of it for machines."""

    def __init__(self, *, is_json: bool) -> None:
        super().__init__()
        self.setFormatter(JsonLines() if is_json else PlainLines())
        self._is_json = is_json

    def emit(self, record: logging.LogRecord) -> None:
        is_error = record.levelno >= logging.ERROR or self._is_json
        print(self.format(record), file=sys.stderr if is_error else sys.stdout, flush=True)


def set_up() -> None:
    """Print what the parts of this process say from now on. Raises SettingError for an unknown setting."""
    is_json = _setting(FORMAT_VARIABLE, ("text", "json"), "text") == "json"
    level = _setting(LEVEL_VARIABLE, LEVELS, "info").upper()
    handler = _Terminal(is_json=is_json)
    ours = logging.getLogger(ROOT)
    ours.handlers[:] = [handler]
    ours.setLevel(level)
    ours.propagate = False
    if is_json:  # libraries that warn do so in the same form, under their own names
        logging.getLogger().handlers[:] = [handler]
        logging.captureWarnings(True)


def failed(error: Exception) -> None:
    """Say why a command ends: as one line of JSON where a long-running part says everything so."""
    if logging.getLogger(ROOT).handlers and is_json():
        logging.getLogger(ROOT).error("%s", error)
    else:
        print(error, file=sys.stderr)


def is_json() -> bool:
    """Whether machines read the lines of this process."""
    return os.environ.get(FORMAT_VARIABLE, "") == "json"


def _setting(name: str, known: tuple[str, ...], default: str) -> str:
    told = os.environ.get(name, "").strip().lower() or default
    if told not in known:
        raise SettingError(f"Not started: {name} is {told!r}. Set it to {' or '.join(known)}, or unset it.")
    return told
