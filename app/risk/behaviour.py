"""Findings from what happened: repeated calls, tools out of the usual, refusals, unknown agents, drift."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from app.risk.rules import Rules
from runner.control.risk_findings import RiskFinding


def repeated(rows: pl.DataFrame) -> Iterator[RiskFinding]:
    """One finding per run, tool and arguments."""
    for row in rows.iter_rows(named=True):
        yield RiskFinding(
            finding_id=f"repeated_call {row['run_id']} {row['tool_name']} {row['arguments_digest'][:12]}",
            risk_kind="repeated_call",
            severity="medium",
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            run_id=row["run_id"],
            person_id=None,
            reason=f"called {row['tool_name']} {row['calls']} times with the same arguments",
            evidence=tuple(f"{row['run_id']}:{index}" for index in (row["first_call"], row["last_call"])),
        )


def unusual_tools(rows: pl.DataFrame, rules: Rules) -> Iterator[RiskFinding]:
    """Tools that an agent never called before, and tools that no version of it declares."""
    odd = rows.filter(pl.col("is_new") | (pl.col("is_own") & ~pl.col("is_declared")))
    for row in odd.iter_rows(named=True):
        is_undeclared = row["is_own"] and not row["is_declared"]
        why = (
            "which no version of it declares"
            if is_undeclared
            else f"for the first time in {rules.history.days} days and {row['runs']} runs"
        )
        yield RiskFinding(
            finding_id=f"unusual_tool {row['agent_id']} {row['tool_name']}",
            risk_kind="unusual_tool",
            severity="high" if is_undeclared or row["is_consequential"] else "medium",
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            run_id=row["run_id"],
            person_id=None,
            reason=f"called {row['tool_name']} ({row['calls']} calls), {why}",
            evidence=(f"{row['run_id']}:{row['call_index']}",),
        )


def denied(rows: pl.DataFrame) -> Iterator[RiskFinding]:
    """Refusals of one person and agent on one day."""
    for row in rows.iter_rows(named=True):
        who = row["person_id"] or "somebody unknown"
        about = f"{row['agent_id'] or 'no agent'} {row['denied_date']} {row['rules']}"
        yield RiskFinding(
            finding_id=f"denied_attempts {who} {about}",
            risk_kind="denied_attempts",
            severity="medium",
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            run_id=None,
            person_id=row["person_id"],
            reason=f"{who} was refused {row['denials']} times on {row['denied_date']} ({row['rules']})",
            evidence=tuple(row["evidence"]),
        )


def actions_denied(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Refused actions per person, agent and day where there are enough, in the columns of :func:`denied`."""
    grouped = rows.sort("event_id").group_by("person_id", "agent_id", "denied_date", maintain_order=True)
    counted = grouped.agg(
        pl.col("team_id").first(),
        pl.len().alias("denials"),
        pl.col("action").unique().sort().str.join(", ").alias("rules"),
        pl.col("event_id").head(20).alias("evidence"),
    )
    return counted.filter(pl.col("denials") >= rules.denied_attempts.times)


def unregistered(rows: pl.DataFrame) -> Iterator[RiskFinding]:
    """Agents that only events know."""
    for row in rows.iter_rows(named=True):
        yield RiskFinding(
            finding_id=f"unregistered_agent {row['agent_id']}",
            risk_kind="unregistered_agent",
            severity="high",
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            run_id=None,
            person_id=None,
            reason=f"ran {row['runs']} times and is not in the registry ({row['recorded_via']})",
            evidence=(str(row["agent_id"]),),
        )


def drifted(rows: pl.DataFrame) -> Iterator[RiskFinding]:
    """Runs that check GOV-03 finds, as soon as they are found."""
    for row in rows.iter_rows(named=True):
        yield RiskFinding(
            finding_id=f"configuration_drift {row['object_id']}",
            risk_kind="configuration_drift",
            severity="critical",
            agent_id=row["agent_id"],
            team_id=row["team_id"],
            run_id=row["run_id"],
            person_id=row["person_id"],
            reason=row["detail"],
            evidence=tuple(one for one in (row["run_id"], row["event_id"]) if one),
        )
