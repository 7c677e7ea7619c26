"""Where the time of runs goes: machine, waits for people, queue."""

from __future__ import annotations

from collections.abc import Mapping

from app.questions.asking import Ask, Question
from app.questions.fleet import is_per_agent

PARTS: Mapping[str, str] = {
    "Machine": "machine_ms",
    "Waiting for people": "waiting_ms",
    "Queue": "queue_ms",
}


def _latency(ask: Ask) -> str:
    rule = "is_terminal" if is_per_agent(ask) else "is_terminal and not is_delegated"
    times = "\n    union all\n".join(
        f"    select {place} as place, '{part}' as part, {column} as ms from ended"
        for place, (part, column) in enumerate(PARTS.items())
    )
    return f"""
with ended as (
    select * from fct_runs where {ask.where("run_date", also=rule)}
),
times as (
{times}
),
parts as (
    select place, part,
        count(*) as runs,
        count(ms) as runs_known,
        count(*) filter (where ms > 0) as runs_with,
        percentile_cont(0.5) within group (order by case when ms > 0 then cast(ms as double) end) as p50_ms,
        percentile_cont(0.95) within group (order by case when ms > 0 then cast(ms as double) end) as p95_ms,
        cast(sum(ms) as double) as total_ms
    from times
    group by place, part
)
select part, runs, runs_known, runs_with, p50_ms, p95_ms, total_ms,
    total_ms / nullif(sum(total_ms) over (), 0) as time_share
from parts
order by place
"""


QUESTIONS = (
    Question(
        name="latency",
        meaning="Machine time, waits for people and queue of the runs that ended in the period: in how many "
        "runs there was any, median and 95th percentile of those, and the share of all time.",
        write=_latency,
    ),
)
