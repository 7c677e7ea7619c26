"""Trials of a refreshed agent: which version a run gets while the new one takes a share of the traffic.

The share is kept by a digest of the conversation, so that one conversation meets one version wherever its
runs come from: a person, a schedule, another agent. What was judged and not kept does not run again.
"""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import Value
from runner.control.admission import AgentState
from runner.control.assurance_tables import refreshes
from runner.control.prepared import Prepared, Row

ArmName: TypeAlias = Literal["old", "new"]

_R = refreshes.c
_BUCKETS = 10_000
# Text sorts as time does: 2026Q3 before 2026Q4.
_NEWEST = Prepared(
    sa.select(
        _R.review_period, _R.status, _R.old_version, _R.new_version, _R.share_percent, _R.kept_arm
    ).where(
        _R.agent_id == sa.bindparam("of_agent"),
        _R.started_at.is_not(None),
        _R.review_period
        == sa.select(sa.func.max(_R.review_period))
        .where(_R.agent_id == sa.bindparam("of_agent"), _R.started_at.is_not(None))
        .scalar_subquery(),
    )
)


class Arm(NamedTuple):
    """The side of a trial that a run is on, and the version it gets; no trial_id where none runs."""

    agent_version: int
    trial_id: str | None = None
    name: ArmName | None = None

    @property
    def told(self) -> dict[str, Value]:
        """The columns of an event that say so."""
        return {"trial_id": self.trial_id, "trial_arm": self.name}


def trial_id_of(agent_id: str, review_period: str) -> str:
    """The id of a trial in events and marts."""
    return f"{agent_id}/{review_period}"


def arm_of(connection: Connection, state: AgentState, conversation: str) -> Arm:
    """The version for a run of ``conversation`` (the run at the top of its delegation, or its own id)."""
    row = _NEWEST.first(connection, {"of_agent": state.agent_id})
    if row is None or state.agent_version == row.old_version:
        return Arm(state.agent_version)
    if row.status == "closed":
        return Arm(row.old_version if _is_discarded(row, state) else state.agent_version)
    trial_id = trial_id_of(state.agent_id, row.review_period)
    is_new = bucket(trial_id, conversation) < row.share_percent * _BUCKETS // 100
    return Arm(state.agent_version, trial_id, "new") if is_new else Arm(row.old_version, trial_id, "old")


def runnable_versions(connection: Connection, state: AgentState) -> tuple[int, ...]:
    """Every version that a run of the agent might get now."""
    row = _NEWEST.first(connection, {"of_agent": state.agent_id})
    if row is None or state.agent_version == row.old_version:
        return (state.agent_version,)
    if row.status == "closed":
        return (row.old_version if _is_discarded(row, state) else state.agent_version,)
    return (row.old_version, state.agent_version)


def bucket(trial_id: str, conversation: str) -> int:
    """Where a conversation falls among ten thousand: the same for ever, and even over conversations."""
    digest = hashlib.sha256(f"{trial_id}\0{conversation}".encode()).digest()
    return int.from_bytes(digest[:8]) % _BUCKETS


def _is_discarded(row: Row, state: AgentState) -> bool:
    return bool(row.kept_arm == "old" and row.new_version == state.agent_version)
