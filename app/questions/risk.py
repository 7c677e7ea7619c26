"""Questions of the checks between months: what agents did in the window beside what they usually do."""

from __future__ import annotations

from app.questions.asking import Ask, Question

_HISTORY = {"history_date": object, "min_runs": int}


def _history(ask: Ask, date: str) -> str:
    """The days before the window that an agent is compared with, of the asked agents."""
    first = ask.bind("first_date", ask.day("first_date"))
    since = ask.bind("history_date", ask.day("history_date"))
    return f"{date} >= {since} and {date} < {first} and {ask.where()}"


def _run_figures(ask: Ask) -> str:
    enough = ask.bind("min_runs", ask.number("min_runs", 1))
    return f"""
with usual as (
    select agent_id,
        count(cost_usd) as cost_runs, median(cast(cost_usd as double)) as cost_median,
        mad(cast(cost_usd as double)) as cost_mad,
        count(machine_ms) as latency_runs, median(cast(machine_ms as double)) as latency_median,
        mad(cast(machine_ms as double)) as latency_mad,
        count(*) as runs, median(coalesce(tool_call_count, 0)) as calls_median
    from fct_runs
    where {_history(ask, "run_date")}
    group by agent_id
    having count(*) >= {enough}
)
select fct_runs.run_id, fct_runs.agent_id, fct_runs.team_id, fct_runs.run_date,
    cast(fct_runs.cost_usd as double) as cost_usd, cast(fct_runs.machine_ms as double) as latency_ms,
    coalesce(fct_runs.tool_call_count, 0) as tool_calls,
    usual.* exclude (agent_id)
from fct_runs
inner join usual on usual.agent_id = fct_runs.agent_id
where {ask.where("run_date", equals={"team_id": "fct_runs.team_id", "agent_id": "fct_runs.agent_id"})}
order by fct_runs.run_id
"""


def _day_costs(ask: Ask) -> str:
    days = ask.bind("min_weekdays", ask.number("min_weekdays", 1))
    return f"""
with days as (
    select agent_id, any_value(team_id) as team_id, run_date, dayofweek(run_date) as weekday,
        cast(sum(cost_usd) as double) as cost_usd, count(cost_usd) as runs
    from fct_runs
    where cost_usd is not null and run_date <= {ask.bind("last_date", ask.day("last_date"))}
        and run_date >= {ask.bind("history_date", ask.day("history_date"))} and {ask.where()}
    group by agent_id, run_date
),
usual as (
    select agent_id, weekday, count(*) as days_known,
        median(cost_usd) as cost_median, mad(cost_usd) as cost_mad
    from days
    where run_date < {ask.bind("first_date", ask.day("first_date"))}
    group by agent_id, weekday
    having count(*) >= {days}
)
select days.agent_id, days.team_id, days.run_date, days.cost_usd, days.runs,
    usual.days_known, usual.cost_median, usual.cost_mad
from days
inner join usual on usual.agent_id = days.agent_id and usual.weekday = days.weekday
where days.run_date >= {ask.bind("first_date", ask.day("first_date"))}
order by days.agent_id, days.run_date
"""


def _repeated_calls(ask: Ask) -> str:
    times = ask.bind("times", ask.number("times", 2))
    return f"""
select run_id, agent_id, any_value(team_id) as team_id, tool_name, arguments_digest, count(*) as calls,
    min(call_index) as first_call, max(call_index) as last_call
from fct_tool_calls
where arguments_digest is not null and coalesce(called_by, 'agent') = 'agent' and {ask.where("call_date")}
group by run_id, agent_id, tool_name, arguments_digest
having count(*) >= {times}
order by run_id, tool_name, arguments_digest
"""


def _agent_tools(ask: Ask) -> str:
    enough = ask.bind("min_runs", ask.number("min_runs", 1))
    return f"""
with experienced as (
    select agent_id, count(*) as runs
    from fct_runs
    where {_history(ask, "run_date")}
    group by agent_id
    having count(*) >= {enough}
),
used_before as (
    select distinct agent_id, tool_name
    from fct_tool_calls
    where coalesce(called_by, 'agent') = 'agent' and {_history(ask, "call_date")}
),
used as (
    select agent_id, tool_name, any_value(team_id) as team_id, count(*) as calls,
        max(tool_effect) filter (where tool_effect = 'consequential') is not null as is_consequential,
        min_by(run_id, (call_date, run_id)) as run_id, min_by(call_index, (call_date, run_id)) as call_index
    from fct_tool_calls
    where coalesce(called_by, 'agent') = 'agent' and agent_id is not null and {ask.where("call_date")}
    group by agent_id, tool_name
)
select used.*, experienced.runs, used_before.tool_name is null as is_new,
    dim_agents.is_registered and not dim_agents.is_adopted as is_own,
    tools.tool_name is not null as is_declared
from used
inner join experienced on experienced.agent_id = used.agent_id
left join used_before on used_before.agent_id = used.agent_id and used_before.tool_name = used.tool_name
left join dim_agents on dim_agents.agent_id = used.agent_id
left join (select distinct agent_id, tool_name from dim_agent_tools) as tools
    on tools.agent_id = used.agent_id and tools.tool_name = used.tool_name
order by used.agent_id, used.tool_name
"""


def _denials(ask: Ask) -> str:
    times = ask.bind("times", ask.number("times", 2))
    named = {"team_id": "fct_tool_calls.team_id", "agent_id": "fct_tool_calls.agent_id"}
    return f"""
with denials as (
    select event_id as evidence, actor_id as person_id, agent_id, team_id, refused_date as denied_date,
        refusal_rule as rule
    from fct_refusals
    where coalesce(refusal_rule, '') not like 'wallet:%' and {ask.where("refused_date")}
    union all
    select concat(fct_tool_calls.run_id, ':', fct_tool_calls.call_index), fct_runs.actor_id,
        fct_tool_calls.agent_id, fct_tool_calls.team_id, fct_tool_calls.call_date,
        concat('tool ', fct_tool_calls.tool_name)
    from fct_tool_calls
    inner join fct_runs on fct_runs.run_id = fct_tool_calls.run_id
    where fct_tool_calls.tool_outcome in ('denied', 'refused')
        and {ask.where("call_date", equals=named)}
)
select person_id, agent_id, any_value(team_id) as team_id, denied_date, count(*) as denials,
    array_to_string(list_sort(list(distinct rule)), ', ') as rules,
    list_sort(list(evidence))[1:20] as evidence
from denials
group by person_id, agent_id, denied_date
having count(*) >= {times}
order by denied_date, agent_id nulls last, person_id nulls last
"""


def _populations(ask: Ask) -> str:
    return f"""
select
    (select count(distinct run_id) from fct_tool_calls where {ask.where("call_date")}) as runs_with_calls,
    (select count(*) from fct_runs where {ask.where("run_date")}) as runs,
    (select count(distinct agent_id) from fct_runs where {ask.where("run_date")}) as agents,
    (select count(*) from fct_refusals where {ask.where("refused_date")}) as refusals
"""


def _texts(ask: Ask) -> str:
    return f"""
select run_id, agent_id, team_id, payload_id, 'output' as kind, turn_index as place
from fct_turns
where payload_id is not null and {ask.where("turn_date")}
union all
select run_id, agent_id, team_id, arguments_payload_id, 'output', call_index
from fct_tool_calls
where arguments_payload_id is not null and coalesce(called_by, 'agent') = 'agent' and {ask.where("call_date")}
union all
select run_id, agent_id, team_id, result_payload_id, 'result', call_index
from fct_tool_calls
where result_payload_id is not null and coalesce(called_by, 'agent') = 'agent' and {ask.where("call_date")}
order by run_id, kind, place, payload_id
"""


QUESTIONS = (
    Question(
        name="risk_runs",
        meaning="Runs of the period with cost, active time and tool calls beside median and MAD of the "
        "agent's runs before it, for agents with enough of these.",
        write=_run_figures,
        takes=_HISTORY,
    ),
    Question(
        name="risk_days",
        meaning="Cost per agent and day of the period beside median and MAD of the same weekday before it.",
        write=_day_costs,
        takes={"history_date": object, "min_weekdays": int},
    ),
    Question(
        name="risk_repeated",
        meaning="Tool calls that one run made so many times with the same arguments.",
        write=_repeated_calls,
        takes={"times": int},
    ),
    Question(
        name="risk_tools",
        meaning="Tools that agents with enough runs before the period called in it: whether they did before, "
        "and whether a version of the agent declares them.",
        write=_agent_tools,
        takes=_HISTORY,
    ),
    Question(
        name="risk_denials",
        meaning="Refused runs (but for empty wallets) and refused or denied tool calls per person, agent "
        "and day, where there are so many.",
        write=_denials,
        takes={"times": int},
    ),
    Question(
        name="risk_populations",
        meaning="How many runs, runs with tool calls, agents and refusals the period has.",
        write=_populations,
    ),
    Question(
        name="risk_texts",
        meaning="Ids of the texts that agents wrote and tools returned in the period; not the texts.",
        write=_texts,
    ),
)
