"""Which waivers count for a month, and what of a check's violations they leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from runner.control import waivers
from runner.control.core import Core
from runner.control.waivers import Waiver


def waivers_in_force(control: Core, month: dt.date) -> list[Waiver]:
    """The waivers that count for the month, oldest first."""
    with control.store.read() as connection:
        return waivers.in_force(connection, month)


def unwaived(check_id: str, finding_ids: Iterable[str], granted: Sequence[Waiver]) -> list[str]:
    """The findings of the check that no waiver covers: none where the whole check is waived."""
    own = [waiver for waiver in granted if waiver.check_id == check_id]
    if any(waiver.finding_id is None for waiver in own):
        return []
    covered = {waiver.finding_id for waiver in own}
    return [finding_id for finding_id in finding_ids if finding_id not in covered]
