"""The last answer of each month, as the workspace keeps it: ``checks/<month>/checks.json``.

The page Compliance shows it, and the evidence pack is made from it; neither checks anything by itself.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.checks.results import Answer, Result
from app.errors import CheckError
from ingest.workspace import Workspace
from runner.control.months import month_text, parse_month

FILE_NAME = "checks.json"
PACK_NAME = "pack"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One of the four questions about human oversight of an agent: the word, why, and figures by name."""

    title: str
    word: str
    sentence: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """One agent at risk, a word for each family of checks in the order in which they were asked, and the
    proof of human oversight: configured, used, obeyed, alive."""

    agent_id: str
    agent_name: str
    team_id: str | None
    words: tuple[str, ...]
    oversight: tuple[Proof, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stored:
    """An answer, when it was made, what it says of each agent at risk, and the folder of its tables."""

    answer: Answer
    checked_at: dt.datetime
    grid: tuple[GridRow, ...]
    tables: Path | None


def folder_of(workspace: Workspace, month: dt.date) -> Path:
    """Where the workspace keeps what belongs to the check of ``month``."""
    return workspace.root / "checks" / month_text(month)


def pack_folder(workspace: Workspace, month: dt.date) -> Path:
    """Where the evidence pack of ``month`` lies unless another folder is named."""
    return folder_of(workspace, month) / PACK_NAME


def store(
    workspace: Workspace,
    answer: Answer,
    checked_at: dt.datetime,
    grid: Sequence[GridRow] = (),
    tables: Path | None = None,
) -> Path:
    """Keep ``answer`` as the last one of its month; returns the file.

    ``tables`` is the generation that it was decided on; without it no pack can be made from the answer.
    """
    file = folder_of(workspace, answer.month) / FILE_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    told = {
        **answer_json(answer),
        "build_id": answer.build_id,
        "grid": [asdict(row) for row in grid],
        "tables": os.path.relpath(tables, workspace.root) if tables else None,
        "checked_at": checked_at.astimezone(dt.UTC).isoformat(timespec="seconds"),
    }
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(json_bytes(told))
    temporary.replace(file)
    return file


def load(workspace: Workspace, month: dt.date) -> Stored | None:
    """The last answer of ``month``, None before the first. Raises CheckError for a file that is none."""
    file = folder_of(workspace, month) / FILE_NAME
    if not file.exists():
        return None
    try:
        told = json.loads(file.read_bytes())
        results = tuple(
            Result(**{**one, "first_objects": tuple(one["first_objects"])}) for one in told["results"]
        )
        answer = Answer(
            month=parse_month(told["month"]),
            results=results,
            checkpoint_size=told["checkpoint_size"],
            checkpoint_root=told["checkpoint_root"],
            is_verified=told["is_verified"],
            build_id=told["build_id"],
            late_events=told["late_events"],
            is_demo=told["is_demo"],
        )
        grid = tuple(_grid_row(row) for row in told["grid"])
        return Stored(
            answer=answer,
            checked_at=dt.datetime.fromisoformat(told["checked_at"]),
            grid=grid,
            tables=workspace.root / told["tables"] if told["tables"] else None,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckError(
            f"Answer unreadable: {file} is no answer of a check ({type(error).__name__}: {error}). "
            f"Run `fleetbook check --month {month_text(month)}` again."
        ) from error


def _grid_row(told: Mapping[str, Any]) -> GridRow:
    oversight = tuple(
        Proof(**{**one, "figures": tuple((name, figure) for name, figure in one["figures"])})
        for one in told.get("oversight", ())
    )
    return GridRow(**{**told, "words": tuple(told["words"]), "oversight": oversight})


def stored_months(workspace: Workspace) -> list[dt.date]:
    """The months that have an answer, newest first."""
    files = (workspace.root / "checks").glob(f"????-??/{FILE_NAME}")
    return sorted((parse_month(file.parent.name) for file in files), reverse=True)


def answer_json(answer: Answer) -> dict[str, object]:
    """``answer`` as JSON data, without what differs between two builds of the same log."""
    return {
        "month": month_text(answer.month),
        "is_verified": answer.is_verified,
        "checkpoint_size": answer.checkpoint_size,
        "checkpoint_root": answer.checkpoint_root,
        "late_events": answer.late_events,
        "is_demo": answer.is_demo,
        "exit_code": answer.exit_code,
        "results": [asdict(result) for result in answer.results],
    }


def json_bytes(told: Mapping[str, object]) -> bytes:
    """Bytes of a JSON file: sorted keys, two blanks, a line end."""
    return (json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
