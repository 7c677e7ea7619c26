"""Scan coverage: how many runs a file was said to hold, how many it held, and what is suspicious."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ingest.contract import Value, derived_event_id
from ingest.importers.formats import ImportedRun
from ingest.importers.times import EPOCH
from ingest.log.disk import file_sha256

LOOKED_AT = ("event_type", "is_time_stated", "machine_ns", "reported_cost_nano_usd", "output_tokens")
LEAST_RUNS = 5  # fewer runs may share a start or a duration by chance


@dataclass(kw_only=True)
class Coverage:
    """What was found in one file on disk."""

    path: Path
    format_name: str
    expected: int | None = None
    rejected: int = 0
    run_ids: set[str] = field(default_factory=set)
    _starts: set[Value] = field(default_factory=set)
    _durations: set[Value] = field(default_factory=set)
    _is_free_with_tokens: bool = False

    @property
    def found(self) -> int:
        """Distinct runs in the file, those that were rejected not among them."""
        return len(self.run_ids)

    def declare(self, run_count: int) -> None:
        """A header in the file says that it holds ``run_count`` runs."""
        self.expected = (self.expected or 0) + run_count

    def see(self, run: ImportedRun) -> None:
        """Count one run and look at its times and its cost."""
        self.run_ids.add(run.run_id)
        said: dict[str, set[Value]] = defaultdict(set)
        for draft in run.drafts:
            for name in LOOKED_AT:
                said[name].add(draft.event.get(name))
        if False not in said["is_time_stated"] and "run_requested" in said["event_type"]:
            self._starts.add(run.drafts[0].occurred_at)
        self._durations |= said["machine_ns"] - {None} or {run.run_id}
        costs, tokens = said["reported_cost_nano_usd"] - {None}, said["output_tokens"] - {None, 0}
        self._is_free_with_tokens |= costs == {0} and bool(tokens)

    def add(self, other: Coverage) -> None:
        """Take in what another document of the same file held."""
        if other.expected is not None:
            self.declare(other.expected)
        self.rejected += other.rejected
        self.run_ids |= other.run_ids
        self._starts |= other._starts
        self._durations |= other._durations
        self._is_free_with_tokens |= other._is_free_with_tokens

    def warnings(self) -> tuple[str, ...]:
        """Codes of what a reader should know before trusting a figure; docs/importing.md explains each."""
        codes = []
        if self.expected is not None and self.found + self.rejected < self.expected:
            codes.append("fewer_runs_than_stated")
        if self.found >= LEAST_RUNS and len(self._starts) == 1:
            codes.append("same_start_in_all_runs")
        if self.found >= LEAST_RUNS and len(self._durations) == 1:
            codes.append("same_duration_in_all_runs")
        if self._is_free_with_tokens:
            codes.append("zero_cost_with_tokens")
        return tuple(codes)

    def event(self, now: dt.datetime) -> dict[str, Value]:
        """The ``source_scanned`` event; the same content of the file always gives the same id."""
        digest = file_sha256(self.path)
        counts = (self.expected, self.found, self.rejected)
        return {
            "event_id": derived_event_id(EPOCH, "source_scanned", self.format_name, digest, str(counts)),
            "event_type": "source_scanned",
            "occurred_at": now,
            "recorded_via": f"import:{self.format_name}",
            "source_file": self.path.name,
            "content_sha256": digest,
            "expected_run_count": self.expected,
            "found_run_count": self.found,
            "rejected_run_count": self.rejected,
            "warnings": ";".join(self.warnings()) or None,
        }
