"""What calls would have cost at other list prices: beside the recorded cost, never over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from app.warehouse import Warehouse
from runner.control.prices import ModelPrice, Tokens, price_of
from runner.control.registry_extras import Price

_NANO = Decimal(10**9)
_MONEY = pl.Decimal(18, 9)

_CALLS = """
select
    run_id || '/' || turn_index || '/' || attempt as charge_id,
    turn_date as charge_date,
    team_id,
    agent_id,
    provider_name,
    coalesce(served_model, requested_model) as model_name,
    requested_model,
    input_tokens,
    output_tokens,
    coalesce(cache_read_tokens, 0) as cache_read_tokens,
    coalesce(cache_write_tokens, 0) as cache_write_tokens,
    coalesce(is_cache_in_input, true) as is_cache_in_input,
    list_cost_usd,
    price_version
from main.fct_turns
where is_finished and is_demo = $is_demo and turn_date >= $first_date
order by charge_date, charge_id
"""


def restated(
    warehouse: Warehouse, prices: tuple[Price, ...], *, first_date: dt.date, is_demo: bool
) -> pl.DataFrame:
    """One row per finished model call from ``first_date`` on, with its cost as recorded and at ``prices``.

    ``restated_list_cost_usd`` is null where the model has no price now, or the call no token counts: unknown
    is no 0. ``restated_price_version`` names the price. Raises WarehouseError.
    """
    calls = warehouse.fetch(_CALLS, {"is_demo": is_demo, "first_date": first_date})
    known: dict[tuple[str, str], ModelPrice | None] = {}
    costs: list[Decimal | None] = []
    versions: list[str | None] = []
    for call in calls.iter_rows(named=True):
        name = (str(call["provider_name"]), str(call["requested_model"]))
        if name not in known:
            known[name] = price_of(prices, name[0], _registered(*name))
        price = known[name]
        costs.append(_cost(price, call))
        versions.append(price.version if price else None)
    return calls.select(
        "charge_id", "charge_date", "team_id", "agent_id", "provider_name", "model_name",
        pl.col("list_cost_usd").alias("recorded_list_cost_usd"),
        pl.Series("restated_list_cost_usd", costs, dtype=_MONEY),
        pl.col("price_version").alias("recorded_price_version"),
        pl.Series("restated_price_version", versions, dtype=pl.String),
    )  # fmt: skip


def by_model(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of :func:`restated` added up per provider and model.

    The sums and their difference are over calls whose cost is known both times, null when there are none;
    the other calls are counted in ``not_compared``.
    """
    both = pl.col("recorded_list_cost_usd").is_not_null() & pl.col("restated_list_cost_usd").is_not_null()
    recorded, now = (
        pl.when(both.any()).then(pl.col(f"{cost}_list_cost_usd").filter(both).sum())
        for cost in ("recorded", "restated")
    )
    return (
        rows.group_by("provider_name", "model_name")
        .agg(
            pl.len().alias("calls"),
            (~both).sum().alias("not_compared"),
            recorded.alias("recorded_usd"),
            now.alias("restated_usd"),
            (now - recorded).alias("difference_usd"),
        )
        .sort("provider_name", "model_name", nulls_last=True)
    )


def _registered(provider: str, model: str) -> str:
    """The model as registry.yaml would name it; a simulated one carries its prefix in the log already."""
    return model if model.startswith(f"{provider}:") else f"{provider}:{model}"


def _cost(price: ModelPrice | None, call: Mapping[str, object]) -> Decimal | None:
    if price is None or call["input_tokens"] is None or call["output_tokens"] is None:
        return None
    read, write = int(str(call["cache_read_tokens"])), int(str(call["cache_write_tokens"]))
    beside = 0 if call["is_cache_in_input"] else read + write
    tokens = Tokens(
        input_tokens=int(str(call["input_tokens"])) + beside,
        output_tokens=int(str(call["output_tokens"])),
        cache_read_tokens=read,
        cache_write_tokens=write,
    )
    return Decimal(price.cost_nano_usd(tokens)) / _NANO
