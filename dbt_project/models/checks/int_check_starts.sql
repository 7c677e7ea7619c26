{# What the first events of a run prove: the specification it ran, the commitment to its task. #}
{{ config(materialized='table', meta={'by': 'run'}) }}
select
    run_id,
    max(version_hash) as version_hash,
    count(distinct version_hash) as version_hash_count,
    max(case when event_type = 'run_requested' then payload_commit end) as input_commit,
    min(case when event_type = 'run_requested' then role_id end) as role_id,
    min(case when event_type = 'run_requested' then content_capture end) as content_capture
from {{ ref('stg_events__run_proofs') }}
where event_type in ('run_requested', 'run_started')
group by run_id
