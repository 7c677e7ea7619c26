with

access as (
    select * from {{ ref('stg_events__access') }}
    where event_type = 'export_created'
)

select
    export_id,
    person_id,
    team_id,
    export_format,
    row_count,
    content_sha256,
    filter_text,
    occurred_at as created_at,
    {{ local_date('occurred_at') }} as created_date,
    is_demo
from access
qualify row_number() over (partition by export_id order by occurred_at nulls last, event_id) = 1
