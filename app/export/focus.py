"""Charges in the shape of FOCUS 1.0, the FinOps Open Cost and Usage Specification (focus.finops.org).

All 43 columns of FOCUS 1.0 in its order, then ours with the prefix ``x_`` that FOCUS reserves for others.
What nobody told us stays empty: a cost that is unknown is empty and never 0 (FOCUS wants a number there;
``x_CostStatus`` says which rows those are), and nothing here was billed, so ``BilledCost`` is the known cost
only as an estimate at list price.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from app.errors import ExportRefused

MART = "fct_charges"

FOCUS_COLUMNS: tuple[str, ...] = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory",
    "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountStatus", "CommitmentDiscountType",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "ServiceCategory", "ServiceName", "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
)  # fmt: skip
"""Column ids of FOCUS 1.0 (June 2024), in alphabetical order as the specification lists them."""

OWN_COLUMNS: Mapping[str, str] = {
    "x_ChargeId": "charge_id",
    "x_RunId": "run_id",
    "x_AgentVersion": "agent_version",
    "x_InputTokens": "input_tokens",
    "x_OutputTokens": "output_tokens",
    "x_CostStatus": "cost_status",
    "x_PriceVersion": "price_version",
    "x_RecordedVia": "recorded_via",
    "x_IsDemo": "is_demo",
}
"""Ours, and the column of ``fct_charges`` that each one is."""

_MEANINGS: Mapping[str, str] = {
    "BilledCost": "Known cost in USD, at list price, else as its source states it; empty when unknown.",
    "BillingAccountId": "Model provider that is paid; its own account number is not known here.",
    "BillingCurrency": "USD.",
    "BillingPeriodStart": "First moment (UTC) of the month of the charge.",
    "BillingPeriodEnd": "First moment (UTC) of the month after.",
    "ChargeCategory": "Usage: every charge is a model call, or what a source's total adds to its calls.",
    "ChargeDescription": "Provider and model.",
    "ChargeFrequency": "Usage-Based.",
    "ChargePeriodStart": "Start of the hour (UTC) of the call.",
    "ChargePeriodEnd": "End of that hour (exclusive).",
    "ConsumedQuantity": "Input and output tokens together; empty when the provider reports none.",
    "ConsumedUnit": "Tokens; empty with an empty quantity.",
    "ContractedCost": "As ListCost: no discounts are known here.",
    "EffectiveCost": "As BilledCost: nothing is amortized here.",
    "InvoiceIssuerName": "Model provider.",
    "ListCost": "Cost at list price; empty when price or usage is unknown.",
    "PricingCategory": "Standard; empty where there is no list price.",
    "ProviderName": "Model provider.",
    "PublisherName": "Model provider.",
    "ResourceId": "Agent whose run it was.",
    "ResourceType": "Agent.",
    "ServiceCategory": "AI and Machine Learning.",
    "ServiceName": "Model that answered.",
    "SkuId": "Model that answered.",
    "SubAccountId": "Team that pays.",
}


def focus_meanings(meanings: Mapping[str, str]) -> dict[str, str]:
    """Each column of :func:`focus_rows` and its sentence; ``meanings`` are those of ``fct_charges``."""
    told = {name: _MEANINGS.get(name, "Empty: not known here.") for name in FOCUS_COLUMNS}
    return told | {own: meanings.get(column, "") for own, column in OWN_COLUMNS.items()}


def refuse_what_is_no_charge(mart: str) -> None:
    """Raise ExportRefused when ``mart`` holds no charges."""
    if mart != MART:
        raise ExportRefused(
            f"Export refused: FOCUS is the shape of charges and {mart!r} holds none. "
            f"Export {MART} in it, or {mart} as csv or parquet."
        )


def focus_rows(charges: pl.DataFrame) -> pl.DataFrame:
    """One FOCUS row per row of ``fct_charges``, in the same order."""
    tokens = (pl.col("input_tokens") + pl.col("output_tokens")).cast(pl.Decimal(38, 0))
    start = pl.col("charged_at").dt.truncate("1h")
    month = pl.col("charged_at").dt.truncate("1mo")
    known: dict[str, pl.Expr] = {
        "BilledCost": pl.col("cost_usd"),
        "BillingAccountId": pl.col("provider_name"),
        "BillingCurrency": pl.lit("USD"),
        "BillingPeriodStart": month,
        "BillingPeriodEnd": month.dt.offset_by("1mo"),
        "ChargeCategory": pl.lit("Usage"),
        "ChargeDescription": pl.concat_str("provider_name", "model_name", separator=" ", ignore_nulls=True),
        "ChargeFrequency": pl.lit("Usage-Based"),
        "ChargePeriodStart": start,
        "ChargePeriodEnd": start.dt.offset_by("1h"),
        "ConsumedQuantity": tokens,
        "ConsumedUnit": pl.when(tokens.is_not_null()).then(pl.lit("Tokens")),
        "ContractedCost": pl.col("list_cost_usd"),
        "EffectiveCost": pl.col("cost_usd"),
        "InvoiceIssuerName": pl.col("provider_name"),
        "ListCost": pl.col("list_cost_usd"),
        "PricingCategory": pl.when(pl.col("list_cost_usd").is_not_null()).then(pl.lit("Standard")),
        "ProviderName": pl.col("provider_name"),
        "PublisherName": pl.col("provider_name"),
        "ResourceId": pl.col("agent_id"),
        "ResourceType": pl.when(pl.col("agent_id").is_not_null()).then(pl.lit("Agent")),
        "ServiceCategory": pl.lit("AI and Machine Learning"),
        "ServiceName": pl.col("model_name"),
        "SkuId": pl.col("model_name"),
        "SubAccountId": pl.col("team_id"),
    }
    empty = pl.lit(None, dtype=pl.String)
    columns = [known.get(name, empty).alias(name) for name in FOCUS_COLUMNS]
    return charges.select([*columns, *(pl.col(column).alias(own) for own, column in OWN_COLUMNS.items())])
