"""Asking in SQL: who may, what is logged, the limits, and what came back."""

from __future__ import annotations

import io
import json
import signal
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import polars as pl

from app.errors import QueryRefused, QueryStopped, WorkbenchError
from app.warehouse import Scoped
from app.workbench import processes
from app.workbench.extracts import Extracts

MAX_SQL_CHARACTERS = 20_000

Outcome = Literal["answered", "refused", "failed", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one query may take: seconds, bytes of memory, rows and bytes of its answer; how many at once."""

    seconds: int = 15
    memory_bytes: int = 2 << 30  # of addresses; the engine gets a quarter
    rows: int = 10_000
    answer_bytes: int = 32 << 20
    at_once: int = 2
    queue_seconds: float = 15.0


class Answer(NamedTuple):
    """Rows of a query. ``is_complete`` is false where there are more than the limit."""

    query_id: str
    rows: pl.DataFrame
    is_complete: bool
    seconds: float


class Recorder(Protocol):
    """Who lets a person ask and writes it into the log; ``app.live.querying.Queries`` does."""

    def asked(self, person_id: str, query_id: str, sql: str) -> None:
        """Write ``query_asked`` durably. Raises AccessRefused when the person may not ask."""

    def ended(self, person_id: str, query_id: str, outcome: Outcome, rows: int | None, ms: int) -> None:
        """Write ``query_ended``."""


@dataclass
class Workbench:
    """Answers queries of many people, each on an extract of their own. Thread-safe."""

    extracts: Extracts
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._places = threading.BoundedSemaphore(self.limits.at_once)

    def ask(self, scoped: Scoped, recorder: Recorder, sql: str, *, is_demo: bool) -> Answer:
        """The rows of ``sql`` over what ``scoped`` lets through of one population.

        Raises AccessRefused (may not ask), QueryRefused (no single question, or not valid SQL), QueryStopped
        (a limit), WorkbenchError (could not be answered).
        """
        person_id, query_id = scoped.scope.person_id, str(uuid.uuid4())
        if len(sql) > MAX_SQL_CHARACTERS:
            raise QueryRefused(
                f"Query refused: it has {len(sql):,} characters, and at most {MAX_SQL_CHARACTERS:,} are "
                "read. Shorten it."
            )
        recorder.asked(person_id, query_id, sql)
        outcome: Outcome = "failed"
        rows: int | None = None
        started = time.monotonic()
        try:
            answer = self._answer(scoped, sql, is_demo, query_id, started)
            outcome, rows = "answered", answer.rows.height
            return answer
        except QueryRefused:
            outcome = "refused"
            raise
        except QueryStopped:
            outcome = "stopped"
            raise
        finally:
            recorder.ended(person_id, query_id, outcome, rows, round((time.monotonic() - started) * 1000))

    def _answer(self, scoped: Scoped, sql: str, is_demo: bool, query_id: str, started: float) -> Answer:
        if not self._places.acquire(timeout=self.limits.queue_seconds):
            raise QueryStopped(
                f"Query not started: {self.limits.at_once} others were running for "
                f"{self.limits.queue_seconds:.0f} s. Ask again in a moment."
            )
        try:
            with self.extracts.of(scoped, is_demo=is_demo) as extract:
                ended = processes.run(
                    "child",
                    self._request(extract, sql),
                    seconds=self.limits.seconds,
                    descriptors=(extract,),
                    tells_errors=False,
                )
        finally:
            self._places.release()
        rows, is_complete = self._understood(ended)
        return Answer(query_id, rows, is_complete, time.monotonic() - started)

    def _request(self, extract: int, sql: str) -> bytes:
        return json.dumps(
            {
                "extract": extract,
                "sql": sql,
                "memory_bytes": self.limits.memory_bytes,
                "cpu_seconds": self.limits.seconds,
                "row_limit": self.limits.rows,
                "byte_limit": self.limits.answer_bytes,
            }
        ).encode()

    def _understood(self, ended: processes.Ended) -> tuple[pl.DataFrame, bool]:
        if ended.is_out_of_time or ended.code == -signal.SIGXCPU:
            raise QueryStopped(
                f"Query stopped: it was not done after {self.limits.seconds} s. "
                "Ask for fewer days, or aggregate before you join."
            )
        head, _, stream = ended.output.partition(b"\n")
        if ended.code != 0 or not head:
            raise self._too_large("memory")
        told = json.loads(head)
        if told["outcome"] == "stopped":
            raise self._too_large(told["message"])
        if told["outcome"] == "refused":
            raise QueryRefused(
                f"Query refused: {told['message']}. Nothing was run; ask one question at a time."
            )
        if told["outcome"] == "failed":
            raise QueryRefused(
                f"Query not answered. Correct it; the page describes the tables.\n{told['message']}"
            )
        return pl.read_ipc_stream(io.BytesIO(stream)), bool(told["is_complete"])

    def _too_large(self, which: str) -> QueryStopped:
        if which == "bytes":
            return QueryStopped(
                f"Query stopped: its answer is larger than {self.limits.answer_bytes >> 20} MiB. "
                "Select fewer columns or rows."
            )
        return QueryStopped(
            f"Query stopped: it needs more than the {self.limits.memory_bytes >> 30} GiB of memory that a "
            "query may take. Ask for fewer days, or aggregate before you join."
        )


__all__ = ["Answer", "Limits", "Outcome", "Recorder", "Workbench", "WorkbenchError"]
