{{ agent_days_summed(week_of('run_date'), 'week_start_date') }}
