"""Builds the warehouse: one builder, a new generation each time, published whole or not at all."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from app.building.changes import Log
from app.building.make import WORK_FILE
from app.building.run import Job, Marts, NodeDone, Report, Stopped
from app.checks.parameters import own_parameters
from app.errors import BuildFailed
from app.generations import BuildFolder
from app.spans import write_mapped
from app.standing import inputs
from ingest.importers.alias_rows import write_aliases
from ingest.log.lake import reading
from ingest.log.upkeep import keep_in_order
from ingest.reader import Snapshot, snapshot
from ingest.tracing import span
from ingest.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = REPOSITORY / "dbt_project"
AS_OF = "checks"
"""Folder below build/ for tables of the log as it was when a month was over."""
CHECK_SELECTOR = "monthly_check"
"""Selector of the dbt project: the tables that such a build makes."""
MAPPED_SPANS = "mapped-spans.parquet"
ALIASES = "aliases.parquet"


class Step(NamedTuple):
    """One step of a build that is done: its name, its number and how many there are."""

    name: str
    done: int
    total: int

    def __str__(self) -> str:
        return f"{self.name} ({self.done} of {self.total})"


Progress = Callable[[Step], None]


@dataclass(frozen=True, kw_only=True)
class Generation:
    """One published generation: what it was made from and what it holds.

    ``data_until`` is the newest event, None for an empty log; ``row_counts`` is table to rows; ``upkeep``
    says what was done to the log afterwards, empty for nothing. ``is_full`` is False when it goes on from the
    generation before.
    """

    build_id: str
    path: Path
    built_at: dt.datetime
    data_until: dt.datetime | None
    event_count: int
    row_counts: Mapping[str, int]
    seconds: float
    upkeep: str = ""
    is_full: bool = True


@span("build")
def build(
    workspace: Workspace,
    *,
    progress: Progress | None = None,
    project: Path = PROJECT,
    now: dt.datetime | None = None,
    recorded_before: dt.datetime | None = None,
    is_full: bool = False,
) -> Generation:
    """Build all tables from the log and make them the current generation.

    ``project`` is the dbt project, ``now`` the time of the build (the clock when left out). With
    ``recorded_before`` the tables of the monthly check hold what the log held at that moment, and they are
    published in ``build/checks/`` beside the current generation, which stays. Otherwise the build goes on
    from the current generation where it can, and makes anew what is concerned by what came since; with
    ``is_full`` it makes all anew. Both give the same tables. Raises BuildBusy
    while another build runs, BuildFailed when a step fails (the generation before stays), IngestError when
    the log cannot be read, RunnerError when registry.yaml is not valid.
    """
    started = time.monotonic()
    built_at = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    folder = BuildFolder(workspace.build_dir if recorded_before is None else workspace.build_dir / AS_OF)
    with folder.builder() as lock:
        log, has_spans = _read_log(workspace, folder, built_at, recorded_before)
        made_from = inputs(
            workspace, project, log.state, built_at, has_spans=has_spans, recorded_before=recorded_before
        )
        number = folder.next_number()
        job = _job(
            workspace,
            folder,
            log,
            project=project,
            number=number,
            built_at=built_at,
            recorded_before=recorded_before,
            is_full=is_full,
            has_spans=has_spans,
        )
        marts = _run(folder, job, lock, progress or (lambda step: None))
        if (folder.making / "warehouse.duckdb.wal").exists():
            raise _failed(folder, "publishing", "DuckDB left a write-ahead log beside the warehouse")
        seconds = time.monotonic() - started
        facts = _facts(number, built_at, log, marts, job.settings["FLEETBOOK_TIME_ZONE"], seconds)
        facts |= {"inputs": msgspec.to_builtins(made_from), "has_spans": has_spans}
        path = folder.publish(number, facts)
    upkeep = keep_in_order(workspace)
    return Generation(
        build_id=str(number),
        path=path,
        built_at=built_at,
        data_until=_instant(marts.data_until_us),
        event_count=marts.event_count,
        row_counts=marts.row_counts,
        seconds=seconds,
        upkeep=upkeep,
        is_full=not marts.is_partial,
    )


def _read_log(
    workspace: Workspace, folder: BuildFolder, built_at: dt.datetime, recorded_before: dt.datetime | None
) -> tuple[Snapshot, bool]:
    """The log's files under a folder whose name never changes: for another one dbt would parse anew.

    Also says whether it holds spans.
    """
    with reading(workspace.record):  # a compaction waits; afterwards it may remove the files, the links stay
        log = snapshot(workspace, folder.input)
        for file in log.files:
            if file.parent == folder.input:
                continue
            link = folder.input / file.name
            try:
                os.link(file, link)
            except OSError:
                shutil.copyfile(file, link)  # build/ is on another file system
        mapped = write_mapped(
            workspace,
            log.files,
            folder.input / MAPPED_SPANS,
            now=built_at,
            recorded_before=recorded_before,
        )
    write_aliases(workspace, folder.input / ALIASES)
    return log, mapped > 0


def _job(
    workspace: Workspace,
    folder: BuildFolder,
    log: Snapshot,
    *,
    project: Path,
    number: int,
    built_at: dt.datetime,
    recorded_before: dt.datetime | None,
    is_full: bool,
    has_spans: bool,
) -> Job:
    derived = [folder.input / name for name in (MAPPED_SPANS, ALIASES) if (folder.input / name).exists()]
    previous = None if is_full or not folder.pointer.is_symlink() else folder.pointer.resolve()
    return Job(
        project=str(project),
        target=str(folder.target),
        logs=str(folder.logs),
        warehouse=str(folder.making / "warehouse.duckdb"),
        log=Log(
            files=[str(folder.input / file.name) for file in log.files],
            derived=[str(file) for file in derived],
            event_count=log.events,
            only="true" if recorded_before is None else _recorded_by(recorded_before),
        ),
        build_id=number,
        derived_sha256=_digest(derived),
        kept=str(folder.kept / WORK_FILE) if recorded_before is None and not has_spans else "",
        previous=str(previous / "warehouse.duckdb") if previous else "",
        previous_id=int(previous.name) if previous else 0,
        selector="" if recorded_before is None else CHECK_SELECTOR,
        settings={
            "FLEETBOOK_TIME_ZONE": company_time_zone(workspace),
            "FLEETBOOK_CHECK_PARAMETERS": json.dumps(own_parameters(workspace), sort_keys=True),
        },
        variables={
            "build_id": number,
            "built_at": built_at.isoformat(),
            "checkpoint_size": log.checkpoint.size,
            "checkpoint_root": log.checkpoint.root or None,
        },
    )


def _digest(files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


def _recorded_by(moment: dt.datetime) -> str:
    """The condition under which an event was in the log before ``moment``.

    What the demo plays back counts as recorded when it happened; rows without a time are of the builder.
    """
    taken_in = "case when recorded_via = 'demo' then occurred_at else recorded_at end"
    return f"coalesce({taken_in} < timestamptz '{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}+00', true)"


def company_time_zone(workspace: Workspace) -> str:
    """IANA zone of the company, UTC without a registry. Raises RegistryInvalid."""
    from runner.control.registry_file import load_registry

    if not workspace.registry_file.exists():
        return "UTC"
    return load_registry(workspace.registry_file).company.time_zone


def _run(folder: BuildFolder, job: Job, lock: int, progress: Progress) -> Marts:
    """Let a process of its own make the tables, and return what it made. Raises BuildFailed."""
    log_file = folder.logs / "builder.log"
    told = folder.work / "job.json"
    told.write_bytes(msgspec.json.encode(job))
    command = [sys.executable, "-m", "app.building.run", str(told)]
    with log_file.open("w", encoding="utf-8") as errors:
        child = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "DO_NOT_TRACK": "1"},
            stdin=subprocess.PIPE,  # open as long as this process lives: the child ends with it
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=(lock,),
        )
        with child:
            marts = _follow(child, folder, progress)
            child.wait()  # before its standard input is closed, which would end it
    if child.returncode != 0 or marts is None:
        raise _failed(
            folder, "builder", f"its process ended with code {child.returncode}{_last_words(log_file)}"
        )
    return marts


def _follow(child: subprocess.Popen[bytes], folder: BuildFolder, progress: Progress) -> Marts | None:
    """Read the child's reports until it ends. Raises BuildFailed for the first step that failed."""
    marts = None
    for line in child.stdout or ():
        report = msgspec.json.decode(line, type=Report)
        match report:
            case NodeDone():
                progress(Step(report.name, report.done, report.total))
            case Stopped():
                raise _failed(folder, report.node, report.problem)
            case Marts():
                marts = report
    return marts


def _failed(folder: BuildFolder, node: str, problem: str) -> BuildFailed:
    current = folder.pointer.resolve().name if folder.pointer.is_symlink() else None
    kept = f"Generation {int(current)} stays the current one." if current else "There is no generation yet."
    advice = f"Details are in {folder.logs}; correct the cause and run `fleetbook build` again."
    return BuildFailed(node, problem, kept, advice)


def _last_words(log_file: Path) -> str:
    with log_file.open(encoding="utf-8", errors="replace") as lines:
        last = deque((line.strip() for line in lines if line.strip()), maxlen=1)
    return f"; its last words: {last[0]}" if last else ""


def _instant(microseconds: int | None) -> dt.datetime | None:
    if microseconds is None:
        return None
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)


def _facts(
    number: int, built_at: dt.datetime, log: Snapshot, marts: Marts, time_zone: str, seconds: float
) -> dict[str, object]:
    until = _instant(marts.data_until_us)
    return {
        "build_id": number,
        "built_at": built_at.isoformat(),
        "data_until": until.isoformat() if until else None,
        "event_count": marts.event_count,
        "log": {
            "rows": log.events,
            "checkpoint_size": log.checkpoint.size,
            "checkpoint_root": log.checkpoint.root,
        },
        "time_zone": time_zone,
        "row_counts": marts.row_counts,
        "parquet_sha256": marts.digests,
        "is_full": not marts.is_partial,
        "seconds": round(seconds, 3),
    }
