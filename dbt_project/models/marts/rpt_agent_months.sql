{{ agent_days_summed(month_of('run_date'), 'month_start_date') }}
