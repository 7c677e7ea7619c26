{{ tool_days_summed(week_of('call_date'), 'week_start_date') }}
