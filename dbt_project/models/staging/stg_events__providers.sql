{# What model providers state in their usage, cost and invoice exports, and the imports that brought it. #}
with

source as (
    select * from {{ ref('stg_events_few') }}
),

providers as (
    select
        -- identity
        event_id,
        event_type,
        report_id,
        invoice_id,

        -- what is stated
        report_kind,
        provider_name,
        provider_account,
        served_model,
        usage_item,
        is_cache_in_input,
        source_file,

        -- measures
        request_count,
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        billed_cost_nano_usd,
        row_count,
        rejected_row_count,

        -- provenance
        recorded_via,
        is_demo,
        writer_id,
        seq,

        -- time
        usage_start_at,
        usage_end_at,
        occurred_at,
        recorded_at
    from source
    where event_type in ('provider_usage_reported', 'provider_report_imported')
)

select * from providers
