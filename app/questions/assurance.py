"""Questions of the monthly check: agents at risk and how people oversee them, findings, counts per check."""

from __future__ import annotations

from app.questions.asking import Ask, Question


def _risk_agents(ask: Ask) -> str:
    return f"""
with at_risk as (
    select agent_id, team_id, agent_name, purpose, owner_id, deputy_id, status, model_name,
        coalesce(risk_class, 'not classified') as risk_class
    from dim_agents
    where is_registered and coalesce(risk_class, 'high') = 'high'
        and {ask.where(equals={"team_id": "team_id", "agent_id": "agent_id"})}
),
ran as (
    select agent_id, count(*) as runs, count(distinct agent_version) as versions
    from fct_runs
    where {ask.where("run_date", also="started_at is not null")}
    group by agent_id
),
versions_ran as (
    select distinct agent_id, agent_version
    from fct_runs
    where {ask.where("run_date", also="started_at is not null")}
),
tools as (
    select dim_agent_tools.agent_id,
        count(*) as consequential_tools,
        count(approval_rule) as ruled_tools
    from dim_agent_tools
    inner join versions_ran
        on versions_ran.agent_id = dim_agent_tools.agent_id
        and versions_ran.agent_version = dim_agent_tools.agent_version
    where tool_effect = 'consequential'
    group by dim_agent_tools.agent_id
),
calls as (
    select agent_id,
        count(*) as consequential_calls,
        count(approval_id) as asked_calls,
        count(*) filter (where is_executed) as executed_calls,
        count(*) filter (where is_executed and approval_id is null) as unasked_calls
    from fct_tool_calls
    where {ask.where("call_date", also="tool_effect = 'consequential' and called_by = 'agent'")}
    group by agent_id
)
select at_risk.*,
    coalesce(runs, 0) as runs, coalesce(versions, 0) as versions,
    coalesce(consequential_tools, 0) as consequential_tools, coalesce(ruled_tools, 0) as ruled_tools,
    coalesce(consequential_calls, 0) as consequential_calls, coalesce(asked_calls, 0) as asked_calls,
    coalesce(executed_calls, 0) as executed_calls, coalesce(unasked_calls, 0) as unasked_calls
from at_risk
left join ran on ran.agent_id = at_risk.agent_id
left join tools on tools.agent_id = at_risk.agent_id
left join calls on calls.agent_id = at_risk.agent_id
order by at_risk.agent_id
"""


def _check_counts(ask: Ask) -> str:
    return f"""
select check_id, agent_id, team_id, cast(sum(population) as bigint) as population,
    cast(sum(violations) as bigint) as violations
from rpt_check_months
where {ask.where("month_start_date")}
group by check_id, agent_id, team_id
order by check_id, agent_id nulls last, team_id nulls last
"""


QUESTIONS = (
    Question(
        name="risk_agents",
        meaning="Agents of high risk, or without a risk class, and in the period: runs, versions that ran, "
        "consequential tools of these with and without a rule, consequential calls, those that asked a "
        "person, those executed, and those executed without having asked.",
        write=_risk_agents,
    ),
    Question(
        name="check_counts",
        meaning="How many objects each check looked at and how many break it, per agent, in the months "
        "that begin in the period.",
        write=_check_counts,
    ),
)
