with

source as (
    select * from {{ ref('stg_events_few') }}
),

sources as (
    select
        -- identity
        event_id,
        event_type,
        content_sha256,

        -- source
        source_file,
        warnings,

        -- measures
        expected_run_count,
        found_run_count,
        rejected_run_count,

        -- provenance
        recorded_via,
        is_demo,
        writer_id,
        seq,

        -- time
        occurred_at,
        recorded_at
    from source
    where event_type = 'source_scanned'
)

select * from sources
