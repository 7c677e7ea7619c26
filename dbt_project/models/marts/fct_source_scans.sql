with

scans as (
    select * from {{ ref('stg_events__sources') }}
)

select
    event_id,
    source_file,
    content_sha256,
    recorded_via,
    cast(null as string) as team_id,
    expected_run_count,
    found_run_count,
    rejected_run_count,
    expected_run_count - found_run_count as missing_run_count,
    warnings,
    occurred_at as scanned_at,
    {{ local_date('occurred_at') }} as scan_date,
    is_demo
from scans
