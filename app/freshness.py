"""Whether the current generation holds what the log holds: measured from both, not from a timetable."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

from app.standing import checked_at
from app.warehouse import Warehouse
from ingest.reader import log_state
from ingest.workspace import Workspace

LIMIT = dt.timedelta(minutes=15)
"""`fleetbook up` builds every minute, the timer of docs/operations.md every five: one build may fail."""
LONG_BUILD = dt.timedelta(seconds=60)
"""The shortest interval that builds are started at; a quicker one keeps up with any."""
BUSY_SHARE = 0.9
"""A builder that spends more of its time than this on building does not keep up."""

State: TypeAlias = Literal["fresh", "waiting", "behind", "slow"]


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How a generation stands to the log.

    ``state``: ``fresh`` holds every event; ``waiting`` lacks some, for less than :data:`LIMIT`; ``behind``
    lacks some since longer; ``slow`` builds take longer than the interval at which they are started.
    ``looked_at`` is when the builder looked at the log last, ``build_time`` how long this build took, None
    where it does not say.
    """

    state: State
    looked_at: dt.datetime
    build_time: dt.timedelta | None

    @property
    def is_late(self) -> bool:
        """True when somebody should know."""
        return self.state in ("behind", "slow")

    @property
    def words(self) -> str:
        """What is wrong, empty when nothing is."""
        if self.state == "behind":
            return f"behind: what was recorded since {self.looked_at:%Y-%m-%d %H:%M} UTC is in no build"
        if self.state == "slow" and self.build_time is not None:
            return (
                f"falling behind: a build takes {self.build_time.total_seconds():.0f} s, longer than the "
                "interval at which builds are started"
            )
        return ""


def freshness(workspace: Workspace, warehouse: Warehouse, now: dt.datetime) -> Freshness:
    """How ``warehouse`` stands to the log at ``now``; events are not read, only what is sealed and open.

    Raises SegmentError for a damaged manifest, OSError.
    """
    facts = _facts(warehouse.path)
    looked_at = max(warehouse.built_at, checked_at(workspace, warehouse.build_id) or warehouse.built_at)
    is_whole = facts is not None and facts.log == log_state(workspace)
    state: State = "fresh" if is_whole else "waiting"
    if _is_busy(warehouse.path):
        state = "slow"
    if not is_whole and now - looked_at > LIMIT:
        state = "behind"
    return Freshness(state=state, looked_at=looked_at, build_time=facts.build_time if facts else None)


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What a generation says of itself: the log it was made from, when it was begun, how long it took."""

    log: str
    built_at: dt.datetime
    build_time: dt.timedelta


def _facts(path: Path) -> _Facts | None:
    """None for a generation of a release before, or one that a builder removed just now."""
    try:
        told = json.loads((path / "generation.json").read_text(encoding="utf-8"))
        return _Facts(
            log=str(told["inputs"]["log"]),
            built_at=dt.datetime.fromisoformat(told["built_at"]),
            build_time=dt.timedelta(seconds=float(told["seconds"])),
        )
    except (OSError, KeyError, ValueError):
        return None


def _is_busy(path: Path) -> bool:
    """Whether the builds up to this one were made back to back, each of them long."""
    earlier = sorted(one for one in path.parent.glob("[0-9]*") if one.name <= path.name)
    made = [facts for one in earlier if (facts := _facts(one)) is not None]
    gaps = [(one, following.built_at - one.built_at) for one, following in pairwise(made)]
    return len(gaps) > 1 and all(
        one.build_time >= LONG_BUILD and one.build_time >= BUSY_SHARE * gap for one, gap in gaps
    )
