"""Raised alerts as a page shows them: within the person's reach, and acknowledging one."""

from __future__ import annotations

from app.desk import Desk
from app.live.reach import sees
from runner.control import alerts
from runner.control.alerts import Incident

__all__ = ["Incident"]


def raised(desk: Desk, person_id: str) -> list[Incident]:
    """Open incidents that the person may see the figures of, the newest first."""
    registry = desk.control.registry()
    with desk.control.store.read() as connection:
        found = alerts.listed(connection, only_open=True)
    return [one for one in found if sees(registry, person_id, one.concerns)]


def acknowledge(desk: Desk, person_id: str, alert_incident_id: str, reason: str) -> Incident:
    """``person_id`` looks after it. Raises NotFound, AccessRefused, AlertRefused."""
    return alerts.acknowledge(desk.control, alert_incident_id, person_id, reason)
