"""The rows of an evidence pack: findings, counts per check and agent, agents at risk with requests and calls.

Read from one generation within one scope; sorted by every column, so that the same log gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from app.checks.results import Answer
from app.checks.waivers import unwaived
from app.warehouse import Scoped
from runner.control.months import last_day
from runner.control.waivers import Waiver

_RULES = ("HITL-01", "HITL-02", "HITL-03", "HITL-04", "HITL-07", "HITL-08", "HITL-11")
_LIVELY = (
    "decided",
    "approved",
    "approved_changed",
    "rejected",
    "timed",
    "under_2s",
    "expired",
    "waiting",
    "decide_p50_s",
    "decide_p90_s",
)
_FINDING = {
    "check_id": "Id of the check.",
    "severity": "How bad a failure of the check is.",
    "status": "How the check was decided for the month.",
    "finding_id": "Check and object: the same finding next month has the same id.",
    "is_waived": "True where a waiver covers the finding.",
    "object_kind": "What was looked at.",
    "object_id": "Id of the object.",
    "agent_id": "Agent that the object belongs to; empty when none.",
    "team_id": "Team that the object belongs to; empty when none.",
    "run_id": "Run that the object belongs to; empty when none.",
    "person_id": "Person whom the finding is about; empty when none.",
    "detail": "What is wrong, in words.",
    "remedy": "What to do about it.",
    "clauses": "Clauses that the check gives evidence for.",
    "case_id": "Case that was opened for the check; empty when none.",
    "due_at": "When the case has to be closed, UTC.",
}


@dataclass(frozen=True, kw_only=True)
class Due:
    """What never changes about the case of a failed check: its id and its deadline with the rule it is by."""

    case_id: str
    due_at: dt.datetime
    deadline_rule: str


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The frames of a pack; ``meanings`` says of each column of ``findings`` what it holds.

    ``planted`` is one row per reviewer who got planted errors: person_id, planted, caught.
    """

    findings: pl.DataFrame
    counts: pl.DataFrame
    agents: pl.DataFrame
    approvals: pl.DataFrame
    calls: pl.DataFrame
    planted: pl.DataFrame
    meanings: Mapping[str, str]


def read_tables(
    answer: Answer, scoped: Scoped, cases: Mapping[str, Due], granted: Sequence[Waiver] = ()
) -> Tables:
    """All rows that the pack of ``answer`` holds; ``cases`` is check to case, ``granted`` what is waived.

    Raises WarehouseError when the generation is of another release.
    """
    first, last = answer.month, last_day(answer.month)
    is_demo = answer.is_demo
    counts = scoped.query("check_counts", is_demo=is_demo, first_date=first, last_date=last)
    oversight = scoped.query("oversight", is_demo=is_demo, first_date=first, last_date=last, by="agent")
    at_risk = scoped.query("risk_agents", is_demo=is_demo, first_date=first, last_date=last)
    agents = _agents(at_risk, oversight, counts)
    ids = agents["agent_id"].to_list()
    approvals = scoped.table("fct_approvals", is_demo=is_demo, first_date=first, last_date=last)
    calls = scoped.table(
        "fct_tool_calls", is_demo=is_demo, first_date=first, last_date=last, tool_effect="consequential"
    )
    return Tables(
        findings=_findings(answer, scoped, cases, granted),
        counts=_sorted(counts),
        agents=agents,
        approvals=_sorted(approvals.filter(pl.col("agent_id").is_in(ids)).drop("is_demo")),
        calls=_sorted(calls.filter(pl.col("agent_id").is_in(ids)).drop("is_demo")),
        planted=_planted(scoped.table("fct_assurance", is_demo=is_demo, first_date=first, last_date=last)),
        meanings=_FINDING,
    )


def _planted(assured: pl.DataFrame) -> pl.DataFrame:
    cases = assured.filter(pl.col("event_type") == "seeded_case_recorded").group_by("person_id")
    return cases.agg(pl.len().alias("planted"), pl.col("is_good").sum().alias("caught")).sort("person_id")


def _findings(
    answer: Answer, scoped: Scoped, cases: Mapping[str, Due], granted: Sequence[Waiver]
) -> pl.DataFrame:
    """Every violation of the month with its check's words; checks without SQL give their first objects."""
    last = last_day(answer.month)
    rows = scoped.table("fct_check_findings", is_demo=answer.is_demo, first_date=answer.month, last_date=last)
    decided = {result.check_id for result in answer.results}
    own = rows.filter(pl.col("check_id").is_in(list(decided)))
    by_sql = set(own["check_id"].to_list())
    others = pl.DataFrame(
        [
            {
                "finding_id": f"{result.check_id} {name}",
                "check_id": result.check_id,
                "object_kind": "object",
                "object_id": name,
                "detail": result.detail,
            }
            for result in answer.results
            if result.violations and result.check_id not in by_sql
            for name in result.first_objects or (result.check_id,)
        ],
        schema={name: pl.String for name in ("finding_id", "check_id", "object_kind", "object_id", "detail")},
    )
    told = pl.DataFrame(
        [
            {
                "check_id": result.check_id,
                "severity": result.severity,
                "status": result.status,
                "remedy": result.remedy,
                "clauses": result.clauses,
                "case_id": case.case_id if case else None,
                "due_at": case.due_at if case else None,
            }
            for result in answer.results
            for case in (cases.get(result.check_id),)
        ],
        schema={
            **dict.fromkeys(("check_id", "severity", "status", "remedy", "clauses", "case_id"), pl.String),
            "due_at": pl.Datetime("us", "UTC"),
        },
    )
    rows = pl.concat([own, others], how="diagonal").join(told, on="check_id")
    open_ids = [name for check in decided for name in unwaived(check, _ids(rows, check), granted)]
    waived = (~pl.col("finding_id").is_in(open_ids)).alias("is_waived")
    return _sorted(rows.with_columns(waived).select(*_FINDING))


def _ids(rows: pl.DataFrame, check_id: str) -> list[str]:
    return rows.filter(pl.col("check_id") == check_id)["finding_id"].to_list()


def _agents(at_risk: pl.DataFrame, oversight: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """One row per agent at risk: what is set up, used and obeyed, and how people decide."""
    rules = counts.filter(pl.col("check_id").is_in(_RULES))
    wide = at_risk.join(
        oversight.select(pl.col("series").alias("agent_id"), *_LIVELY), on="agent_id", how="left"
    )
    for check_id in _RULES:
        name = check_id.lower().replace("-", "_")
        own = rules.filter(pl.col("check_id") == check_id).group_by("agent_id")
        summed = own.agg(
            pl.col("population").sum().cast(pl.Int64).alias(f"{name}_population"),
            pl.col("violations").sum().cast(pl.Int64).alias(f"{name}_violations"),
        )
        wide = wide.join(summed, on="agent_id", how="left")
    return wide.sort("agent_id")


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(frame.columns, nulls_last=True)
