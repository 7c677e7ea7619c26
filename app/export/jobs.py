"""Exports made in the background: what is being made, how far it is, and what became of it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from app.errors import PRODUCT_ERRORS
from app.export.package import Export

Making = Callable[[Callable[[int], None]], tuple[Export, str]]
"""Makes an export and returns it with its event; the callable it gets hears the rows written so far."""

State = Literal["waiting", "running", "done", "failed"]
BIG_ROWS = 200_000
"""From so many rows on an export is made in the background: Parquet takes about a second per 500,000."""
_KEPT = 20


@dataclass(kw_only=True)
class Job:
    """One export in the making: rows written of all; then the export with its event, or why there is none."""

    job_id: str
    person_id: str
    name: str
    of_rows: int
    rows_done: int = 0
    state: State = "waiting"
    problem: str = ""
    made: tuple[Export, str] | None = None


@dataclass
class Jobs:
    """The background exports of one process. They end with it: a file that is not whole is never shown."""

    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "export"))
    _jobs: list[Job] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def start(self, person_id: str, name: str, of_rows: int, make: Making) -> Job:
        """Queue an export of ``of_rows`` rows called ``name``; exports are made one after the other."""
        job = Job(job_id=uuid.uuid4().hex[:8], person_id=person_id, name=name, of_rows=of_rows)
        with self._turn:
            self._jobs = [job, *self._jobs[: _KEPT - 1]]
        self._threads.submit(_run, job, make).add_done_callback(lambda future: _ended(job, future))
        return job

    def of(self, person_id: str) -> list[Job]:
        """The person's exports since the pages started, newest first."""
        with self._turn:
            return [job for job in self._jobs if job.person_id == person_id]


def _run(job: Job, make: Making) -> None:
    def told(rows: int) -> None:
        job.rows_done = rows

    job.state = "running"
    try:
        job.made = make(told)
        job.state = "done"
    except PRODUCT_ERRORS as error:
        job.problem, job.state = str(error), "failed"


def _ended(job: Job, future: Future[None]) -> None:
    """A defect ends the job too; its traceback goes to the terminal, as that of a page does."""
    defect = future.exception()
    if defect is not None:
        job.problem = f"Export not made: {type(defect).__name__}. The reason is in the terminal of the pages."
        job.state = "failed"
        raise defect
