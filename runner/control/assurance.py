"""What people record so that the monthly check has something to look at: trainings, evaluations, incidents.

Nothing is decided here and nothing changes its behaviour by it: each record is one event of the log.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ingest.contract import Value, new_event_id
from ingest.reader import rows_where
from runner.control.access import WHOLE_COMPANY, agent_target, may
from runner.control.declared import Action
from runner.control.months import company_zone, day_end
from runner.control.version_approval import find_version
from runner.errors import AssuranceRefused, NotFound

if TYPE_CHECKING:
    from runner.control.core import Core

_STATED_DAYS = 366
_RECORDERS: tuple[Action, ...] = ("sign_report", "apply_registry")


def record_training(
    control: Core,
    trained_id: str,
    until: dt.date,
    by: str,
    *,
    agent_id: str | None = None,
    team_id: str | None = None,
    reason: str = "",
) -> str:
    """A person may oversee an agent, a team's agents, or all, until the day ``until`` is over in the company.

    Returns the event's id. Raises AssuranceRefused for a day that is over, NotFound, AccessRefused.
    """
    registry = control.registry()
    control.known_person(registry, trained_id)
    expires_at = day_end(until, company_zone(control))
    if expires_at <= dt.datetime.now(dt.UTC):
        raise AssuranceRefused(f"the training of {trained_id}", f"{until} is over", "Give a later day.")
    about = _agent(control, agent_id) if agent_id else {"team_id": team_id}
    return _tell(
        control,
        "training_recorded",
        by,
        {**about, "person_id": trained_id, "expires_at": expires_at, "reason": reason.strip() or None},
    )


def record_evaluation(
    control: Core, agent_id: str, number: int | None, by: str, reason: str, *, is_good: bool
) -> str:
    """A version (the newest without a number) was evaluated; returns the event's id.

    Raises AssuranceRefused without a reason, NotFound, AccessRefused.
    """
    about = _agent(control, agent_id)
    with control.store.read() as connection:
        version = find_version(connection, agent_id, number)
    columns: dict[str, Value] = {
        **about,
        "agent_version": version.agent_version,
        "version_hash": version.version_hash,
        "person_id": by,
        "is_good": is_good,
        "reason": _said(reason, f"the evaluation of {agent_id} v{version.agent_version}"),
    }
    return _tell(control, "version_evaluated", by, columns)


def record_seeded_case(
    control: Core,
    reviewer_id: str,
    by: str,
    *,
    is_good: bool,
    approval_id: str | None = None,
    reason: str = "",
) -> str:
    """A reviewer got a case with a planted error: caught or not. Returns the event's id."""
    control.known_person(control.registry(), reviewer_id)
    if reviewer_id == by:
        advice = "Somebody else records what a reviewer caught."
        raise AssuranceRefused("the seeded case", f"{by} is the reviewer", advice)
    columns: dict[str, Value] = {"person_id": reviewer_id, "is_good": is_good, "approval_id": approval_id}
    return _tell(control, "seeded_case_recorded", by, {**columns, "reason": reason.strip() or None})


def open_incident(
    control: Core, agent_id: str, incident_class: str, identified_at: dt.datetime, by: str, reason: str
) -> str:
    """A risk or an incident of an agent was identified; anybody may say so. Returns the incident's id.

    Raises AssuranceRefused without a reason or for a time to come, NotFound.
    """
    registry = control.registry()
    control.known_person(registry, by)
    now = dt.datetime.now(dt.UTC)
    if identified_at > now:
        raise AssuranceRefused(f"an incident of {agent_id}", f"{identified_at} is to come", "Correct --at.")
    incident_id = f"inc-{new_event_id(now)[-12:]}"
    columns: dict[str, Value] = {
        **_agent(control, agent_id),
        "incident_id": incident_id,
        "incident_class": incident_class,
        "identified_at": identified_at,
        "person_id": by,
        "reason": _said(reason, f"an incident of {agent_id}"),
    }
    _tell(control, "incident_opened", by, columns, is_open_to_all=True)
    return incident_id


def report_incident(control: Core, incident_id: str, reported_to: str, by: str, reason: str = "") -> str:
    """The provider or the authority was told of an incident, now. Returns the event's id."""
    about = _opened(control, "incident_opened", "incident_id", incident_id)
    columns: dict[str, Value] = {**about, "reported_to": reported_to, "person_id": by}
    return _tell(control, "incident_reported", by, {**columns, "reason": reason.strip() or None})


def close_incident(control: Core, incident_id: str, by: str, reason: str) -> str:
    """The incident is over, the agent may be used again. Returns the event's id."""
    about = _opened(control, "incident_opened", "incident_id", incident_id)
    columns: dict[str, Value] = {**about, "person_id": by, "reason": _said(reason, incident_id)}
    return _tell(control, "incident_closed", by, columns)


def record_restore(control: Core, by: str, reason: str, *, is_good: bool, root: str | None) -> str:
    """The off-host copy was restored and verified, with the root of its manifest in hex. Returns the id."""
    columns: dict[str, Value] = {"person_id": by, "is_good": is_good, "content_sha256": root}
    return _tell(control, "restore_drilled", by, {**columns, "reason": _said(reason, "the restore drill")})


def request_erasure(control: Core, received_at: dt.datetime, by: str, reason: str = "") -> str:
    """Somebody asked for their texts to be erased; returns the id of the request."""
    now = dt.datetime.now(dt.UTC)
    if received_at > now:
        raise AssuranceRefused("an erasure request", f"{received_at} is to come", "Correct --received.")
    request_id = f"er-{new_event_id(now)[-12:]}"
    columns: dict[str, Value] = {"request_id": request_id, "received_at": received_at, "person_id": by}
    _tell(control, "erasure_requested", by, {**columns, "reason": reason.strip() or None})
    return request_id


def answer_erasure(control: Core, request_id: str, by: str, reason: str) -> str:
    """The request was carried out or refused, and the person answered. Returns the event's id."""
    about = _opened(control, "erasure_requested", "request_id", request_id)
    columns: dict[str, Value] = {**about, "person_id": by, "reason": _said(reason, request_id)}
    return _tell(control, "erasure_answered", by, columns)


def explain_recovery(control: Core, writer_id: str, by: str, reason: str) -> str:
    """Why a writer of the log had to be recovered. Returns the event's id."""
    about = _opened(control, "log_recovered", "recovered_writer_id", writer_id)
    columns: dict[str, Value] = {**about, "person_id": by, "reason": _said(reason, f"writer {writer_id}")}
    return _tell(control, "recovery_explained", by, columns)


def attest_absence(control: Core, check_id: str, check_month: str, by: str, reason: str) -> str:
    """A person states that there was nothing to look at for a check in a month. Returns the event's id."""
    columns: dict[str, Value] = {
        "check_id": check_id,
        "check_month": check_month,
        "person_id": by,
        "reason": _said(reason, f"{check_id} in {check_month}"),
    }
    return _tell(control, "absence_attested", by, columns)


def attest_requirement(
    control: Core,
    requirement_id: str,
    check_month: str,
    by: str,
    reason: str,
    *,
    until: dt.date | None = None,
) -> str:
    """A person states how a requirement of the binder is met in a month, or from it on through ``until``.

    Returns the event's id. Raises AssuranceRefused without a reason or for more than a year, AccessRefused.
    """
    about = f"requirement {requirement_id}"
    expires_at = None
    if until is not None:
        expires_at = dt.datetime.combine(until + dt.timedelta(days=1), dt.time(), dt.UTC)
        now = control.store.clock()
        if not now < expires_at <= now + dt.timedelta(days=_STATED_DAYS):
            problem = f"{until} is past or more than a year ahead"
            raise AssuranceRefused(about, problem, "Name a day within the next year with --until.")
    columns: dict[str, Value] = {
        "requirement_id": requirement_id,
        "check_month": check_month,
        "person_id": by,
        "reason": _said(reason, about),
        "expires_at": expires_at,
    }
    return _tell(control, "requirement_attested", by, columns)


def _tell(
    control: Core, event_type: str, by: str, columns: dict[str, Value], *, is_open_to_all: bool = False
) -> str:
    registry = control.registry()
    control.known_person(registry, by)
    able = [action for action in _RECORDERS if may(registry, by, action, WHOLE_COMPANY).allowed]
    if not able and not is_open_to_all:
        control.require(registry, by, _RECORDERS[0], WHOLE_COMPANY)
    with control.store.write() as tx:
        event_id = tx.emit(event_type, {**columns, "actor_id": by})
    control.relay.flush()
    return event_id


def _agent(control: Core, agent_id: str) -> dict[str, Value]:
    registry = control.registry()
    if agent_id not in registry.agents:
        raise NotFound("agent", agent_id, None, "`fleetbook agents` lists them.")
    return {"agent_id": agent_id, "team_id": agent_target(registry, agent_id).team_id}


def _opened(control: Core, event_type: str, column: str, wanted: str) -> dict[str, Value]:
    """The columns that a later event takes over from the one it belongs to. Raises NotFound."""
    names = [column, "agent_id", "team_id"]
    for table in rows_where(control.workspace, [*names, "event_type"], "event_type", event_type):
        for row in table.to_pylist():
            if row[column] == wanted:
                return {name: row[name] for name in names}
    raise NotFound(column.replace("_", " "), wanted, None, "The log holds none of this id.")


def _said(reason: str, about: str) -> str:
    if not reason.strip():
        raise AssuranceRefused(about, "a reason is missing", "Say in one sentence what was done.")
    return reason.strip()
