{#
  What was declared, per population. An agent, team, person or wallet that has rows in one population and
  is declared in the other only (real runs imported into a demo workspace) takes that declaration.
#}
with

declarations as (
    select
        *,
        case
            when event_type = 'team_declared' then 'team:' || team_id
            when event_type in ('person_declared', 'person_removed') then 'person:' || person_id
            else 'agent:' || agent_id
        end as subject
    from {{ ref('stg_events__registry') }}
    where event_type in (
        'team_declared', 'person_declared', 'person_removed', 'agent_version_declared', 'version_approved',
        'tool_rule_set', 'owner_changed', 'status_changed'
    )
),

declared as (
    select distinct
        subject,
        is_demo
    from declarations
),

acting as (
    select 'agent:' || agent_id as subject, is_demo from {{ ref('int_runs_found') }}
    union
    select 'team:' || team_id as subject, is_demo from {{ ref('int_runs_found') }}
    union
    select 'person:' || actor_id as subject, is_demo from {{ ref('int_runs_found') }}
),

borrowing as (
    select
        acting.subject,
        acting.is_demo
    from acting
    left join declared on declared.subject = acting.subject and declared.is_demo = acting.is_demo
    where declared.subject is null and acting.subject is not null
),

borrowed as (
    select
        declarations.*,
        borrowing.is_demo as applies_to_demo
    from declarations
    inner join borrowing on borrowing.subject = declarations.subject
)

select
    declarations.*,
    declarations.is_demo as applies_to_demo
from declarations
union all
select * from borrowed
