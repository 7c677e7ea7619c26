with

restatements as (
    select * from {{ ref('stg_events__restatements') }}
    where event_type = 'restatement_made'
    qualify row_number() over (
        partition by restatement_id, is_demo order by occurred_at nulls last, event_id
    ) = 1
),

lines as (
    select * from {{ ref('stg_events__restatements') }}
    where event_type = 'cost_restated'
),

days as (
    select distinct
        charge_date,
        is_demo
    from lines
),

-- of each day what was stated last, also where that has nothing to say of it
newest as (
    select
        days.charge_date,
        days.is_demo,
        restatements.restatement_id,
        restatements.occurred_at as restated_at,
        restatements.person_id as restated_by,
        restatements.reason
    from days
    inner join restatements on restatements.is_demo = days.is_demo and restatements.charge_date <= days.charge_date
    qualify row_number() over (
        partition by days.charge_date, days.is_demo
        order by restatements.occurred_at desc nulls last, restatements.restatement_id desc
    ) = 1
)

select
    lines.charge_date,
    lines.team_id,
    lines.agent_id,
    lines.provider_name,
    lines.served_model as model_name,
    lines.call_count as calls,
    lines.compared_call_count as compared_calls,
    {{ nano_to_usd('lines.recorded_cost_nano_usd') }} as recorded_cost_usd,
    {{ nano_to_usd('lines.restated_cost_nano_usd') }} as restated_cost_usd,
    {{ nano_to_usd('lines.restated_cost_nano_usd - lines.recorded_cost_nano_usd') }} as difference_usd,
    lines.newly_priced_call_count as newly_priced_calls,
    {{ nano_to_usd('lines.newly_priced_cost_nano_usd') }} as newly_priced_cost_usd,
    lines.call_count - lines.compared_call_count - lines.newly_priced_call_count as unpriced_calls,
    lines.price_version as restated_price_version,
    newest.restatement_id,
    newest.restated_at,
    newest.restated_by,
    newest.reason,
    lines.is_demo
from lines
inner join newest
    on
        newest.restatement_id = lines.restatement_id
        and newest.charge_date = lines.charge_date
        and newest.is_demo = lines.is_demo
