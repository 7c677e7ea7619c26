"""A check that a person asks for on the page: a process of its own, and what it has said so far."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from app.checks.stored import folder_of, load
from app.errors import CheckError
from ingest.workspace import Workspace
from runner.control.months import month_text, parse_month

_ROOT = Path(__file__).resolve().parents[2]  # where `python -m app.cli` finds the product
_TOLD_NAME = "asked.json"
_SAID_NAME = "asked.txt"
_LOCK_NAME = "asked.lock"
_SAID_BYTES = 2_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The check that was asked for last: of which month, by whom and when, and the end of what it said.

    Once it no longer runs, ``is_answered`` says whether it left an answer of its month.
    """

    month: dt.date
    person_id: str
    asked_at: dt.datetime
    is_running: bool
    is_answered: bool
    said: str


def ask(workspace: Workspace, month: dt.date, person_id: str, now: dt.datetime) -> None:
    """Start ``fleetbook check`` of ``month`` in a process that outlives the page.

    Raises CheckError when one that was asked for still runs, OSError.
    """
    folder = folder_of(workspace, month).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK_NAME).open("a") as lock, (folder / _SAID_NAME).open("a+b") as said:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckError(
                f"Not begun: the check of {_told(folder)['month']} is being made. "
                "Wait until it has answered and ask again."
            ) from None
        said.truncate(0)
        _tell(folder, month, person_id, now)
        words = ("--workspace", str(workspace.root.resolve()), "check", "--month", month_text(month))
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *words],
            cwd=_ROOT,
            env={**os.environ, "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            pass_fds=(lock.fileno(),),  # the lock is free when the process is over, however it ends
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()


def asked(workspace: Workspace) -> Asked | None:
    """The check that was asked for last, None when none ever was. Raises CheckError, OSError."""
    folder = workspace.root / "checks"
    if not (folder / _TOLD_NAME).exists():
        return None
    is_running = _is_held(folder / _LOCK_NAME)
    told = _told(folder)
    month, asked_at = parse_month(told["month"]), dt.datetime.fromisoformat(told["asked_at"])
    stored = None if is_running else load(workspace, month)
    return Asked(
        month=month,
        person_id=told["person_id"],
        asked_at=asked_at,
        is_running=is_running,
        is_answered=stored is not None and stored.checked_at >= asked_at,
        said=_end_of(folder / _SAID_NAME),
    )


def _tell(folder: Path, month: dt.date, person_id: str, now: dt.datetime) -> None:
    told = {
        "month": month_text(month),
        "person_id": person_id,
        # As exact as the moment at which an answer was made, with which it is compared.
        "asked_at": now.astimezone(dt.UTC).isoformat(timespec="seconds"),
    }
    temporary = folder / f"{_TOLD_NAME}.tmp"
    temporary.write_text(json.dumps(told), encoding="utf-8")
    temporary.replace(folder / _TOLD_NAME)


def _told(folder: Path) -> dict[str, str]:
    told: dict[str, str] = json.loads((folder / _TOLD_NAME).read_text(encoding="utf-8"))
    return told


def _is_held(file: Path) -> bool:
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _end_of(file: Path) -> str:
    """The last lines of the output, in whole lines."""
    with file.open("rb") as content:
        size = content.seek(0, os.SEEK_END)
        content.seek(max(0, size - _SAID_BYTES))
        text = content.read().decode(errors="replace")
    return (text.partition("\n")[2] if size > _SAID_BYTES else text).strip()
