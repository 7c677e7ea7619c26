"""Questions about people and rules: decisions, refusals, exports."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from app.errors import QuestionError
from app.questions.asking import Ask, Question
from app.questions.rates import with_rate

GROUPS: Mapping[str, str] = {
    "all": "'all'",
    "team": "team_id",
    "agent": "agent_id",
    "tool": "tool_name",
    "person": "decided_by",
}


def _oversight(ask: Ask) -> str:
    by = ask.text("by", "all")
    if by not in GROUPS:
        raise QuestionError(f"Oversight by {by!r} does not exist. Ask by {', '.join(GROUPS)}.")
    series = GROUPS[by]
    return f"""
with decisions as (
    select {series} as series,
        count(*) as decided,
        count(*) filter (where decision = 'approved') as approved,
        count(*) filter (where decision = 'approved_changed') as approved_changed,
        count(*) filter (where decision = 'rejected') as rejected,
        count(*) filter (where decision <> 'rejected') as approvals_yes,
        count(seconds_to_decide) as timed,
        count(*) filter (where seconds_to_decide < 2) as under_2s,
        percentile_cont(0.5) within group (order by cast(seconds_to_decide as double)) as decide_p50_s,
        percentile_cont(0.9) within group (order by cast(seconds_to_decide as double)) as decide_p90_s
    from fct_approvals
    where {ask.where("decision_date", also="is_rated")}
    group by all
),
undecided as (
    select {series} as series,
        count(*) filter (where approval_status = 'expired') as expired,
        count(*) filter (where approval_status = 'withdrawn') as withdrawn,
        count(*) filter (where approval_status = 'waiting') as waiting,
        min(requested_at) filter (where approval_status = 'waiting') as oldest_waiting_at
    from fct_approvals
    where {ask.where("requested_date", also="decision is null")}
    group by all
),
bypasses as (
    select {"cast(null as varchar)" if by == "person" else series} as series,
        count(*) as bypassed
    from fct_tool_calls
    where {ask.where("call_date", also="called_by = 'agent' and not is_approval_obeyed")}
    group by all
)
select series,
    coalesce(decided, 0) as decided, coalesce(approved, 0) as approved,
    coalesce(approved_changed, 0) as approved_changed, coalesce(rejected, 0) as rejected,
    coalesce(approvals_yes, 0) as approvals_yes,
    coalesce(timed, 0) as timed, coalesce(under_2s, 0) as under_2s,
    decide_p50_s, decide_p90_s,
    coalesce(expired, 0) as expired, coalesce(withdrawn, 0) as withdrawn,
    coalesce(bypassed, 0) as bypassed, coalesce(waiting, 0) as waiting, oldest_waiting_at
from decisions
full outer join undecided using (series)
full outer join bypasses using (series)
order by decided desc, series nulls last
"""


def _with_shares(frame: pl.DataFrame) -> pl.DataFrame:
    rated = with_rate(frame, "approval_rate", "approvals_yes", "decided")
    return with_rate(rated, "under_2s_share", "under_2s", "timed")


def _paged(mart: str, date: str, order: str, equals: Mapping[str, str]) -> Question:
    def write(ask: Ask) -> str:
        limit, offset = min(max(ask.number("limit", 200), 1), 10_000), max(ask.number("offset", 0), 0)
        return (
            f"select *, count(*) over () as total_count\nfrom {mart}\n"
            f"where {ask.where(date, equals=equals)}\n"
            f"order by {order}\nlimit {limit} offset {offset}"
        )

    return Question(
        name=mart.removeprefix("fct_"),
        meaning=f"The rows of {mart} in the period, newest first, one page; total_count is all of them.",
        write=write,
        takes={**dict.fromkeys(equals, str), "limit": int, "offset": int},
    )


QUESTIONS = (
    Question(
        name="oversight",
        meaning="Decisions by the day they were made: approved, changed, rejected, time to decide from first "
        "shown; requests that expired, were withdrawn or wait, by the "
        "day they were asked for; calls that bypassed the gate, by the day of the call.",
        write=_oversight,
        takes={"by": str},
        finish=_with_shares,
    ),
    _paged(
        "fct_approvals",
        "requested_date",
        "requested_at desc, approval_id",
        {"approval_status": "approval_status", "tool_name": "tool_name", "decided_by": "decided_by"},
    ),
    _paged(
        "fct_refusals",
        "refused_date",
        "refused_at desc, event_id",
        {"refusal_rule": "refusal_rule", "actor_id": "actor_id"},
    ),
)
