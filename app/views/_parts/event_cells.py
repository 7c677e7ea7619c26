"""Cells of events: the numbers and texts that a replay reads, in the units in which people read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal

Event = Mapping[str, object]
NANO = 1_000_000_000


def text_of(event: Event) -> str | None:
    """The text of an event, or None when it may not be read."""
    content = event.get("payload_text")
    return None if content is None else str(content)


def first(events: Iterable[Event], kind: str) -> Event | None:
    """The first event of a kind, or None."""
    return next((event for event in events if event["event_type"] == kind), None)


def merged(*events: Event | None) -> dict[str, object]:
    """The cells of several events together; of later ones the latter."""
    return {name: cell for event in events if event for name, cell in event.items() if cell is not None}


def at(event: Event) -> dt.datetime:
    """When the event happened. Raises TypeError for an event without a time: a defect of its reader."""
    moment = event["occurred_at"]
    if not isinstance(moment, dt.datetime):
        raise TypeError(f"occurred_at of event {event.get('event_id')} is no time")
    return moment


def whole(event: Event | None, *names: str) -> int | None:
    """The first of ``names`` that holds a whole number."""
    found = ((event or {}).get(name) for name in names)
    return next((number for number in found if isinstance(number, int)), None)


def usd(event: Event | None, *names: str) -> Decimal | None:
    """The first of ``names`` that holds nano-USD, in USD."""
    nano = whole(event, *names)
    return None if nano is None else Decimal(nano) / NANO


def milliseconds(event: Event | None, name: str) -> float | None:
    """Nanoseconds under ``name``, in milliseconds."""
    nano = whole(event, name)
    return None if nano is None else nano / 1_000_000


def took_ms(ended: Event | None, asked: Event | None) -> float | None:
    """How long something took: as stated, else from the intent to the result."""
    stated = milliseconds(ended, "duration_ns")
    if stated is not None or ended is None or asked is None:
        return stated
    return between_ms(asked, ended)


def between_ms(start: Event, end: Event) -> float:
    """Milliseconds from one event to another."""
    return (at(end) - at(start)).total_seconds() * 1000
