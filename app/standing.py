"""What a generation was made from, told in a moment: a refresh with nothing new need not build."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from pathlib import Path

import msgspec

from app import __version__
from app.generations import BuildFolder
from ingest.reader import log_state
from ingest.workspace import Workspace

CHECKED = "checked.json"


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the numbers of a generation depend on; equal inputs give equal tables.

    ``log`` names the events, ``settings`` the workspace's own files (registry.yaml and its like), ``release``
    this program with its dbt project and the builder's environment. ``period`` is the day (UTC), and the hour
    where agents send spans: a run whose source states no end is over once it was silent for some hours. For
    the tables of a moment that is past it is that moment.
    """

    log: str
    settings: str
    release: str
    period: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """When a generation was last found up to date: its number and the moment (UTC)."""

    build_id: int
    checked_at: dt.datetime


def inputs(
    workspace: Workspace,
    project: Path,
    log: str,
    now: dt.datetime,
    *,
    has_spans: bool,
    recorded_before: dt.datetime | None = None,
) -> Inputs:
    """What a build at ``now`` of the events ``log`` (see :func:`ingest.reader.log_state`) is made from.

    ``recorded_before`` as in :func:`app.build.build`.
    """
    utc = now.astimezone(dt.UTC)
    period = utc.strftime("%Y-%m-%dT%H" if has_spans else "%Y-%m-%d")
    if recorded_before is not None:
        period = f"before {recorded_before.astimezone(dt.UTC).isoformat()}"
    return Inputs(
        log=log,
        settings=_digest(sorted(workspace.root.glob("*.yaml"))),
        release=f"{__version__} {_digest(sources(project))} {_environment()}",
        period=period,
    )


def up_to_date(workspace: Workspace, project: Path, now: dt.datetime) -> Checked | None:
    """The current generation, when a build now would give the same tables; else None.

    Notes the moment beside the generations, for :func:`checked_at`. Raises SegmentError for a damaged
    manifest and OSError when the log cannot be read.
    """
    folder = BuildFolder(workspace.build_dir)
    made = _made_from(folder)
    if made is None:
        return None
    number, before, has_spans = made
    if before != inputs(workspace, project, log_state(workspace), now, has_spans=has_spans):
        return None
    checked = Checked(build_id=number, checked_at=now.astimezone(dt.UTC))
    _note(folder.root / CHECKED, msgspec.json.encode(checked))
    return checked


def same_tables(workspace: Workspace, root: Path, project: Path, recorded_before: dt.datetime) -> Path | None:
    """The newest generation in ``root``, when it holds what the log held before that moment; else None."""
    folder = BuildFolder(root)
    made = _made_from(folder)
    if made is None:
        return None
    _, before, has_spans = made
    wanted = inputs(
        workspace,
        project,
        log_state(workspace),
        recorded_before,
        has_spans=has_spans,
        recorded_before=recorded_before,
    )
    return folder.pointer.resolve() if before == wanted else None


def checked_at(workspace: Workspace, build_id: str) -> dt.datetime | None:
    """When generation ``build_id`` was last found up to date; None when it never was looked at again."""
    try:
        content = (workspace.build_dir / CHECKED).read_bytes()
        checked = msgspec.json.decode(content, type=Checked)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return checked.checked_at if str(checked.build_id) == build_id else None


def _made_from(folder: BuildFolder) -> tuple[int, Inputs, bool] | None:
    """Number, inputs and spans of the current generation; None without one, or of a release before."""
    try:
        facts = json.loads((folder.pointer / "generation.json").read_text(encoding="utf-8"))
        before = msgspec.convert(facts["inputs"], Inputs)
        return int(facts["build_id"]), before, bool(facts["has_spans"])
    except (FileNotFoundError, NotADirectoryError, KeyError, ValueError, msgspec.ValidationError):
        return None


def sources(project: Path) -> list[Path]:
    """The dbt project's own files, without what dbt writes."""
    return sorted(
        path
        for path in project.rglob("*")
        if path.suffix in (".sql", ".yml", ".md")
        and not {"target", "logs"} & set(path.relative_to(project).parts)
    )


def _digest(files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _environment() -> str:
    """Settings of the builder's environment that change what it makes."""
    names = sorted(name for name in os.environ if name.startswith("FLEETBOOK_CHECK_"))
    return " ".join(f"{name}={os.environ[name]}" for name in names)


def _note(file: Path, content: bytes) -> None:
    """Write ``file`` whole or not at all; readers may look at any moment."""
    draft = file.with_suffix(".tmp")
    draft.write_bytes(content)
    draft.replace(file)
