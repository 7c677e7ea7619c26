"""What machines acknowledged and the record does not hold: a lag of seconds, or a machine that is gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ingest.contract import parse_rfc3339, rfc3339
from ingest.log.findings import Finding
from ingest.log.manifest import Manifest, Segment, segments_of
from ingest.shared.machines import Statement, is_silent, statements, waiting
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One machine: when it last spoke, its open writers, its events that are stated and not in the record."""

    machine_id: str
    stated_at: dt.datetime
    is_silent: bool
    open_writers: int
    missing: int

    @property
    def words(self) -> str:
        """What is so, with its values."""
        since = f"silent since {self.stated_at:%Y-%m-%d %H:%M:%S} UTC"
        if not self.is_silent:
            return f"{self.missing:,} events are on their way"
        if self.missing:
            return f"{self.missing:,} events that it acknowledged have not arrived; {since}"
        if self.open_writers:
            return f"{since} with {self.open_writers} open writers: what they recorded since is not here"
        return f"{since}; everything that it stated is here"

    @property
    def is_incomplete(self) -> bool:
        """Whether events may be missing that nobody is bringing."""
        return self.is_silent and self.open_writers > 0


def standing(record: Workspace, now: dt.datetime) -> list[Arrival]:
    """How each machine stands, by the copy ``record``. Raises PlaceError, SegmentError, OSError."""
    return arrivals(statements(record), arrived(segments_of(Manifest(record).entries())), now)


def arrived(segments: Sequence[Segment]) -> dict[str, int]:
    """Writer → its last event in the record."""
    last: dict[str, int] = {}
    for segment in segments:
        last[segment.writer_id] = max(segment.last_seq, last.get(segment.writer_id, -1))
    return last


def arrivals(statements: Sequence[Statement], last: Mapping[str, int], now: dt.datetime) -> list[Arrival]:
    """How each machine stands at ``now``; ``last`` as :func:`arrived` gives it."""
    found = []
    for one in statements:
        behind = waiting(one, last)
        arrival = Arrival(
            machine_id=one.machine_id,
            stated_at=parse_rfc3339(one.stated_at),
            is_silent=is_silent(one, now),
            open_writers=len(one.writers),
            missing=sum(behind.values()),
        )
        found.append(arrival)
    return found


def not_arrived(all_arrivals: Sequence[Arrival]) -> Iterator[Finding]:
    """A finding for each machine whose events nobody is bringing."""
    for arrival in all_arrivals:
        if arrival.is_incomplete:
            # What was stated and is missing may be of any time; what nobody stated came afterwards.
            since = "" if arrival.missing else rfc3339(arrival.stated_at)
            yield Finding(
                code="not_arrived",
                object=f"machine {arrival.machine_id}",
                detail=arrival.words,
                recorded_at=since,
            )


def on_their_way(all_arrivals: Sequence[Arrival]) -> Iterator[str]:
    """A note for each machine that is a little behind."""
    for arrival in all_arrivals:
        if arrival.missing and not arrival.is_silent:
            yield f"Machine {arrival.machine_id}: {arrival.words}."
