"""Which generation, scope and population a review reads, and who used an agent of late."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import polars as pl

from app import identity
from app.desk import Desk
from app.errors import WarehouseError
from app.review.cards import Card, make_cards
from app.review.concerns import EVERYTHING, open_cases
from app.review.gather import gather
from app.review.idle import Worked
from app.review.quarters import Quarter
from app.review.rules import Rules
from app.warehouse import Scoped, Warehouse
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.retiring import USED_WITHIN


class StillUsed(NamedTuple):
    """A retired agent that ran after its retirement, and the way in of its newest run."""

    agent_id: str
    team_id: str | None
    retired_at: dt.datetime
    last_run_at: dt.datetime
    recorded_via: str


def scoped_of(workspace: Workspace, person_id: str | None, demo: bool | None) -> tuple[Scoped, bool]:
    """The current generation as ``person_id`` sees it (everything for None), and whether demo rows are read.

    ``demo`` None reads real rows where there are any. Raises WarehouseError before the first build, NotFound
    for an unknown person.
    """
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise WarehouseError(f"Nothing to review: {workspace.root} has no build. Run `fleetbook build`.")
    scope = EVERYTHING
    if person_id is not None:
        desk = Desk.open(workspace)
        try:
            scope = identity.scope_of(identity.person(desk, person_id))
        finally:
            desk.close()
    scoped = warehouse.for_person(scope)
    return scoped, identity.shows_demo(scoped) if demo is None else demo


def cards_of(
    workspace: Workspace, scoped: Scoped, quarter: Quarter, rules: Rules, *, is_demo: bool
) -> list[Card]:
    """The cards of the quarter, with the cases that were open when it was over."""
    with Control(workspace) as control:
        cases = open_cases(control, scoped, quarter, is_demo=is_demo)
    return make_cards(scoped, quarter, rules, is_demo=is_demo, open_cases=cases)


def recent_users(scoped: Scoped, agent_id: str, *, is_demo: bool) -> list[str]:
    """People who asked for runs of the agent in the 90 days before the data ends, by id."""
    until = scoped.warehouse.data_until
    if until is None:
        return []
    first, last = (until - USED_WITHIN).date(), until.date()
    runs = scoped.table("fct_runs", is_demo=is_demo, agent_id=agent_id, first_date=first, last_date=last)
    asked = runs.filter(pl.col("run_status") != "refused")["actor_id"].drop_nulls()
    return sorted(asked.unique().to_list())


def used_after_retirement(scoped: Scoped, *, is_demo: bool) -> list[StillUsed]:
    """Retired agents that ran afterwards all the same: where they run, nobody asks this control plane."""
    history = scoped.table("dim_agent_history", is_demo=is_demo)
    held = history.filter(pl.col("status") == "retired", pl.col("valid_until_at").is_null())
    since = dict(held.select("agent_id", "valid_from_at").iter_rows())
    found = []
    for row in scoped.table("dim_agents", is_demo=is_demo).iter_rows(named=True):
        retired_at, last = since.get(row["agent_id"]), row["last_run_at"]
        if retired_at is not None and last is not None and last > retired_at:
            found.append(
                StillUsed(row["agent_id"], row["team_id"], retired_at, last, str(row["recorded_via"]))
            )
    return found


def last_quarter(text: str | None, scoped: Scoped) -> Quarter:
    """The quarter that was asked for, else the last one that was over when the data ends; ReviewError."""
    if text is not None:
        return Quarter.parse(text)
    until = scoped.warehouse.data_until or dt.datetime.now(dt.UTC)
    return Quarter.of(until.date()).back(1)


def worked_of(scoped: Scoped, *, is_demo: bool) -> tuple[list[Worked], dt.date]:
    """What each agent at work did, and the day the data ends."""
    until = scoped.warehouse.data_until or dt.datetime.now(dt.UTC)
    rows = scoped.table("rpt_agent_days", is_demo=is_demo).filter(pl.col("runs") > 0)
    days = rows.group_by("agent_id").agg(pl.col("run_date").unique())
    ran = {agent_id: frozenset(dates) for agent_id, dates in days.iter_rows()}
    subjects = gather(scoped, Quarter.of(until.date()), is_demo=is_demo)
    worked = [
        Worked(
            agent_id=one.agent_id,
            agent_name=one.agent_name,
            team_id=one.team_id,
            expected_use=one.expected_use,
            known_since=one.known_since,
            days=ran.get(one.agent_id, frozenset()),
        )
        for one in subjects
    ]
    return worked, until.date()
