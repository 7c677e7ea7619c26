-- Would have caught: a running or refused run in a rate.
select *
from {{ ref('fct_runs') }}
where is_terminal <> (outcome is not null) or is_terminal <> (end_state is not null) or (is_terminal and ended_at is null and is_time_known)
