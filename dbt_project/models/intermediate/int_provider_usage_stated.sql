{#
  The lines of providers' exports that hold: of imports that came to their end, for each account, kind and day
  (for an invoice: its number) those of the newest import.
#}
with

reports as (
    select * from {{ ref('stg_events__providers') }}
    where event_type = 'provider_report_imported'
),

lines as (
    select
        *,
        {{ utc_date('usage_start_at') }} as usage_date
    from {{ ref('stg_events__providers') }}
    where event_type = 'provider_usage_reported'
),

imported as (
    select
        lines.*,
        case
            when lines.report_kind = 'invoice' then coalesce(lines.invoice_id, cast(lines.usage_date as string))
            else cast(lines.usage_date as string)
        end as restated_part,
        reports.occurred_at as imported_at,
        reports.recorded_at as imported_recorded_at,
        reports.source_file as report_file,
        coalesce(reports.rejected_row_count, 0) as report_rejected_row_count
    from lines
    inner join reports on reports.report_id = lines.report_id and reports.is_demo = lines.is_demo
),

ranked as (
    select
        *,
        dense_rank() over (
            partition by is_demo, provider_name, provider_account, report_kind, restated_part
            order by imported_recorded_at desc nulls last, report_id desc
        ) as report_rank
    from imported
)

select
    event_id,
    is_demo,
    report_id,
    report_kind,
    provider_name,
    provider_account,
    usage_date,
    usage_start_at,
    usage_end_at,
    served_model as model_name,
    {{ model_family('served_model') }} as model_family,
    usage_item,
    invoice_id,
    request_count,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    case
        when input_tokens is null and output_tokens is null then null
        when coalesce(is_cache_in_input, true) then coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
        else
            coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
            + coalesce(output_tokens, 0)
    end as total_tokens,
    billed_cost_nano_usd,
    imported_at,
    report_file,
    report_rejected_row_count
from ranked
where report_rank = 1
