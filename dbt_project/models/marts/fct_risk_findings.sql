with

found as (
    select * from {{ ref('stg_events__risk') }}
    where event_type = 'risk_found'
    qualify row_number() over (partition by finding_id, is_demo order by occurred_at nulls last, event_id) = 1
),

-- who settles it writes into the log of the workspace: the row may be demo data where the event is not
settled as (
    select * from {{ ref('stg_events__risk') }}
    where event_type = 'risk_settled'
    qualify row_number() over (partition by finding_id order by occurred_at nulls last, event_id) = 1
),

agents as (
    select * from {{ ref('int_agents_declared') }}
)

select
    found.finding_id,
    found.risk_kind,
    found.severity,
    found.agent_id,
    coalesce(found.team_id, agents.team_id) as team_id,
    found.run_id,
    found.person_id,
    found.reason,
    found.evidence_ids,
    found.text_places,
    found.rule_version,
    found.event_id,
    found.occurred_at as found_at,
    {{ local_date('found.occurred_at') }} as found_date,
    settled.occurred_at as settled_at,
    settled.person_id as settled_by,
    settled.reason as settled_reason,
    found.is_demo
from found
left join settled on settled.finding_id = found.finding_id
left join agents on agents.agent_id = found.agent_id and agents.is_demo = found.is_demo
