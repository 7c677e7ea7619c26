"""What every worker does between runs, whoever comes first: nothing here needs a model."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runner.control import attestations, raises, recover, reminders, retiring, schedules, stops
from runner.errors import RegistryNotApplied

if TYPE_CHECKING:
    from runner.control.core import Core
    from runner.control.schedules import Slot


def _end_raises(control: Core) -> None:
    with control.store.write() as tx:
        raises.end_due(tx)


def upkeep(control: Core) -> list[Slot]:
    """One round: sweep, end raises, lapse, halt, remind, retire, attest, fire schedules, fill the log.

    Returns what became of schedule slots. Raises RelayError.
    """
    recover.sweep_holds(control)
    _end_raises(control)
    recover.lapse_requests(control)
    stops.halt_what_nobody_plays(control)
    slots = []
    with contextlib.suppress(RegistryNotApplied):  # a worker may be there before the first registry
        reminders.remind(control)
        retiring.retire_due(control)
        attestations.follow(control)
        slots = schedules.fire_due(control)
    control.relay.flush()
    return slots
