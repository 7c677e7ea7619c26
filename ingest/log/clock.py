"""The clock of a writing process: when somebody sets it while the process runs, the log says so."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

# Time servers correct a clock by milliseconds; what is above this was set by somebody.
TOLERANCE_S = 2.0


def utc_now() -> dt.datetime:
    """The current time, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def running_seconds() -> float:
    """Seconds since the machine started; setting the clock does not change it, sleep counts where known."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class ClockWatch:
    """Compares ``clock`` with ``ticks``, which nobody sets; without ``ticks`` it notices nothing."""

    def __init__(self, clock: Callable[[], dt.datetime], ticks: Callable[[], float] | None = None) -> None:
        # A clock of a test or of a demo's history moves as it likes: only the machine's own is watched.
        self._ticks = running_seconds if ticks is None and clock is utc_now else ticks
        self._clock = clock
        self._before: tuple[dt.datetime, float] | None = None

    def set_since_last_look(self) -> str:
        """How the clock was set since this was asked last, in words; an empty text when it was not."""
        if self._ticks is None:
            return ""
        now, ticks = self._clock(), self._ticks()
        before, self._before = self._before, (now, ticks)
        if before is None:
            return ""
        set_by_s = (now - before[0]).total_seconds() - (ticks - before[1])
        if abs(set_by_s) <= TOLERANCE_S:
            return ""
        return f"the clock was set {'back' if set_by_s < 0 else 'ahead'} by {abs(set_by_s):.0f} s"
