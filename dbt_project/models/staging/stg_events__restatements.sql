{# Past calls at other list prices, and the restatements that this belongs to. #}
with

source as (
    select * from {{ ref('stg_events_once') }}
),

restatements as (
    select
        -- identity
        event_id,
        event_type,
        restatement_id,
        team_id,
        agent_id,
        person_id,
        reason,

        -- what was priced again
        cast(charge_date as date) as charge_date,
        provider_name,
        served_model,
        price_version,

        -- measures
        call_count,
        compared_call_count,
        newly_priced_call_count,
        recorded_cost_nano_usd,
        restated_cost_nano_usd,
        newly_priced_cost_nano_usd,

        -- provenance
        recorded_via,
        is_demo,
        writer_id,
        seq,

        -- time
        occurred_at,
        recorded_at
    from source
    where event_type in ('cost_restated', 'restatement_made')
)

select * from restatements
