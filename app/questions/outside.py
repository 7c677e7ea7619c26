"""Questions about agents built elsewhere: who is not registered, and how much of each source was reached."""

from __future__ import annotations

from app.questions.asking import Ask, Question


def _unregistered(ask: Ask) -> str:
    return f"""
with run_figures as (
    select agent_id, is_demo, count(*) as runs, sum(cost_usd) as cost_usd,
        count(*) filter (where cost_usd is null) as runs_cost_unknown,
        sum(turn_count) as turns, sum(tool_call_count) as tool_calls
    from fct_runs
    where {ask.where("run_date")}
    group by agent_id, is_demo
)
select dim_agents.agent_id, dim_agents.team_id, dim_agents.recorded_via, dim_agents.model_name,
    dim_agents.first_run_at, dim_agents.last_run_at, run_figures.* exclude (agent_id, is_demo)
from dim_agents
inner join run_figures
    on run_figures.agent_id = dim_agents.agent_id and run_figures.is_demo = dim_agents.is_demo
where not dim_agents.is_registered
order by run_figures.cost_usd desc nulls last, run_figures.runs desc, dim_agents.agent_id
"""


def _coverage(ask: Ask) -> str:
    where = ask.where("scan_date", equals={"agent_id": "", "team_id": ""})
    return f"""
with newest as (
    select * from fct_source_scans
    where {where}
    qualify row_number() over (
        partition by source_file, recorded_via order by scanned_at desc nulls last, event_id desc
    ) = 1
)
select source_file, recorded_via, scanned_at, expected_run_count as expected, found_run_count as reached,
    coalesce(rejected_run_count, 0) as failed,
    greatest(expected_run_count - found_run_count - coalesce(rejected_run_count, 0), 0) as missing,
    warnings
from newest
order by failed desc, missing desc nulls last, source_file, recorded_via
"""


QUESTIONS = (
    Question(
        name="unregistered",
        meaning="Agents that only events know: first and last seen, runs, calls and cost in the period.",
        write=_unregistered,
    ),
    Question(
        name="coverage",
        meaning="Each source as scanned last: runs it was said to hold, reached, failed, missing.",
        write=_coverage,
    ),
)
