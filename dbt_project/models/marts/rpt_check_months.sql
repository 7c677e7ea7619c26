select
    check_id,
    month_start_date,
    agent_id,
    team_id,
    is_demo,
    cast(sum(population) as bigint) as population,
    cast(sum(case when is_violation then row_count else 0 end) as bigint) as violations
from {{ ref('int_check_rows') }}
where month_start_date is not null
group by check_id, month_start_date, agent_id, team_id, is_demo
