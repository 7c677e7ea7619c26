"""The checks that hashes decide: what the verification of the log found, as counts per check."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.contract import parse_rfc3339, rfc3339
from ingest.errors import NotaryError
from ingest.holds import active_holds
from ingest.log.checkpoint import checkpoint_files, known_verifier
from ingest.log.findings import Finding, VerifyReport
from ingest.log.lake import SealedFile
from ingest.log.manifest import Entry, Segment
from ingest.log.note import Checkpoint
from ingest.log.status import LogStatus, status
from ingest.log.verify import verify
from ingest.log.view import look
from ingest.workspace import Workspace

NAMED = 20
"""How many objects of a check are named; all are counted."""

FRESH = dt.timedelta(days=1)
"""How long what is recorded may wait for a checkpoint."""

_CODES: Mapping[str, tuple[str, ...]] = {
    "INT-01": ("chain_broken", "body_unreadable", "wal_damaged"),
    "INT-02": ("seq_gap", "seq_duplicate", "link_broken", "tail_missing"),
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
    """The verified log: counts per check, the newest signed checkpoint, and what to know beside them."""

    counts: Mapping[str, Count]
    checkpoint_size: int | None
    checkpoint_root: str | None
    notes: tuple[str, ...]


def inspect_log(workspace: Workspace, month_end: dt.datetime, max_retention_days: float) -> LogFacts:
    """Verify the log at level 2 and count what each of :data:`CHECKS` looked at.

    Freshness and retention are judged as of ``month_end`` (UTC), so that the answer for a month stays the
    same. Raises OSError, NotaryError, SegmentError when something could not be checked.
    """
    state = status(workspace)
    report = verify(workspace, 2)
    with look(workspace) as view:
        files, pruned = view.sealed.files, len(view.sealed.pruned)
        segments, entries = len(view.segments), list(view.entries)
    newest = _newest_checkpoint(workspace)
    counts = {
        check: _count(report, codes, _population(check, report, segments, pruned))
        for check, codes in _CODES.items()
    }
    if newest is not None:
        counts["INT-04"] = _with_stale(counts["INT-04"], entries[newest.size :], month_end)
    counts["INT-05"] = _open_writers(state, report.writers)
    is_held = bool(active_holds(entries))
    counts["RET-02"] = _kept_too_long(files, month_end, max_retention_days, is_held=is_held)
    return LogFacts(
        counts=counts,
        checkpoint_size=newest.size if newest else None,
        checkpoint_root=newest.root.hex() if newest else None,
        notes=report.notes,
    )


def _population(check: str, report: VerifyReport, segments: int, pruned: int) -> int:
    return {
        "INT-02": report.writers,
        "INT-03": report.segments,
        "INT-04": report.checkpoints,
        "REC-07": report.payloads,
        "RET-01": segments + pruned,
    }.get(check, report.events)


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


def _newest_checkpoint(workspace: Workspace) -> Checkpoint | None:
    """The newest checkpoint that the notary's key opens; the verification names those it does not."""
    verifier = known_verifier(workspace)
    if verifier is None:
        return None
    for file in reversed(checkpoint_files(workspace)):
        try:
            return Checkpoint.parse(verifier.open(file.read_text(encoding="utf-8")))
        except (NotaryError, UnicodeDecodeError):
            continue
    return None


def _open_writers(state: LogStatus, writers: int) -> Count:
    dead = [writer for writer in state.open_writers if not writer.is_alive]
    named = tuple(f"writer {writer.writer_id}" for writer in dead[:NAMED])
    detail = f"{named[0]} ended without closing its chain: {dead[0].event_count} events" if dead else ""
    return Count(population=writers, violations=len(dead), first_objects=named, detail=detail)


def _kept_too_long(
    files: Sequence[SealedFile], month_end: dt.datetime, days: float, *, is_held: bool
) -> Count:
    cutoff = month_end - dt.timedelta(days=days)
    old = [file for file in files if parse_rfc3339(file.max_recorded_at) < cutoff]
    if is_held:
        return Count(population=len(files), violations=0, detail=f"a legal hold keeps {len(old)} old files")
    return Count(
        population=len(files),
        violations=len(old),
        first_objects=tuple(f"file {file.file}" for file in old[:NAMED]),
        detail=f"{len(old)} files are older than {days:.0f} days" if old else "",
    )
