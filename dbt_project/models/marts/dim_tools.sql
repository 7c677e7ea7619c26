with

catalogue as (
    select * from {{ ref('stg_events__catalogue') }}
    where tool_name is not null
),

newest as (
    select * from catalogue
    qualify row_number() over (
        partition by tool_name, is_demo order by occurred_at desc nulls last, event_id desc
    ) = 1
),

declared as (
    select
        tool_name,
        is_demo,
        max_by(tool_effect, occurred_at) as tool_effect,
        max_by(is_grant_needed, occurred_at) as is_grant_needed,
        min(occurred_at) as declared_at
    from catalogue
    where event_type = 'tool_declared'
    group by tool_name, is_demo
),

called as (
    select
        calls.tool_name,
        runs.is_demo,
        max(calls.tool_effect) as tool_effect,
        min(coalesce(calls.requested_at, calls.finished_at)) as first_called_at,
        max(coalesce(calls.requested_at, calls.finished_at)) as last_called_at
    from {{ ref('int_tool_calls_paired') }} as calls
    inner join {{ ref('int_runs_found') }} as runs on runs.run_id = calls.run_id
    where calls.called_by = 'agent'
    group by calls.tool_name, runs.is_demo
),

joined as (
    select
        coalesce(declared.tool_name, called.tool_name) as tool_name,
        coalesce(declared.tool_effect, called.tool_effect) as tool_effect,
        declared.is_grant_needed,
        declared.declared_at,
        called.first_called_at,
        called.last_called_at,
        coalesce(declared.is_demo, called.is_demo) as is_demo
    from declared
    full outer join called on called.tool_name = declared.tool_name and called.is_demo = declared.is_demo
)

select
    joined.tool_name,
    joined.tool_effect,
    joined.is_grant_needed,
    coalesce(newest.event_type = 'tool_declared', false) as is_declared,
    joined.declared_at,
    case when newest.event_type = 'tool_removed' then newest.occurred_at end as removed_at,
    joined.first_called_at,
    joined.last_called_at,
    joined.is_demo
from joined
left join newest on newest.tool_name = joined.tool_name and newest.is_demo = joined.is_demo
where joined.tool_name is not null
