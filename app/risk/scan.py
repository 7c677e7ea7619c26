"""The checks between months: look at the runs of some days, tell what is new, and say what was looked at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from app import identity
from app.errors import RiskError
from app.questions.scope import Scope
from app.risk import behaviour, compare
from app.risk.reading import Read, read_texts
from app.risk.rules import Rules, rules_of
from app.warehouse import Scoped, Warehouse
from ingest.contract import arrow_schema
from ingest.reader import rows_where
from ingest.workspace import Workspace
from runner.control import risk_findings
from runner.control.core import Core
from runner.control.months import company_zone
from runner.control.risk_findings import RiskFinding, RiskScan

_EVERYTHING = Scope(person_id="", role_id="", team_ids=None, own_only=False)
_DRIFT = "GOV-03"
_ORDER = {"critical": 0, "high": 1, "medium": 2}


@dataclass(frozen=True, kw_only=True)
class Window:
    """The days that are looked at, both included, of one agent or of all; ``history_date`` is the first day
    of what they are compared with."""

    first_date: dt.date
    last_date: dt.date
    history_date: dt.date
    agent_id: str | None
    is_demo: bool


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What a scan found: all findings of the window, the ones that are new, and the account of it."""

    found: tuple[RiskFinding, ...]
    new: tuple[RiskFinding, ...]
    scan: RiskScan
    is_locked: bool


def scan(
    control: Core,
    *,
    since: dt.date | None = None,
    agent_id: str | None = None,
    demo: bool | None = None,
) -> Scanned:
    """Look at the current generation from ``since`` on and tell each finding that was never told.

    Without ``since`` from the last scan of all agents on, with some days of overlap; ``demo`` chooses the
    rows, None takes real ones where there are any. Raises RiskError without a build, WarehouseError,
    SegmentError.
    """
    workspace = control.workspace
    rules = rules_of(workspace)
    scoped = _generation(workspace)
    is_demo = identity.shows_demo(scoped) if demo is None else demo
    window = _window(control, rules, since, agent_id, is_demo=is_demo)
    read = read_texts(
        workspace,
        pl.concat([_ask(scoped, window, "risk_texts"), _answers(workspace, scoped, window)]),
        rules,
        lambda run_id: scoped.table("fct_tool_calls", is_demo=is_demo, run_id=run_id),
    )
    found, populations = _measured(scoped, window, rules, _refusals(workspace, window, company_zone(control)))
    found = [replace(one, is_demo=is_demo) for one in (*read.findings, *found)]
    found.sort(key=lambda one: (_ORDER[one.severity], one.finding_id))
    account = RiskScan(
        scanned_at=control.store.clock(),
        first_date=window.first_date,
        last_date=window.last_date,
        is_demo=is_demo,
        is_whole=agent_id is None,
        rule_version=rules.version,
        populations={**_populations_of(read), **populations},
        unread_texts=read.unread,
        new_findings=0,
    )
    notes = f"{window.first_date} to {window.last_date}"
    new = risk_findings.tell(control, found, account, notes)
    done = replace(account, new_findings=len(new))
    return Scanned(found=tuple(found), new=tuple(new), scan=done, is_locked=read.is_locked)


def is_due(control: Core) -> bool:
    """Whether no scan of all agents was made yet on this day of the company."""
    with control.store.read() as connection:
        last = risk_findings.last_scan(connection)
    zone = company_zone(control)
    today = control.store.clock().astimezone(zone).date()
    return last is None or last.scanned_at.astimezone(zone).date() < today


def _generation(workspace: Workspace) -> Scoped:
    warehouse = Warehouse.current(workspace)
    if warehouse is None:
        raise RiskError(
            f"Nothing looked at: {workspace.root} has no build. Run `fleetbook build`, then look again."
        )
    return warehouse.for_person(_EVERYTHING)


def _window(
    control: Core, rules: Rules, since: dt.date | None, agent_id: str | None, *, is_demo: bool
) -> Window:
    zone = company_zone(control)
    today = control.store.clock().astimezone(zone).date()
    with control.store.read() as connection:
        last = risk_findings.last_scan(connection, is_demo=is_demo)
    if since is None:
        since = (
            last.last_date - dt.timedelta(days=rules.overlap_days)
            if last is not None
            else today - dt.timedelta(days=rules.look_back_days)
        )
    if since > today:
        told = f"Nothing looked at: {since} is after today, {today}."
        raise RiskError(f"{told} Name an earlier day with --since.")
    return Window(
        first_date=since,
        last_date=today,
        history_date=since - dt.timedelta(days=rules.history.days),
        agent_id=agent_id,
        is_demo=is_demo,
    )


def _ask(scoped: Scoped, window: Window, name: str, **filters: int | dt.date) -> pl.DataFrame:
    return scoped.query(
        name,
        is_demo=window.is_demo,
        first_date=window.first_date,
        last_date=window.last_date,
        agent_id=window.agent_id,
        **filters,
    )


def _measured(
    scoped: Scoped, window: Window, rules: Rules, refused: pl.DataFrame
) -> tuple[list[RiskFinding], Mapping[str, int]]:
    """Findings that need no text, and how many objects each kind looked at; ``refused`` see _refusals."""
    denials = behaviour.actions_denied(refused, rules)
    history: dict[str, int | dt.date] = {
        "history_date": window.history_date,
        "min_runs": rules.history.min_runs,
    }
    runs = _ask(scoped, window, "risk_runs", **history)
    days = _ask(
        scoped,
        window,
        "risk_days",
        history_date=window.history_date,
        min_weekdays=rules.history.min_weekdays,
    )
    tools = _ask(scoped, window, "risk_tools", **history)
    counts = _ask(scoped, window, "risk_populations").row(0, named=True)
    strangers = _ask(scoped, window, "unregistered")
    drift, own_runs = _drift(scoped, window)
    found = [
        *compare.unusual_runs(runs, rules),
        *compare.unusual_days(days, rules),
        *behaviour.repeated(_ask(scoped, window, "risk_repeated", times=rules.repeated_call.times)),
        *behaviour.unusual_tools(tools, rules),
        *behaviour.denied(_ask(scoped, window, "risk_denials", times=rules.denied_attempts.times)),
        *behaviour.denied(denials),
        *behaviour.unregistered(strangers),
        *behaviour.drifted(drift.filter(~pl.col("agent_id").is_in(strangers["agent_id"].to_list()))),
    ]
    enough = rules.history.min_runs
    known = {
        name: runs.filter(pl.col(column).is_not_null() & (pl.col(f"{name}_runs") >= enough)).height
        for name, column in (("cost", "cost_usd"), ("latency", "latency_ms"))
    }
    return found, {
        "repeated_call": counts["runs_with_calls"],
        "runaway_tools": runs.height,
        "unusual_tool": tools.height,
        "cost_anomaly": known["cost"] + days.height,
        "latency_anomaly": known["latency"],
        "denied_attempts": counts["runs"] + counts["refusals"] + refused.height,
        "unregistered_agent": counts["agents"],
        "configuration_drift": own_runs,
    }


def _answers(workspace: Workspace, scoped: Scoped, window: Window) -> pl.DataFrame:
    """Final answers of the window's runs, in the columns of the question risk_texts."""
    runs = scoped.table(
        "fct_runs",
        is_demo=window.is_demo,
        first_date=window.first_date,
        last_date=window.last_date,
        agent_id=window.agent_id,
    ).select("run_id", "agent_id", "team_id")
    names = ["event_type", "run_id", "payload_id"]
    ended = _events(workspace, names, "run_ended").drop_nulls("payload_id").unique()
    return runs.join(ended, on="run_id").select(
        "run_id",
        "agent_id",
        "team_id",
        "payload_id",
        pl.lit("output").alias("kind"),
        pl.lit(None, pl.Int64).alias("place"),
    )


def _refusals(workspace: Workspace, window: Window, zone: ZoneInfo) -> pl.DataFrame:
    """Refused actions of the window other than runs, with their day in the company's zone."""
    names = ["event_type", "event_id", "person_id", "agent_id", "team_id", "action", "occurred_at", "is_demo"]
    day = pl.col("occurred_at").dt.convert_time_zone(str(zone)).dt.date()
    rows = _events(workspace, names, "action_refused").with_columns(day.alias("denied_date"))
    rows = rows.filter(
        (pl.col("is_demo") == window.is_demo)
        & pl.col("denied_date").is_between(window.first_date, window.last_date)
    )
    return rows if window.agent_id is None else rows.filter(pl.col("agent_id") == window.agent_id)


def _events(workspace: Workspace, names: list[str], event_type: str) -> pl.DataFrame:
    tables = list(rows_where(workspace, names, "event_type", event_type))
    empty = arrow_schema().empty_table().select(names)
    frame = pl.from_arrow(pa.concat_tables([empty, *tables]))
    if not isinstance(frame, pl.DataFrame):  # one column comes as a Series
        raise TypeError("events came as one column")
    return frame


def _drift(scoped: Scoped, window: Window) -> tuple[pl.DataFrame, int]:
    """Findings of check GOV-03 about runs of the window, and how many runs it looked at in its months."""
    counts, found = (
        scoped.table(
            mart,
            is_demo=window.is_demo,
            first_date=window.first_date.replace(day=1),
            last_date=window.last_date,
            agent_id=window.agent_id,
            check_id=_DRIFT,
        )
        for mart in ("rpt_check_months", "fct_check_findings")
    )
    return found, int(counts["population"].sum())


def _populations_of(read: Read) -> Mapping[str, int]:
    return {
        "secret_in_text": read.outputs,
        "personal_data_in_text": read.outputs,
        "injection_followed": read.results,
        "injection_seen": read.results,
    }
