"""Charges in the shape of FOCUS 1.2, the FinOps Open Cost and Usage Specification (focus.finops.org).

The mandatory columns of FOCUS 1.2 and those that we can fill, by name, then ours with the prefix ``x_`` that
FOCUS reserves for others. What nobody told us stays empty: a cost that is unknown is empty and never 0, which
FOCUS does not allow; ``x_CostStatus`` says which rows those are, and docs/focus.md every other gap.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from app.errors import ExportRefused

MART = "fct_charges"
FORMATS = ("csv", "parquet")
"""What FOCUS leaves in: the two that its tools read."""
NOT_STATED = "not stated"
"""Where FOCUS wants a name and the source of the charge gives none."""

FOCUS_COLUMNS: tuple[str, ...] = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost",
    "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "PricingCategory", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "ResourceId", "ResourceType", "ServiceCategory",
    "ServiceName", "ServiceSubcategory", "SkuId", "SubAccountId",
)  # fmt: skip
"""Column ids of FOCUS 1.2 (May 2025) that leave, in alphabetical order as the specification lists them."""

OWN_COLUMNS: Mapping[str, str] = {
    "x_ChargeId": "charge_id",
    "x_RunId": "run_id",
    "x_AgentVersion": "agent_version",
    "x_InputTokens": "input_tokens",
    "x_OutputTokens": "output_tokens",
    "x_ListCost": "list_cost_usd",
    "x_CostStatus": "cost_status",
    "x_PriceVersion": "price_version",
    "x_RecordedVia": "recorded_via",
    "x_IsDemo": "is_demo",
}
"""Ours, and the column of ``fct_charges`` that each one is."""

_MEANINGS: Mapping[str, str] = {
    "BilledCost": "Known cost in USD, at list price, else as its source states it; empty when unknown.",
    "BillingAccountId": "Model provider that is paid; its own account number is not known here.",
    "BillingAccountName": "Empty: not known here.",
    "BillingCurrency": "USD.",
    "BillingPeriodStart": "First moment (UTC) of the month of the charge.",
    "BillingPeriodEnd": "First moment (UTC) of the month after.",
    "ChargeCategory": "Usage: every charge is a model call, or what a source's total adds to its calls.",
    "ChargeClass": "Empty: no charge corrects an earlier one.",
    "ChargeDescription": "Provider and model.",
    "ChargeFrequency": "Usage-Based.",
    "ChargePeriodStart": "Start of the hour (UTC) of the call.",
    "ChargePeriodEnd": "End of that hour (exclusive).",
    "ConsumedQuantity": "Input and output tokens together; empty when the provider reports none.",
    "ConsumedUnit": "Tokens; empty with an empty quantity.",
    "ContractedCost": "As BilledCost: no discounts are known here.",
    "EffectiveCost": "As BilledCost: nothing is amortized here.",
    "InvoiceId": "Empty: which invoice a call is on is not known here.",
    "InvoiceIssuerName": "Model provider.",
    "ListCost": "As BilledCost; x_ListCost holds what was priced at list price, and nothing else.",
    "PricingCategory": "Standard; empty where the cost is unknown.",
    "PricingQuantity": "As ConsumedQuantity: tokens of all kinds together, whose prices differ.",
    "PricingUnit": "Tokens; empty with an empty quantity.",
    "ProviderName": "Model provider, or: not stated.",
    "PublisherName": "Model provider, or: not stated.",
    "ResourceId": "Agent whose run it was.",
    "ResourceType": "Agent.",
    "ServiceCategory": "AI and Machine Learning.",
    "ServiceName": "Model that answered, else its provider.",
    "ServiceSubcategory": "Generative AI.",
    "SkuId": "Model that answered.",
    "SubAccountId": "Team that pays.",
}


def focus_meanings(meanings: Mapping[str, str]) -> dict[str, str]:
    """Each column of :func:`focus_rows` and its sentence; ``meanings`` are those of ``fct_charges``."""
    told = {name: _MEANINGS[name] for name in FOCUS_COLUMNS}
    return told | {own: meanings.get(column, "") for own, column in OWN_COLUMNS.items()}


def refuse_what_is_no_charge(mart: str) -> None:
    """Raise ExportRefused when ``mart`` holds no charges."""
    if mart != MART:
        raise ExportRefused(
            f"Export refused: FOCUS is the shape of charges and {mart!r} holds none. "
            f"Export {MART} in it, or {mart} as csv or parquet."
        )


def refuse_other_formats(format_: str) -> None:
    """Raise ExportRefused for a format that FOCUS does not leave in."""
    if format_ not in FORMATS:
        raise ExportRefused(
            f"Export refused: FOCUS leaves as focus-csv or focus-parquet, not as {format_}. "
            f"Choose one of them, or export {MART} as {format_} with our own columns."
        )


def focus_rows(charges: pl.DataFrame) -> pl.DataFrame:
    """One FOCUS row per row of ``fct_charges``, in the same order."""
    tokens = (pl.col("input_tokens") + pl.col("output_tokens")).cast(pl.Decimal(38, 0))
    unit = pl.when(tokens.is_not_null()).then(pl.lit("Tokens"))
    start = pl.col("charged_at").dt.truncate("1h")
    month = pl.col("charged_at").dt.truncate("1mo")
    provider = pl.col("provider_name").fill_null(NOT_STATED)
    known: dict[str, pl.Expr] = {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), pl.col("cost_usd")),
        **dict.fromkeys(("BillingAccountId", "InvoiceIssuerName", "ProviderName", "PublisherName"), provider),
        "BillingCurrency": pl.lit("USD"),
        "BillingPeriodStart": month,
        "BillingPeriodEnd": month.dt.offset_by("1mo"),
        "ChargeCategory": pl.lit("Usage"),
        "ChargeDescription": pl.concat_str("provider_name", "model_name", separator=" ", ignore_nulls=True),
        "ChargeFrequency": pl.lit("Usage-Based"),
        "ChargePeriodStart": start,
        "ChargePeriodEnd": start.dt.offset_by("1h"),
        "ConsumedQuantity": tokens,
        "ConsumedUnit": unit,
        "PricingCategory": pl.when(pl.col("cost_usd").is_not_null()).then(pl.lit("Standard")),
        "PricingQuantity": tokens,
        "PricingUnit": unit,
        "ResourceId": pl.col("agent_id"),
        "ResourceType": pl.when(pl.col("agent_id").is_not_null()).then(pl.lit("Agent")),
        "ServiceCategory": pl.lit("AI and Machine Learning"),
        "ServiceName": pl.coalesce(pl.col("model_name"), provider),
        "ServiceSubcategory": pl.lit("Generative AI"),
        "SkuId": pl.col("model_name"),
        "SubAccountId": pl.col("team_id"),
    }
    empty = pl.lit(None, dtype=pl.String)
    columns = [known.get(name, empty).alias(name) for name in FOCUS_COLUMNS]
    return charges.select([*columns, *(pl.col(column).alias(own) for own, column in OWN_COLUMNS.items())])


def focus_text_rows(charges: pl.DataFrame) -> pl.DataFrame:
    """:func:`focus_rows` for CSV: times as FOCUS writes them, like ``2026-10-01T00:00:00Z``."""
    rows = focus_rows(charges)
    times = [name for name in FOCUS_COLUMNS if isinstance(rows.schema[name], pl.Datetime)]
    return rows.with_columns(pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
