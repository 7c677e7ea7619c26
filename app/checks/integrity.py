"""The checks that hashes decide: what the verification of the log found, as counts per check.

The log is looked at as it is and counted as it was: what was recorded after the month is not in its answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.contract import parse_rfc3339, rfc3339
from ingest.errors import NotaryError
from ingest.holds import active_holds
from ingest.log.checkpoint import checkpoint_files, known_verifier
from ingest.log.findings import Finding, VerifyReport
from ingest.log.manifest import Entry, Prune, Segment, Stretch, written_at
from ingest.log.note import Checkpoint
from ingest.log.status import status
from ingest.log.taken_in import Taken
from ingest.log.verify import verify
from ingest.log.view import look
from ingest.workspace import Workspace

NAMED = 20
"""How many objects of a check are named; all are counted."""

FRESH = dt.timedelta(days=1)
"""How long what is recorded may wait for a checkpoint."""

_CODES: Mapping[str, tuple[str, ...]] = {
    "INT-01": ("chain_broken", "body_unreadable", "wal_damaged"),
    "INT-02": ("seq_gap", "seq_duplicate", "link_broken", "tail_missing", "not_arrived"),
    "INT-03": (
        "file_missing", "file_changed", "file_unreadable", "file_unknown", "count_differs", "head_differs",
        "row_unlisted", "record_contradicts",
    ),
    "INT-04": (
        "manifest_damaged", "manifest_truncated", "manifest_rewritten", "checkpoint_missing",
        "checkpoint_invalid", "timestamp_invalid",
    ),
    "INT-08": ("columns_differ",),
    "REC-07": ("payload_missing", "payload_changed", "erasure_unfinished", "payload_unreadable"),
    "RET-01": ("pruned_too_early",),
}  # fmt: skip
"""Which words of :data:`ingest.log.findings.FINDINGS` decide which check."""

CHECKS = (*_CODES, "INT-05", "RET-02")


@dataclass(frozen=True, kw_only=True)
class Count:
    """What a check looked at: objects, how many break it, the first of them by name, and what was seen."""

    population: int
    violations: int
    first_objects: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class LogFacts:
    """The verified log: counts per check, the signed checkpoint that covers the month (the newest one where
    none does), and what to know beside them."""

    counts: Mapping[str, Count]
    checkpoint_size: int | None
    checkpoint_root: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class InspectedLog:
    """The log after its verification at level 2, to be counted as of ``month_end`` (UTC).

    ``entries`` are the manifest's lines, ``dead_writers`` those whose process is gone, ``checkpoints`` those
    that the notary's key opens, smallest first.
    """

    month_end: dt.datetime
    report: VerifyReport
    taken: Taken
    entries: Sequence[Entry]
    dead_writers: Mapping[str, int]
    checkpoints: Sequence[Checkpoint]

    def facts(self, max_retention_days: float, *, is_demo: bool = False) -> LogFacts:
        """What each of :data:`CHECKS` looked at and what breaks it.

        What a demo plays back was recorded when it was played, long after the month: of a demo, all counts.
        """
        known = self if is_demo else self._until_month_end()
        newest, covering = _newest(self.checkpoints), _newest(known.checkpoints)
        files = sum(isinstance(entry, Segment) for entry in known.entries) + self.taken.open_files
        populations = {
            "INT-02": self.taken.writers,
            "INT-03": files,
            "INT-04": len(known.checkpoints),
            "REC-07": self.taken.texts,
            "RET-01": files,
        }
        counts = {
            check: _count(known.report, codes, populations.get(check, self.taken.events))
            for check, codes in _CODES.items()
        }
        if newest is not None:
            counts["INT-04"] = _with_stale(counts["INT-04"], self.entries[newest.size :], self.month_end)
        counts["INT-05"] = _open_writers(known.dead_writers, self.taken.writers)
        counts["RET-02"] = _kept_too_long(known.entries, self.month_end, max_retention_days)
        return LogFacts(
            counts=counts,
            checkpoint_size=covering.size if covering else None,
            checkpoint_root=covering.root.hex() if covering else None,
            notes=(*self.report.notes, *_later(self.report, known.report)),
        )

    def _until_month_end(self) -> InspectedLog:
        """Without what the log took in, and what was found about that, since the month was over."""
        end = rfc3339(self.month_end)
        entries = [entry for entry in self.entries if _begun_at(entry) < end]
        findings = tuple(one for one in self.report.findings if one.recorded_at < end)
        line_count = max((n for n, one in enumerate(self.entries, 1) if written_at(one) < end), default=0)
        covering = next((one.size for one in self.checkpoints if one.size >= line_count), None)
        return replace(
            self,
            report=replace(self.report, findings=findings),
            entries=entries,
            dead_writers={
                name: count for name, count in self.dead_writers.items() if name in self.taken.silent_writers
            },
            checkpoints=[one for one in self.checkpoints if covering is None or one.size <= covering],
        )


def inspect_log(workspace: Workspace, month_end: dt.datetime) -> InspectedLog:
    """Verify the log at level 2, with what it had taken in until ``month_end`` (UTC).

    Raises OSError, NotaryError, SegmentError, VerificationError when something could not be checked.
    """
    state = status(workspace)
    report = verify(workspace, 2, before=month_end)
    with look(workspace) as view:
        entries = list(view.entries)
    assert report.taken is not None  # it was asked for
    return InspectedLog(
        month_end=month_end,
        report=report,
        taken=report.taken,
        entries=entries,
        dead_writers={one.writer_id: one.event_count for one in state.open_writers if not one.is_alive},
        checkpoints=_checkpoints(workspace),
    )


def _begun_at(entry: Entry) -> str:
    """When what the line is about began: a file with its first event, which is open until it is sealed."""
    return entry.min_recorded_at if isinstance(entry, Segment) else written_at(entry)


def _newest(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    return checkpoints[-1] if checkpoints else None


def _later(report: VerifyReport, known: VerifyReport) -> Sequence[str]:
    """What was found about what was recorded since the month was over: for that month's check."""
    others = [one for one in report.findings if one not in known.findings]
    if not others:
        return ()
    return (
        f"{len(others)} findings are about what was recorded after the month, the first {others[0].object}: "
        f"{others[0].detail}. They do not count here. Run `fleetbook verify`.",
    )


def _count(report: VerifyReport, codes: Sequence[str], population: int) -> Count:
    found = [finding for finding in report.findings if finding.code in codes]
    return Count(
        population=population,
        violations=len(found),
        first_objects=tuple(finding.object for finding in found[:NAMED]),
        detail=_words(found) or _unchecked(report, codes),
    )


def _words(found: Sequence[Finding]) -> str:
    if not found:
        return ""
    others = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].object}: {found[0].detail}{others}"


def _unchecked(report: VerifyReport, codes: Sequence[str]) -> str:
    if "payload_missing" in codes and report.unchecked:
        return f"{report.unchecked} texts could not be hashed again: their key is not at hand"
    return ""


def _with_stale(count: Count, unsigned: Sequence[Entry], month_end: dt.datetime) -> Count:
    """Files that were recorded a day before the month was over must be under a checkpoint.

    What is newer may wait for the notary's next round.
    """
    latest = rfc3339(month_end - FRESH)
    stale = [one.file for one in unsigned if isinstance(one, Segment) and one.max_recorded_at < latest]
    if count.violations or not stale:
        return count
    return Count(
        population=count.population,
        violations=len(stale),
        first_objects=tuple(f"file {file}" for file in stale[:NAMED]),
        detail=f"no checkpoint covers {len(stale)} files that were recorded in the month",
    )


def _checkpoints(workspace: Workspace) -> list[Checkpoint]:
    """The checkpoints that the notary's key opens; the verification names those it does not."""
    verifier = known_verifier(workspace)
    opened = []
    for file in checkpoint_files(workspace):
        if verifier is None:
            return []
        try:
            opened.append(Checkpoint.parse(verifier.open(file.read_text(encoding="utf-8"))))
        except (NotaryError, UnicodeDecodeError):
            continue
    return sorted(opened, key=lambda one: one.size)


def _open_writers(dead: Mapping[str, int], writers: int) -> Count:
    named = tuple(f"writer {writer_id}" for writer_id in sorted(dead)[:NAMED])
    detail = f"{named[0]} ended without closing its chain: {dead[min(dead)]} events" if dead else ""
    return Count(population=writers, violations=len(dead), first_objects=named, detail=detail)


def _kept_too_long(entries: Sequence[Entry], month_end: dt.datetime, days: float) -> Count:
    """Sealed files as of ``entries``; a file that was pruned is none any more."""
    cutoff = month_end - dt.timedelta(days=days)
    pruned = [one for entry in entries if isinstance(entry, Prune) for one in entry.stretches]
    files = [one for one in entries if isinstance(one, Segment) and not _is_pruned(one, pruned)]
    old = [one for one in files if parse_rfc3339(one.max_recorded_at) < cutoff]
    if active_holds(entries):
        return Count(population=len(files), violations=0, detail=f"a legal hold keeps {len(old)} old files")
    return Count(
        population=len(files),
        violations=len(old),
        first_objects=tuple(f"file {one.file}" for one in old[:NAMED]),
        detail=f"{len(old)} files are older than {days:.0f} days" if old else "",
    )


def _is_pruned(file: Segment, pruned: Sequence[Stretch]) -> bool:
    return any(
        one.writer_id == file.writer_id and one.first_seq <= file.first_seq and file.last_seq <= one.last_seq
        for one in pruned
    )
