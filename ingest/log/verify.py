"""Verification: everything the log claims is computed again; every row, file and writer is named."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from ingest.contract import rfc3339
from ingest.errors import NotaryError, SegmentError
from ingest.log.clock import TOLERANCE_S, utc_now
from ingest.log.findings import LEVELS, Finding, VerifyReport
from ingest.log.lake import last_pruned, pruned_too_early
from ingest.log.manifest import Entry, Head, decode_entry
from ingest.log.notary_check import check_checkpoints, read_checkpoints
from ingest.log.payload_check import PayloadCheck, check_payloads
from ingest.log.rows import NAMED_PER_KIND, ChainCheck, LogEvent
from ingest.log.sealed_pool import check_files
from ingest.log.segments import ROW_GROUP_ROWS, event_table
from ingest.log.taken_in import Taken, TakenIn
from ingest.log.view import OpenFile, View, look, open_readers
from ingest.log.wal import ChainReader, complete_lines, first_head
from ingest.payload_struck import texts_kept
from ingest.shared.arrivals import arrivals, arrived, not_arrived, on_their_way
from ingest.shared.machines import open_writers, statements
from ingest.workspace import Workspace

__all__ = ["Finding", "VerifyReport", "verify"]


def verify(
    workspace: Workspace,
    level: int = 2,
    *,
    against: Sequence[Path] = (),
    vkey: str | None = None,
    before: dt.datetime | None = None,
    processes: int | None = None,
) -> VerifyReport:
    """Verify the whole log at ``level`` (see :data:`ingest.log.findings.LEVELS`).

    ``against`` are checkpoints kept outside, needed for level 3; ``vkey`` is the notary's public key as the
    auditor knows it, otherwise the one in the workspace is used. ``before`` asks what was taken in until then
    (UTC), ``processes`` is how many check sealed files, None one per core where it is worth it. The report
    says what was found; OSError, NotaryError and VerificationError that something could not be checked.
    """
    _insist_on_level(level, against)
    findings: list[Finding] = []
    signed = read_checkpoints(workspace, against, vkey)
    with texts_kept(workspace), look(workspace, lambda lines: _readable_entries(lines, findings)) as view:
        heads = [*(entry for entry in view.entries if isinstance(entry, Head)), *signed.heads]
        checks = check_files(
            workspace.lake_dir,
            view.sealed.files,
            _noted_heads(heads),
            is_hashed=level >= 2,
            before=before,
            processes=processes,
        )
        open_checks = _check_open_files(view, heads, findings, before)
        checks += open_checks
        findings += [finding for check in checks for finding in check.findings]
        log_events = [event for check in checks for event in check.log_events]
        stated = statements(workspace)
        standing = arrivals(stated, arrived(view.segments), utc_now())
        findings += _check_records(view, heads, checks, log_events, elsewhere=open_writers(stated))
        findings += not_arrived(standing)
        check_checkpoints(workspace, view.lines, signed)
        findings += signed.findings
        notes = [*signed.notes, *_log_notes(view, log_events, utc_now()), *on_their_way(standing)]
        texts = PayloadCheck()
        if level >= 2:
            named = [table for check in checks for table in check.payloads]
            texts = check_payloads(workspace, named, log_events)
        findings += texts.findings
        notes += texts.notes
        return VerifyReport(
            level=level,
            ok=not findings,
            events=sum(check.count for check in checks),
            writers=len({check.writer_id for check in checks}),
            segments=len(view.sealed.current),
            payloads=texts.count,
            checkpoints=signed.count,
            findings=tuple(findings),
            notes=tuple(notes),
            unchecked=texts.locked_count,
            taken=_taken(checks, open_checks) if before is not None else None,
        )


def _taken(checks: Sequence[ChainCheck], open_checks: Sequence[ChainCheck]) -> Taken:
    counts = [check.taken_in for check in checks if check.taken_in is not None]
    begun = [check for check in open_checks if check.taken_in is not None and check.taken_in.events]
    heard = {
        check.writer_id
        for check in open_checks
        if check.taken_in is not None and check.taken_in.events < check.count
    }
    return Taken(
        events=sum(count.events for count in counts),
        texts=sum(count.texts for count in counts),
        writers=len({writer for count in counts for writer in count.writers}),
        open_files=len(begun),
        silent_writers=frozenset(check.writer_id for check in begun) - heard,
    )


def _insist_on_level(level: int, against: Sequence[Path]) -> None:
    if level not in LEVELS:
        raise NotaryError(f"Not verified: there is no level {level}. Choose 1, 2 or 3.")
    if level == 3 and not against:
        raise NotaryError(
            "Not verified: level 3 compares with checkpoints kept outside, and none was named. "
            "Add --against FILE with a checkpoint from where your notary sends them."
        )


def _check_records(
    view: View,
    heads: Sequence[Head],
    checks: Sequence[ChainCheck],
    log_events: Sequence[LogEvent],
    *,
    elsewhere: Set[str],
) -> Iterator[Finding]:
    """What the manifest, the events about the log and the files on the disk say of each other."""
    yield from _check_manifest_chains(view)
    for file, detail in view.sealed.problems:
        yield Finding(code="record_contradicts", object=f"file {file}", detail=detail)
    yield from _check_writer_ends(view, heads, checks, log_events, elsewhere=elsewhere)
    yield from _check_unknown_files(view)
    for file, detail, pruned_at in pruned_too_early(view.sealed, utc_now()):
        yield Finding(code="pruned_too_early", object=f"file {file}", detail=detail, recorded_at=pruned_at)


def _log_notes(view: View, log_events: Sequence[LogEvent], now: dt.datetime) -> Iterator[str]:
    yield from _prune_notes(view)
    yield from _clock_notes(view, log_events, now)


def _prune_notes(view: View) -> Iterator[str]:
    if view.sealed.prunes:
        count = sum(record.count for record in view.sealed.prunes)
        yield f"{count} events of {len(view.sealed.pruned)} files were pruned, on record."


def _clock_notes(view: View, log_events: Sequence[LogEvent], now: dt.datetime) -> Iterator[str]:
    """What is odd about times without being tampering."""
    sets = [event for event in log_events if event.event_type == "clock_set"]
    for event in sets[:NAMED_PER_KIND]:
        yield f"Writer {event.writer_id}, seq {event.seq}: {event.reason}. Its times do not compare."
    if len(sets) > NAMED_PER_KIND:
        yield f"Clocks were set {len(sets) - NAMED_PER_KIND} more times."
    latest = rfc3339(now + dt.timedelta(seconds=TOLERANCE_S))
    ahead = [file for file in view.sealed.files if file.max_recorded_at > latest]
    if ahead:
        yield (
            f"{len(ahead)} files hold events that were recorded later than now ({ahead[0].file}): "
            "a clock was ahead then, or this machine's clock is behind."
        )


def _readable_entries(lines: Sequence[bytes], findings: list[Finding]) -> list[Entry]:
    entries: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(decode_entry(line, number))
        except SegmentError as error:
            findings.append(
                Finding(
                    code="manifest_damaged",
                    object=f"manifest.jsonl line {number}",
                    detail=str(error.__cause__),
                )
            )
    return entries


def _noted_heads(heads: Sequence[Head]) -> dict[str, dict[int, str]]:
    noted: dict[str, dict[int, str]] = defaultdict(dict)
    for head in heads:
        noted[head.writer_id][head.seq] = head.head
    return noted


def _check_open_files(
    view: View, heads: Sequence[Head], findings: list[Finding], before: dt.datetime | None
) -> list[ChainCheck]:
    noted = _noted_heads(heads)
    checks: list[ChainCheck] = []
    for file, reader in open_readers(view):
        name = f"file {file.name.path(Path('wal'))}"
        if reader is None:
            detail = f"the events of {file.name.writer_id} before seq {file.name.first_seq} are missing"
            findings.append(Finding(code="link_broken", object=name, detail=detail))
            continue
        found = ChainCheck(
            writer_id=file.name.writer_id,
            next_seq=file.name.first_seq,
            head=reader.head.hex(),
            wanted_heads=noted.get(file.name.writer_id, {}),
            taken_in=TakenIn(before) if before is not None else None,
        )
        _check_open_file(file, reader, found, name)
        checks.append(found)
    return checks


def _check_open_file(file: OpenFile, reader: ChainReader, found: ChainCheck, name: str) -> None:
    try:
        for chunk in reader.chunks(ROW_GROUP_ROWS):
            found.check(event_table(chunk))
    except SegmentError as error:
        found.add("body_unreadable", name, str(error))
        return
    bad_lines = sum(map(len, complete_lines(file.fd, file.size))) - found.count
    # An unfinished last line is a write in progress or a crash; a whole line outside the chain is neither.
    if bad_lines:
        found.add(
            "wal_damaged",
            name,
            f"{bad_lines} lines after seq {reader.next_seq - 1} do not continue the chain",
        )


def _check_manifest_chains(view: View) -> Iterator[Finding]:
    """Segments of one writer must follow each other without gap or overlap, link by link."""
    ends: dict[str, tuple[int, str]] = {}
    for segment in view.segments:
        seq, head = ends.get(segment.writer_id, (0, first_head(segment.writer_id).hex()))
        writer = f"writer {segment.writer_id}"
        if segment.first_seq > seq:
            yield Finding(
                code="seq_gap", object=writer, detail=f"events {seq} to {segment.first_seq - 1} are missing"
            )
        elif segment.first_seq < seq:
            detail = f"{segment.file} repeats events {segment.first_seq} to {min(seq - 1, segment.last_seq)}"
            yield Finding(code="seq_duplicate", object=writer, detail=detail)
        elif segment.prev_head != head:
            detail = f"it continues {segment.prev_head[:16]}…, the chain stood at {head[:16]}…"
            yield Finding(code="link_broken", object=f"file {segment.file}", detail=detail)
        ends[segment.writer_id] = (segment.last_seq + 1, segment.head)


@dataclass
class _End:
    """What is known about the end of one writer's chain."""

    next_seq: int = 0
    is_ended: bool = False
    noted_seq: int = -1


def _check_writer_ends(
    view: View,
    heads: Sequence[Head],
    checks: Sequence[ChainCheck],
    log_events: Sequence[LogEvent],
    *,
    elsewhere: Set[str],
) -> Iterator[Finding]:
    """Every writer is open, closed by its own last event, or recovered; anything else has lost its tail.

    ``elsewhere`` are those that are open on another machine.
    """
    ends: dict[str, _End] = defaultdict(_End)
    for check in checks:
        end = ends[check.writer_id]
        end.next_seq = max(end.next_seq, check.next_seq)
        end.is_ended = end.is_ended or check.is_unread
    for segment in view.segments:
        end = ends[segment.writer_id]
        end.next_seq = max(end.next_seq, segment.last_seq + 1)
        # The event that records a recovery may be pruned before the events of the recovered writer.
        end.is_ended = end.is_ended or (segment.is_recovered and bool(view.sealed.prunes))
    for head in heads:
        ends[head.writer_id].noted_seq = max(ends[head.writer_id].noted_seq, head.seq)
    for writer_id in (*(name.writer_id for name in view.line_files), *(elsewhere & ends.keys())):
        ends[writer_id].is_ended = True
    for writer_id, last_seq in last_pruned(view.sealed).items():
        ends[writer_id].is_ended = ends[writer_id].is_ended or last_seq + 1 >= ends[writer_id].next_seq
    yield from _stated_ends(ends, log_events)
    for writer_id, end in ends.items():
        writer = f"writer {writer_id}"
        if end.noted_seq >= end.next_seq:
            detail = (
                f"it was at seq {end.noted_seq} when its head was noted; its events end at {end.next_seq - 1}"
            )
            yield Finding(code="tail_missing", object=writer, detail=detail)
        elif not end.is_ended:
            detail = f"after seq {end.next_seq - 1} there is no closing event, no recovery and no open file"
            yield Finding(code="tail_missing", object=writer, detail=detail)


def _stated_ends(ends: dict[str, _End], log_events: Sequence[LogEvent]) -> Iterator[Finding]:
    for event in log_events:
        if event.event_type == "writer_closed":
            writer_id = event.writer_id
        elif event.event_type == "log_recovered" and event.recovered_writer_id:
            writer_id = event.recovered_writer_id
        else:
            continue
        stated, end = event.declared_count or 0, ends[writer_id]
        end.is_ended = True
        if stated != end.next_seq:
            code = "tail_missing" if stated > end.next_seq else "count_differs"
            detail = f"{event.event_type} states {stated} events, {end.next_seq} are there"
            yield Finding(code=code, object=f"writer {writer_id}", detail=detail)


def _check_unknown_files(view: View) -> Iterator[Finding]:
    known = view.sealed.current.keys() | view.sealed.replaced | view.sealed.pruned.keys() | view.unlisted
    in_flight = {(name.writer_id, str(name.first_seq)) for name in view.line_files}
    for file in view.sealed_files:
        writer_id, first_seq, _ = [*Path(file).stem.rsplit("-", 2), "", ""][:3]
        # Renamed but not yet in the manifest: its line file is still there, and nobody reads it before.
        if file not in known and (writer_id, first_seq) not in in_flight:
            detail = "it is not in the manifest; no page and no report reads it"
            yield Finding(code="file_unknown", object=f"file {file}", detail=detail)
