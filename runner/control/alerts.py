"""Alerts on metrics: raised once with a notice, one incident while they come and go, ended when quiet.

Nothing is measured here: :func:`follow` is told what was found. The incident, its event and its notice are
one transaction; whoever dies before leaves nothing, whoever dies after leaves a notice still to be sent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from ingest.contract import Value, new_event_id
from runner.control import notices
from runner.control.access import Target
from runner.control.assurance_tables import alert_incidents
from runner.control.registry_extras import Alert
from runner.control.store import Transaction
from runner.errors import AlertRefused, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core

KIND = "alert"
State: TypeAlias = Literal["true", "false", "no_data"]

_I = alert_incidents.c


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found for one alert and one target (``fleet``, ``team:<id>`` or ``agent:<id>``).

    ``observed_micro`` and ``bound_micro`` are millionths of the metric's unit; ``title`` is one sentence
    that says both. ``team_id`` is the team concerned, also of an agent; None is the company.
    """

    alert: Alert
    target: str
    team_id: str | None
    agent_id: str | None
    state: State
    title: str
    observed_micro: int | None
    bound_micro: int | None

    @property
    def is_raising(self) -> bool:
        """Whether people are to be told: the condition holds, or there is no data and the alert says so."""
        return self.state == "true" or (self.state == "no_data" and self.alert.no_data == "alert")


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One time that an alert was raised; ``resolved_at`` None is open, ``acknowledged_by`` None not seen."""

    alert_incident_id: str
    alert_id: str
    target: str
    metric_id: str
    team_id: str | None
    agent_id: str | None
    title: str
    raised_at: dt.datetime
    true_at: dt.datetime
    acknowledged_by: str | None
    acknowledged_at: dt.datetime | None
    acknowledgement: str | None
    resolved_at: dt.datetime | None
    resolution: str | None

    @property
    def is_open(self) -> bool:
        """True until it ended."""
        return self.resolved_at is None

    @property
    def concerns(self) -> Target:
        """What a person must be allowed to see to see it."""
        return Target(agent_id=self.agent_id, team_id=self.team_id)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What changed: incidents raised now, and those that ended now."""

    raised: tuple[Incident, ...]
    resolved: tuple[Incident, ...]


def follow(control: Core, findings: Sequence[Finding]) -> Followed:
    """Raise what is new, keep what goes on, end what has been quiet long enough or is declared no more.

    Following the same findings again changes nothing, and of two builders at the same moment one does it.
    """
    raised: list[str] = []
    ended: list[str] = []
    with control.store.write() as tx:
        still_open = {(one.alert_id, one.target): one for one in listed(tx.sql, only_open=True)}
        for finding in findings:
            incident = still_open.pop((finding.alert.id, finding.target), None)
            if incident is None:
                raised += _raise(tx, finding) if finding.is_raising else []
            elif finding.is_raising:
                _go_on(tx, incident, finding)
            elif finding.state == "false" and _is_quiet(incident, finding, tx.now):
                ended += _end(tx, incident, finding.title, finding)
        for incident in still_open.values():
            ended += _end(tx, incident, "The alert is no longer declared for this target.", None)
        found = {one.alert_incident_id: one for one in listed(tx.sql)} if raised or ended else {}
    if raised or ended:
        control.relay.flush()
    return Followed(
        raised=tuple(found[incident_id] for incident_id in raised),
        resolved=tuple(found[incident_id] for incident_id in ended),
    )


def acknowledge(control: Core, alert_incident_id: str, person_id: str, reason: str = "") -> Incident:
    """``person_id`` has seen the alert and looks after it; returns the incident.

    Raises NotFound, AccessRefused for who may not see its figures, AlertRefused when it was acknowledged or
    ended before.
    """
    registry = control.registry()
    control.known_person(registry, person_id)
    with control.store.read() as connection:
        incident = _required(connection, alert_incident_id)
    control.require(registry, person_id, "view_metrics", incident.concerns)
    with control.store.write() as tx:
        _require_unseen(_required(tx.sql, alert_incident_id))
        said: dict[str, Value] = {
            "acknowledged_by": person_id,
            "acknowledged_at": tx.now,
            "acknowledgement": reason.strip() or None,
        }
        this = sa.and_(_I.alert_incident_id == alert_incident_id, _I.acknowledged_by.is_(None))
        if tx.sql.execute(sa.update(alert_incidents).where(this).values(**said)).rowcount != 1:
            _require_unseen(_required(tx.sql, alert_incident_id))
        tx.emit(
            "alert_acknowledged",
            _about(incident),
            person_id=person_id,
            actor_id=person_id,
            reason=reason.strip() or None,
        )
        found = _required(tx.sql, alert_incident_id)
    control.relay.flush()
    return found


def listed(connection: Connection, *, only_open: bool = False) -> list[Incident]:
    """Incidents, open ones first, then the newest first."""
    query = sa.select(alert_incidents).order_by(_I.resolved_at.is_not(None), _I.raised_at.desc(), _I.target)
    if only_open:
        query = query.where(_I.resolved_at.is_(None))
    return [_incident(row) for row in connection.execute(query)]


def _raise(tx: Transaction, finding: Finding) -> list[str]:
    """The new incident; none when another builder raised it just now."""
    incident_id = f"al-{new_event_id(tx.now)[-12:]}"
    about: dict[str, Value] = {
        "alert_id": finding.alert.id,
        "metric_id": finding.alert.metric,
        "team_id": finding.team_id,
        "agent_id": finding.agent_id,
        "observed_micro": finding.observed_micro,
        "bound_micro": finding.bound_micro,
    }
    row = {
        **about,
        "alert_incident_id": incident_id,
        "target": finding.target,
        "title": finding.title,
        "raised_at": tx.now,
        "true_at": tx.now,
    }
    dialect = postgresql if tx.sql.dialect.name == "postgresql" else sqlite
    new = dialect.insert(alert_incidents).values(**row).on_conflict_do_nothing()
    if tx.sql.execute(new.returning(_I.alert_incident_id)).first() is None:
        return []
    text = (
        f"{finding.title} Alert {finding.alert.id}, incident {incident_id}. Whoever looks after it says so "
        f"on Home, or by `fleetbook alerts ack {incident_id} --as <person>`."
    )
    notice_id = notices.put(
        tx,
        kind=KIND,
        team_id=finding.team_id,
        title=finding.title,
        text=text,
        about={"agent_id": finding.agent_id, "rule_id": finding.alert.id},
        places=finding.alert.notify,
    )
    tx.emit("alert_raised", about, alert_incident_id=incident_id, reason=finding.title, notice_id=notice_id)
    return [incident_id]


def _go_on(tx: Transaction, incident: Incident, finding: Finding) -> None:
    this = _I.alert_incident_id == incident.alert_incident_id
    news = {"true_at": tx.now, "title": finding.title, "observed_micro": finding.observed_micro}
    tx.sql.execute(sa.update(alert_incidents).where(this).values(**news))


def _is_quiet(incident: Incident, finding: Finding, now: dt.datetime) -> bool:
    return now - incident.true_at >= dt.timedelta(minutes=finding.alert.quiet_minutes)


def _end(tx: Transaction, incident: Incident, reason: str, finding: Finding | None) -> list[str]:
    """The incident that ended; none when another builder ended it just now."""
    this = sa.and_(_I.alert_incident_id == incident.alert_incident_id, _I.resolved_at.is_(None))
    news = {"resolved_at": tx.now, "resolution": reason}
    if tx.sql.execute(sa.update(alert_incidents).where(this).values(**news)).rowcount != 1:
        return []
    tx.emit(
        "alert_resolved",
        _about(incident),
        reason=reason,
        observed_micro=finding.observed_micro if finding else None,
        bound_micro=finding.bound_micro if finding else None,
    )
    return [incident.alert_incident_id]


def _about(incident: Incident) -> dict[str, Value]:
    return {
        "alert_id": incident.alert_id,
        "alert_incident_id": incident.alert_incident_id,
        "team_id": incident.team_id,
        "agent_id": incident.agent_id,
    }


def _required(connection: Connection, alert_incident_id: str) -> Incident:
    query = sa.select(alert_incidents).where(_I.alert_incident_id == alert_incident_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        advice = "`fleetbook alerts list` has those that are open."
        raise NotFound("alert incident", alert_incident_id, None, advice)
    return _incident(row)


def _require_unseen(incident: Incident) -> None:
    if incident.acknowledged_by is not None:
        problem = f"{incident.acknowledged_by} looks after it already"
        raise AlertRefused(incident.alert_incident_id, problem, "There is nothing left to do.")
    if not incident.is_open:
        raise AlertRefused(
            incident.alert_incident_id, "it has ended", "`fleetbook alerts list` has the open ones."
        )


def _incident(row: sa.Row[tuple[object, ...]]) -> Incident:
    return Incident(**{name: getattr(row, name) for name in Incident.__dataclass_fields__})
