"""Questions about money: who spent what, and how far the wallets are used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from app.errors import QuestionError
from app.questions.asking import Ask, Question

SPENDERS: Mapping[str, str] = {"team": "team_id", "agent": "agent_id", "model": "model_name"}
GRAINS: Mapping[str, str] = {
    "day": "charge_date",
    "month": "cast(date_trunc('month', charge_date) as date)",
}

_SUMS = """
    sum(list_cost_usd) as list_cost_usd,
    sum(cost_usd) as cost_usd,
    count(*) as charges,
    count(*) filter (where cost_status = 'unknown') as unknown_charges,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens"""


def _spender(ask: Ask) -> str:
    by = ask.text("by", "team")
    if by not in SPENDERS:
        raise QuestionError(f"Spend by {by!r} does not exist. Ask by {', '.join(SPENDERS)}.")
    return SPENDERS[by]


def _spend(ask: Ask) -> str:
    spender = _spender(ask)
    earlier = ask.before()
    previous = earlier.where("charge_date") if earlier else "false"
    return f"""
with current_period as (
    select {spender} as series,{_SUMS}
    from fct_charges
    where {ask.where("charge_date")}
    group by all
),
previous_period as (
    select {spender} as series, sum(cost_usd) as previous_cost_usd
    from fct_charges
    where {previous}
    group by all
)
select series, current_period.* exclude (series), previous_cost_usd
from current_period
full outer join previous_period using (series)
order by cost_usd desc nulls last, series nulls last
"""


def _spend_over_time(ask: Ask) -> str:
    grain = ask.text("grain", "month")
    if grain not in GRAINS:
        raise QuestionError(f"Spend per {grain!r} does not exist. Ask per {', '.join(GRAINS)}.")
    return f"""
select {GRAINS[grain]} as first_date, {_spender(ask)} as series,{_SUMS}
from fct_charges
where {ask.where("charge_date")}
group by all
order by first_date, series nulls last
"""


def _wallets(ask: Ask) -> str:
    on_date = ask.day("on_date")
    holds = (
        f"window_start_date <= {ask.bind('on_date', on_date)} "
        f"and coalesce(window_last_date >= {ask.bind('on_date', on_date)}, true)"
        if on_date
        else ""
    )
    equals = {"agent_id": "owner_id", "wallet_kind": "wallet_kind"}
    where = ask.where("window_start_date", equals=equals, also=holds)
    return f"""
select *, cap_usd - spent_usd - held_usd as free_usd
from fct_wallet_windows
where {where}
order by window_start_date desc, wallet_kind desc, owner_id, wallet_id
"""


def _restated(ask: Ask) -> str:
    return f"""
select provider_name, model_name, sum(calls) as calls, sum(compared_calls) as compared_calls,
    sum(recorded_cost_usd) as recorded_cost_usd, sum(restated_cost_usd) as restated_cost_usd,
    sum(difference_usd) as difference_usd,
    sum(newly_priced_calls) as newly_priced_calls, sum(newly_priced_cost_usd) as newly_priced_cost_usd,
    sum(unpriced_calls) as unpriced_calls,
    max(restated_at) as restated_at, max_by(restated_by, restated_at) as restated_by,
    max_by(reason, restated_at) as reason
from rpt_restated_days
where {ask.where("charge_date")}
group by provider_name, model_name
order by abs(sum(difference_usd)) desc nulls last, provider_name, model_name
"""


QUESTIONS = (
    Question(
        name="spend",
        meaning="Cost of the model calls of the period by the team that pays, by agent or by model, "
        "and the cost of the period before; charges of unknown cost are counted, never added as 0.",
        write=_spend,
        takes={"by": str},
    ),
    Question(
        name="spend_over_time",
        meaning="Cost of the model calls per day or month by the team that pays, by agent or by model.",
        write=_spend_over_time,
        takes={"by": str, "grain": str},
    ),
    Question(
        name="restated",
        meaning="What the model calls of the period would have cost at other list prices, beside what was "
        "recorded, by model; calls whose cost is unknown then or now are counted, never compared.",
        write=_restated,
    ),
    Question(
        name="wallets",
        meaning="Wallet windows with cap, spent, held, free and utilisation, newest window first.",
        write=_wallets,
        takes={"wallet_kind": str, "on_date": dt.date},
    ),
)
