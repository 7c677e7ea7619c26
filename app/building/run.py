"""The process that makes the tables and writes their Parquet copies: ``python -m app.building.run``.

It reports on standard output, one JSON object per line; it ends at once when its standard input closes, which
is how it learns that the builder died.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TypeAlias

import msgspec

from app.building.changes import Basis, Log, TooMuchChanged
from app.building.export import MARTS_FOLDER, Before, export
from app.building.make import WORK_FILE, Failed, Made, make_all
from app.building.plan import MANIFEST, PlanError, Step, chosen, plan

FACTS = "generation.json"
COPIED_AT_ONCE = 1 << 30
RUN_RESULTS = "run_results.json"


class NodeDone(msgspec.Struct, tag="node", frozen=True, kw_only=True):
    """A model was made or a test was run: its name, its number and how many there are."""

    name: str
    done: int
    total: int


class Stopped(msgspec.Struct, tag="stopped", frozen=True, kw_only=True):
    """The build ends here: at which model or test, and why."""

    node: str
    problem: str


class Marts(msgspec.Struct, tag="marts", frozen=True, kw_only=True):
    """What the generation holds: rows per table, SHA256 per Parquet file, events, newest event."""

    row_counts: dict[str, int]
    digests: dict[str, str]
    event_count: int
    data_until_us: int | None
    is_partial: bool


Report: TypeAlias = NodeDone | Stopped | Marts


class _Facts(msgspec.Struct):
    """Of a generation's facts, the digests of its Parquet files."""

    parquet_sha256: dict[str, str]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is to do.

    ``selector`` names the tables to make (of selectors.yml; all when empty); ``settings`` are those of the
    compiled SQL, ``variables`` those it reads while it runs. ``kept`` is the file that this build may go on
    from and leaves for the next one, ``previous`` the warehouse that was made with it.
    """

    project: str
    target: str
    logs: str
    warehouse: str
    log: Log
    selector: str
    settings: dict[str, str]
    variables: dict[str, str | int | None]
    build_id: int
    derived_sha256: str
    kept: str = ""
    previous: str = ""
    previous_id: int = 0


def main() -> int:
    """Make the tables of the job named by the first argument; 0 when everything was made and passed."""
    reports = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever dbt prints goes to the builder's log
    threading.Thread(target=_end_with_builder, daemon=True).start()
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    try:
        _report(reports, _build(job, reports))
    except PlanError as error:
        return _stop(reports, "dbt", str(error))
    except Failed as error:
        return _stop(reports, error.node, error.problem)
    return 0


def _build(job: Job, reports: IO[bytes]) -> Marts:
    """Raises PlanError, Failed, duckdb.Error, OSError."""
    whole, manifest = plan(Path(job.project), Path(job.target), Path(job.logs), job.settings)
    steps = chosen(whole, job.selector)
    warehouse = Path(job.warehouse)
    shutil.copyfile(manifest, warehouse.with_name(MANIFEST))
    is_partial = _take_over(job, warehouse)
    try:
        done = _make(job, whole.key, steps, reports, is_partial=is_partial)
    except TooMuchChanged:
        is_partial = False
        for file in [*warehouse.parent.glob("*.duckdb"), *warehouse.parent.glob("*.wal")]:
            file.unlink()
        done = _make(job, whole.key, steps, reports, is_partial=False)
    (warehouse.parent / RUN_RESULTS).write_bytes(msgspec.json.encode({"results": done}))
    work = warehouse.with_name(WORK_FILE)
    if work.exists():
        work.replace(job.kept)
    days = {step.name: step.day for step in steps if step.day}
    held = export(warehouse, days, _before(Path(job.previous).parent, done) if is_partial else None)
    return Marts(
        row_counts=held.row_counts,
        digests=held.digests,
        event_count=held.event_count,
        data_until_us=held.data_until_us,
        is_partial=is_partial,
    )


def _before(generation: Path, done: Sequence[Made]) -> Before:
    facts = msgspec.json.decode((generation / FACTS).read_bytes(), type=_Facts)
    changed = {_name(made): made.changed_months for made in done if made.changed_months is not None}
    return Before(folder=generation / MARTS_FOLDER, digests=facts.parquet_sha256, changed=changed)


def _name(made: Made) -> str:
    return made.unique_id.split(".")[2]


def _take_over(job: Job, warehouse: Path) -> bool:
    """Put what an earlier build kept, and a copy of what it made, where this one goes on from it.

    A build that fails afterwards leaves nothing to go on from: the next one makes all anew.
    """
    if not job.kept or not job.previous or not Path(job.kept).exists():
        return False
    Path(job.kept).replace(warehouse.with_name(WORK_FILE))
    _copy(Path(job.previous), warehouse)
    return True


def _copy(source: Path, target: Path) -> None:
    """Copy a file; where the file system can, both share their blocks until one of them changes."""
    if not hasattr(os, "copy_file_range"):  # Linux has it, macOS does not
        shutil.copyfile(source, target)
        return
    with source.open("rb") as taken, target.open("wb") as given:
        while os.copy_file_range(taken.fileno(), given.fileno(), COPIED_AT_ONCE):
            pass


def _make(job: Job, key: str, steps: list[Step], reports: IO[bytes], *, is_partial: bool) -> list[Made]:
    basis = Basis(build_id=job.build_id, plan_key=key, derived_sha256=job.derived_sha256)
    done: list[Made] = []
    for made in make_all(
        Path(job.warehouse),
        job.log,
        job.variables,
        steps,
        basis=basis if job.kept else None,
        before=msgspec.structs.replace(basis, build_id=job.previous_id) if is_partial else None,
    ):
        done.append(made)
        _report(reports, NodeDone(name=_name(made), done=len(done), total=len(steps)))
    return done


def _stop(reports: IO[bytes], node: str, problem: str) -> int:
    """Report the problem in one line: without the heading of dbt's messages."""
    lines = [line.strip() for line in problem.splitlines() if line.strip()]
    told = lines[1:] if len(lines) > 1 and lines[0].endswith(")") else lines
    _report(reports, Stopped(node=node, problem=" ".join(told).rstrip(".") or "no message"))
    return 1


def _end_with_builder() -> None:
    os.read(0, 1)
    os._exit(70)  # EX_SOFTWARE: nothing of this build may go on


def _report(reports: IO[bytes], report: Report) -> None:
    reports.write(msgspec.json.encode(report) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
