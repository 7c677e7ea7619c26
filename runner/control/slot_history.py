"""Slots of schedules that another scheduler, or a demo, has accounted for: kept so that pages show them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from runner.control.core import Core
from runner.control.tables import schedule_slots


class PastSlot(NamedTuple):
    """A slot and what became of it; ``run_id`` is None for a missed one, ``reason`` for one that fired."""

    schedule_id: str
    agent_id: str
    slot_at: dt.datetime
    decided_at: dt.datetime
    is_late: bool
    run_id: str | None
    reason: str | None


def record_past_slots(control: Core, slots: Iterable[PastSlot]) -> int:
    """Keep the slots that are not known yet; returns how many. Writes no event and asks for no run."""
    with control.store.write() as tx:
        query = sa.select(schedule_slots.c.schedule_id, schedule_slots.c.slot_at)
        known = {tuple(row) for row in tx.sql.execute(query)}
        rows = [
            {**one._asdict(), "status": "missed" if one.run_id is None else "fired"}
            for one in slots
            if (one.schedule_id, one.slot_at) not in known
        ]
        if rows:
            tx.sql.execute(sa.insert(schedule_slots), rows)
    return len(rows)
