with

versions as (
    select * from {{ ref('rpt_version_quarters') }}
),

people as (
    select * from {{ ref('dim_people') }}
),

users as (
    select
        runs.agent_id,
        runs.is_demo,
        {{ quarter_of('runs.run_date') }} as quarter_start_date,
        count(distinct runs.actor_id) as users,
        count(distinct people.team_id) as user_teams
    from {{ ref('fct_runs') }} as runs
    left join people on people.person_id = runs.actor_id and people.is_demo = runs.is_demo
    where runs.is_terminal and runs.agent_id is not null
    group by runs.agent_id, runs.is_demo, {{ quarter_of('runs.run_date') }}
),

refusals as (
    select
        agent_id,
        is_demo,
        {{ quarter_of('refused_date') }} as quarter_start_date,
        count(*) as refusals,
        count(case when refusal_rule like 'wallet%' then 1 end) as wallet_refusals
    from {{ ref('fct_refusals') }}
    where agent_id is not null
    group by agent_id, is_demo, {{ quarter_of('refused_date') }}
),

version_sums as (
    select
        agent_id, is_demo, quarter_start_date,
{% for name in ['runs', 'successes', 'intervened', 'failed', 'cancelled', 'runs_cost_exact', 'tool_calls_executed', 'tool_errors'] %}
        sum({{ name }}) as {{ name }},
{% endfor %}
        sum(cost_usd) as cost_usd,
        sum(exact_cost_usd) as exact_cost_usd,
        max(last_run_date) as last_run_date
    from versions
    group by agent_id, is_demo, quarter_start_date
),

keys as (
    select agent_id, is_demo, quarter_start_date from version_sums
    union
    select agent_id, is_demo, quarter_start_date from refusals
)

select
    keys.agent_id,
    agents.team_id,
    keys.is_demo,
    keys.quarter_start_date,
{% for name in ['runs', 'successes', 'intervened', 'failed', 'cancelled', 'runs_cost_exact', 'tool_calls_executed', 'tool_errors'] %}
    cast(coalesce(version_sums.{{ name }}, 0) as bigint) as {{ name }},
{% endfor %}
    cast(version_sums.cost_usd as decimal(18, 9)) as cost_usd,
    cast(version_sums.exact_cost_usd as decimal(18, 9)) as exact_cost_usd,
    cast(coalesce(users.users, 0) as bigint) as users,
    cast(coalesce(users.user_teams, 0) as bigint) as user_teams,
    cast(coalesce(refusals.refusals, 0) as bigint) as refusals,
    cast(coalesce(refusals.wallet_refusals, 0) as bigint) as wallet_refusals,
    version_sums.last_run_date
from keys
inner join {{ ref('dim_agents') }} as agents on agents.agent_id = keys.agent_id and agents.is_demo = keys.is_demo
{% for side in ['version_sums', 'users', 'refusals'] %}
left join {{ side }}
    on
        {{ side }}.agent_id = keys.agent_id
        and {{ side }}.is_demo = keys.is_demo
        and {{ side }}.quarter_start_date = keys.quarter_start_date
{% endfor %}
