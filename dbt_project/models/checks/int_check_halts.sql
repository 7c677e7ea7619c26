{# Runs that a stop ended, and how long that took. #}
{{ config(materialized='table', meta={'by': 'run'}) }}
select
    is_demo,
    occurred_at,
    agent_id,
    team_id,
    run_id,
    halt_ns
from {{ ref('stg_events__run_proofs') }}
where event_type = 'run_ended' and halt_ns is not null
