{#
  The cost of a run and how sure it is. In this order:
  1. every model call has a list price: their sum, exact;
  2. the source states a total above 0: that total, exact (a stated 0 means "no price", not "free"),
     or the sum of its calls where both agree within rounding (one nano-USD a call);
  3. every call has some cost: their sum, exact;  4. some have: their sum, a floor;
  5. a run of ours without any model call: 0, exact (a call is in the log before it is made);  6. else unknown.
#}
{{ config(meta={'by': 'run'}) }}
with

runs as (
    select * from {{ ref('int_runs_timed') }}
),

found as (
    select * from {{ ref('int_runs_found') }}
),

calls as (
    select
        run_id,
        count(*) as call_count,
        count(list_cost_nano_usd) as listed_count,
        count(cost_nano_usd) as costed_count,
        cast(sum(list_cost_nano_usd) as bigint) as list_cost_nano_usd,
        cast(sum(cost_nano_usd) as bigint) as summed_cost_nano_usd
    from {{ ref('int_turns_paired') }}
    -- an attempt in flight has no cost yet; one that never ended has an unknown cost
    where is_finished or run_id in (select run_id from {{ ref('int_runs_timed') }} where run_status = 'ended')
    group by run_id
),

joined as (
    select
        runs.run_id,
        found.is_from_outside,
        calls.list_cost_nano_usd,
        calls.summed_cost_nano_usd,
        nullif(runs.reported_cost_nano_usd, 0) as reported_cost_nano_usd,
        coalesce(calls.call_count, 0) as call_count,
        coalesce(calls.listed_count, 0) as listed_count,
        coalesce(calls.costed_count, 0) as costed_count
    from runs
    inner join found on found.run_id = runs.run_id
    left join calls on calls.run_id = runs.run_id
),

based as (
    select
        *,
        case
            when call_count > 0 and listed_count = call_count then 'calls'
            when
                reported_cost_nano_usd is not null and costed_count = call_count and call_count > 0
                and abs(reported_cost_nano_usd - summed_cost_nano_usd) <= call_count
                then 'calls'
            when reported_cost_nano_usd is not null then 'reported'
            when call_count > 0 and costed_count = call_count then 'calls'
            when costed_count > 0 then 'some_calls'
            when call_count = 0 and not is_from_outside then 'no_calls'
            else 'unknown'
        end as cost_basis
    from joined
)

select
    run_id,
    list_cost_nano_usd,
    cost_basis,
    case cost_basis
        when 'calls' then summed_cost_nano_usd
        when 'some_calls' then summed_cost_nano_usd
        when 'reported' then reported_cost_nano_usd
        when 'no_calls' then 0
    end as cost_nano_usd,
    case cost_basis
        when 'some_calls' then 'floor'
        when 'unknown' then 'unknown'
        else 'exact'
    end as cost_status,
    -- what the source's total adds to its single calls; a charge of its own, so that charges add up to runs
    case cost_basis when 'reported' then reported_cost_nano_usd - coalesce(summed_cost_nano_usd, 0) end as remainder_nano_usd
from based
