"""What calls would have cost at other list prices: beside the recorded cost, never over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from uuid import uuid4

import polars as pl

from app.warehouse import Warehouse
from ingest.contract import Value, new_event_id
from ingest.log.writer import LogWriter, utc_now
from ingest.workspace import Workspace
from runner.control.prices import ModelPrice, Tokens, price_of
from runner.control.registry_extras import Price

_NANO = Decimal(10**9)
_MONEY = pl.Decimal(18, 9)
_AT_ONCE = 1_000

_CALLS = """
select
    charges.charge_id,
    charges.charge_date,
    charges.team_id,
    charges.agent_id,
    charges.provider_name,
    charges.model_name,
    turns.requested_model,
    turns.input_tokens,
    turns.output_tokens,
    coalesce(turns.cache_read_tokens, 0) as cache_read_tokens,
    coalesce(turns.cache_write_tokens, 0) as cache_write_tokens,
    coalesce(turns.is_cache_in_input, true) as is_cache_in_input,
    charges.list_cost_usd,
    charges.price_version
from main.fct_charges as charges
inner join main.fct_turns as turns using (run_id, turn_index, attempt)
where charges.charge_kind = 'turn' and charges.is_demo = $is_demo and charges.charge_date >= $first_date
order by charges.charge_date, charges.charge_id
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


def by_day(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of :func:`restated` added up per day, paying team, agent, provider and model, in nano-USD.

    The costs of ``compared`` calls are known both times, those of ``newly_priced`` ones only now; the rest is
    unknown now. A sum over none of them is null.
    """
    then, now = (pl.col(f"{cost}_list_cost_usd") for cost in ("recorded", "restated"))
    is_compared = then.is_not_null() & now.is_not_null()
    is_new = then.is_null() & now.is_not_null()
    return (
        rows.group_by("charge_date", "team_id", "agent_id", "provider_name", "model_name")
        .agg(
            pl.len().cast(pl.Int64).alias("call_count"),
            is_compared.sum().cast(pl.Int64).alias("compared_call_count"),
            is_new.sum().cast(pl.Int64).alias("newly_priced_call_count"),
            _nano_sum(then, is_compared).alias("recorded_cost_nano_usd"),
            _nano_sum(now, is_compared).alias("restated_cost_nano_usd"),
            _nano_sum(now, is_new).alias("newly_priced_cost_nano_usd"),
            pl.col("restated_price_version").max().alias("price_version"),
        )
        .sort("charge_date", "team_id", "agent_id", "provider_name", "model_name", nulls_last=True)
    )


def record(
    workspace: Workspace,
    rows: pl.DataFrame,
    *,
    first_date: dt.date,
    is_demo: bool,
    person_id: str,
    reason: str,
) -> str:
    """Write ``rows`` of :func:`restated` into the log by day, and return the id of the restatement.

    One that was killed counts for nothing: it is told of last. Raises WriterError.
    """
    now = utc_now()
    about: dict[str, Value] = {"restatement_id": f"rs-{uuid4().hex[:12]}", "occurred_at": now}
    days = by_day(rows)
    with LogWriter(workspace, recorded_via="app", process_name="fleetbook reprice", is_demo=is_demo) as log:
        for part in days.iter_slices(_AT_ONCE):
            log.append([_line(about, line) for line in part.iter_rows(named=True)])
        made: dict[str, Value] = {
            "event_id": new_event_id(now),
            "event_type": "restatement_made",
            "charge_date": first_date.isoformat(),
            "person_id": person_id,
            "reason": reason,
            "row_count": days.height,
        }
        log.append([{**about, **made}])
    return str(about["restatement_id"])


def _line(about: Mapping[str, Value], line: Mapping[str, Value | dt.date | None]) -> dict[str, Value]:
    event: dict[str, Value] = {**about, "event_id": new_event_id(utc_now()), "event_type": "cost_restated"}
    for name, cell in line.items():
        if isinstance(cell, str | int):
            event["served_model" if name == "model_name" else name] = cell
        elif cell is not None:
            event[name] = str(cell)
    return event


def _nano_sum(cost: pl.Expr, chosen: pl.Expr) -> pl.Expr:
    nano = (cost.filter(chosen).cast(pl.Decimal(38, 9)).sum() * _NANO).cast(pl.Int64)
    return pl.when(chosen.any()).then(nano)


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
