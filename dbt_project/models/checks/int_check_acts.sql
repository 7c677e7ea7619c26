{# Who asked for runs, started them or decided in them, and when. #}
{{ config(materialized='table', meta={'by': 'run'}) }}
select event_id, actor_id as person_id, occurred_at, run_id, agent_id, team_id, is_demo
from {{ ref('stg_events__runs') }}
where event_type in ('run_requested', 'run_started')
union all
select event_id, person_id, occurred_at, run_id, agent_id, team_id, is_demo
from {{ ref('stg_events__approvals') }}
where event_type = 'approval_decided'
