"""Open cases about agents as they stood when a quarter was over: failed checks whose findings name them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.review.quarters import Quarter
from app.warehouse import Scope, Scoped
from runner.control.months import parse_month

if TYPE_CHECKING:
    from runner.control.core import Core

# Whether a case is open about an agent does not depend on who asks.
EVERYTHING = Scope(person_id="", role_id="", team_ids=None, own_only=False)


def open_cases(control: Core, scoped: Scoped, quarter: Quarter, *, is_demo: bool) -> Mapping[str, int] | None:
    """Cases per agent that were open when ``quarter`` was over (UTC), by id; agents without one are left out.

    None where the rows are not of the workspace's own kind: nobody keeps cases about them.
    """
    from runner.control import cases

    if is_demo != control.workspace.is_demo:
        return None
    end = dt.datetime.combine(quarter.last_day + dt.timedelta(days=1), dt.time(), dt.UTC)
    with control.store.read() as connection:
        known = [one for one in cases.listed(connection) if one.opened_at < end]
    still_open = [one for one in known if one.closed_at is None or one.closed_at >= end]
    if not still_open:
        return {}
    whole = scoped.warehouse.for_person(EVERYTHING)
    findings = whole.table("fct_check_findings", is_demo=is_demo).select(
        "check_id", "month_start_date", "agent_id"
    )
    named: set[tuple[str, str]] = set()
    for case in still_open:
        months = {month for one in case.months if (month := parse_month(one)) <= quarter.last_day}
        for check_id, month, agent_id in findings.iter_rows():
            if agent_id is not None and check_id == case.check_id and month in months:
                named.add((case.case_id, agent_id))
    return Counter(agent_id for _, agent_id in named)
