{{ tool_days_summed(month_of('call_date'), 'month_start_date') }}
