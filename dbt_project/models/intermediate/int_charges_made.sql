{# Every model call is one charge; where a source's run total says more than its calls, the remainder is one more. A view: fct_charges holds its rows. #}
{{ config(materialized='view', meta={'by': 'run'}) }}
with

turns as (
    select * from {{ ref('int_turns_paired') }}
    where is_finished
),

runs as (
    select * from {{ ref('int_runs_found') }}
),

timed as (
    select * from {{ ref('int_runs_timed') }}
),

counted as (
    select * from {{ ref('int_runs_counted') }}
),

costed as (
    select * from {{ ref('int_runs_costed') }}
    where remainder_nano_usd <> 0
),

charges as (
    select
        run_id || '/' || cast(turn_index as string) || '/' || cast(attempt as string) as charge_id,
        run_id,
        'turn' as charge_kind,
        turn_index,
        attempt,
        provider_name,
        coalesce(served_model, requested_model) as model_name,
        -- the moment its worst case was held: a call over midnight stays in the wallet window that admitted it
        coalesce(requested_at, finished_at) as charged_at,
        list_cost_nano_usd,
        reported_cost_nano_usd,
        cost_nano_usd,
        price_version,
        input_tokens,
        output_tokens
    from turns

    union all

    select
        costed.run_id || '/remainder' as charge_id,
        costed.run_id,
        'remainder' as charge_kind,
        cast(null as bigint) as turn_index,
        cast(null as bigint) as attempt,
        counted.provider_name,
        counted.model_name,
        timed.placed_at as charged_at,
        cast(null as bigint) as list_cost_nano_usd,
        costed.remainder_nano_usd as reported_cost_nano_usd,
        costed.remainder_nano_usd as cost_nano_usd,
        cast(null as string) as price_version,
        cast(null as bigint) as input_tokens,
        cast(null as bigint) as output_tokens
    from costed
    inner join timed on timed.run_id = costed.run_id
    inner join counted on counted.run_id = costed.run_id
)

select
    charges.*,
    {{ local_date('charges.charged_at') }} as charge_date,
    runs.paying_team_id,
    runs.agent_id,
    runs.agent_version,
    runs.is_delegated,
    runs.is_demo,
    runs.recorded_via
from charges
inner join runs on runs.run_id = charges.run_id
