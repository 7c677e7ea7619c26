with

populations as (
    select * from {{ ref('int_populations_counted') }}
)

select
    cast({{ env_var('FLEETBOOK_BUILD_ID', '0') }} as bigint) as build_id,
    cast({{ env_var('FLEETBOOK_BUILT_AT', "'1970-01-01T00:00:00Z'") }} as timestamptz) as built_at,
    max(data_until) as data_until,
    max(case when is_demo then news_until end) as demo_data_until,
    max(case when not is_demo then news_until end) as real_data_until,
    cast(coalesce(sum(event_count), 0) as bigint) as event_count,
    cast({{ env_var('FLEETBOOK_CHECKPOINT_SIZE', 'null') }} as bigint) as checkpoint_size,
    cast({{ env_var('FLEETBOOK_CHECKPOINT_ROOT', 'null') }} as string) as checkpoint_root,
    '{{ company_time_zone() }}' as time_zone,
    coalesce(bool_or(is_demo and news_until is not null), false) as has_demo,
    coalesce(bool_or(not is_demo and news_until is not null), false) as has_real
from populations
