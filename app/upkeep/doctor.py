"""What is wrong with a workspace, in words, with what to do about it. Looking changes nothing."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator

from sqlalchemy.exc import SQLAlchemyError

from app.errors import AppError
from app.upkeep.findings import Finding
from app.upkeep.look_around import disk_space, models, open_secrets, registry, rejected_input, settings
from app.upkeep.look_inside import control_store, event_log, shared_record, warehouse
from ingest.errors import IngestError
from ingest.workspace import Workspace
from runner.errors import RunnerError

_LOOKS: dict[str, Callable[[Workspace, dt.datetime], Iterator[Finding]]] = {
    "disk": disk_space,
    "files": open_secrets,
    "settings": settings,
    "registry": registry,
    "models": models,
    "control store": control_store,
    "log": event_log,
    "shared record": shared_record,
    "warehouse": warehouse,
    "quarantine": rejected_input,
}


def examine(workspace: Workspace, now: dt.datetime) -> list[Finding]:
    """Look at disk, files, registry, control store, log, warehouse and quarantine of ``workspace``."""
    found: list[Finding] = []
    for subject, look in _LOOKS.items():
        try:
            found += look(workspace, now)
        except (AppError, IngestError, RunnerError, OSError, sqlite3.Error, SQLAlchemyError) as error:
            found.append(Finding(subject=subject, state="broken", words=f"it cannot be read: {error}"))
    return found
