{{ model_days_summed(month_of('charge_date'), 'month_start_date') }}
