-- Would have caught: attempts lost by a join on the turn without its attempt.
with

finished as (
    select
        run_id,
        turn_index,
        attempt
    from {{ ref('fct_turns') }}
    where is_finished
),

charged as (
    select
        run_id,
        turn_index,
        attempt,
        count(*) as charge_count
    from {{ ref('fct_charges') }}
    where charge_kind = 'turn'
    group by run_id, turn_index, attempt
)

select *
from finished
full outer join charged
    on
        charged.run_id = finished.run_id
        and charged.turn_index = finished.turn_index
        and charged.attempt = finished.attempt
where finished.run_id is null or charged.run_id is null or charged.charge_count <> 1
