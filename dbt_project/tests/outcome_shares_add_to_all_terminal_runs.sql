-- Would have caught: a new end state that falls into none of the four outcomes.
select *
from {{ ref('rpt_agent_days') }}
where clean + intervened + failed + cancelled <> runs or successes <> clean
