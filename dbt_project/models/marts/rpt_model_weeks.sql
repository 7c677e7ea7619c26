{{ model_days_summed(week_of('charge_date'), 'week_start_date') }}
