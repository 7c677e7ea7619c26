"""Questions about model providers: does the log hold what they charge?"""

from __future__ import annotations

from app.questions.asking import Ask, Question

_NO_TEAM = {"agent_id": "", "team_id": ""}
FINDINGS = (
    "not_in_log",
    "partly_in_log",
    "more_in_log",
    "not_at_provider",
    "price_missing",
    "price_differs",
    "tokens_unknown",
)
"""Words of ``comparison`` that somebody has to look at; the others match, or say that nothing is known."""


def _captured(ask: Ask) -> str:
    where = ask.where("usage_date", equals=_NO_TEAM)
    found = ", ".join(f"'{word}'" for word in FINDINGS)
    return f"""
with whole_days as (
    select * from rpt_provider_days
    where {where}
)
select provider_name, model_name, min(usage_date) as first_date, max(usage_date) as last_date,
    count(*) as days,
    count(*) filter (where is_cost_whole or is_usage_whole) as days_compared,
    count(*) filter (where comparison in ({found})) as days_found,
    sum(provider_cost_usd) filter (where is_cost_whole) as provider_cost_usd,
    sum(log_cost_usd) filter (where is_cost_whole) as log_cost_usd,
    sum(log_unknown_charge_count) filter (where is_cost_whole) as unknown_charges,
    case when coalesce(sum(log_unknown_charge_count) filter (where is_cost_whole), 0) = 0
        then cast(sum(log_cost_usd) filter (where is_cost_whole) as double)
            / nullif(cast(sum(provider_cost_usd) filter (where is_cost_whole) as double), 0)
    end as captured_cost_share,
    sum(provider_tokens) filter (where is_usage_whole) as provider_tokens,
    sum(log_tokens) filter (where is_usage_whole) as log_tokens,
    case when coalesce(sum(log_unmetered_call_count) filter (where is_usage_whole), 0) = 0
        then cast(sum(log_tokens) filter (where is_usage_whole) as double)
            / nullif(cast(sum(provider_tokens) filter (where is_usage_whole) as double), 0)
    end as captured_tokens_share
from whole_days
group by provider_name, model_name
order by days_compared = 0, provider_name, model_name nulls first
"""


def _findings(ask: Ask) -> str:
    found = ", ".join(f"'{word}'" for word in FINDINGS)
    where = ask.where("usage_date", equals=_NO_TEAM, also=f"comparison in ({found})")
    return f"""
select *
from rpt_provider_days
where {where}
order by abs(coalesce(provider_cost_usd, 0) - coalesce(log_cost_usd, 0)) desc, usage_date,
    provider_name, model_name
"""


def _months(ask: Ask) -> str:
    where = ask.where("month_start_date", equals=_NO_TEAM)
    return f"""
select *
from rpt_provider_months
where {where}
order by month_start_date desc, provider_name
"""


QUESTIONS = (
    Question(
        name="captured",
        meaning="What the log holds of what each provider states, per model: costs and tokens over the days "
        "of UTC that an export holds as a whole.",
        write=_captured,
    ),
    Question(
        name="provider_findings",
        meaning="Days on which log and provider disagree, or a price is missing or differs; "
        "most money first.",
        write=_findings,
    ),
    Question(
        name="provider_months",
        meaning="Invoices and cost exports of each provider and month beside the log.",
        write=_months,
    ),
)
