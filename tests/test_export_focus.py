"""Charges leave in the shape of FOCUS 1.0, complete, and unknown stays unknown."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from app.errors import ExportRefused
from app.export.focus import FOCUS_COLUMNS, OWN_COLUMNS, focus_meanings, focus_rows
from app.export.service import asked_table
from app.warehouse import Scoped
from tests.warehouse_world import LEAD, world

# The column library of FOCUS 1.0 by its groups, as published at focus.finops.org and shown in the billing
# exports of AWS, Google and Microsoft.
COLUMN_LIBRARY = {
    "account": "BillingAccountId BillingAccountName SubAccountId SubAccountName",
    "billing": "BilledCost BillingCurrency ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice "
    "EffectiveCost ListCost ListUnitPrice PricingQuantity PricingUnit",
    "charge": "ChargeCategory ChargeClass ChargeDescription ChargeFrequency PricingCategory",
    "charge origination": "InvoiceIssuerName ProviderName PublisherName",
    "commitment discount": "CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName "
    "CommitmentDiscountStatus CommitmentDiscountType",
    "location": "AvailabilityZone RegionId RegionName",
    "resource": "ResourceId ResourceName ResourceType Tags",
    "service": "ServiceCategory ServiceName",
    "sku": "SkuId SkuPriceId",
    "timeframe": "BillingPeriodEnd BillingPeriodStart ChargePeriodEnd ChargePeriodStart",
}
NEVER_EMPTY = (
    "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory", "ChargePeriodStart",
    "ChargePeriodEnd", "ServiceCategory",
)  # fmt: skip


@pytest.fixture(scope="module")
def lead() -> Scoped:
    return world().warehouse.for_person(LEAD)


def test_the_columns_are_those_of_the_specification_and_ours_are_marked() -> None:
    listed = " ".join(COLUMN_LIBRARY.values()).split()
    assert sorted(listed) == list(FOCUS_COLUMNS)
    assert len(listed) == 43
    assert all(name.startswith("x_") for name in OWN_COLUMNS)


def test_every_charge_is_one_row_with_its_cost(lead: Scoped) -> None:
    charges = lead.table("fct_charges", is_demo=False)
    rows = focus_rows(charges)
    assert rows.columns == [*FOCUS_COLUMNS, *OWN_COLUMNS]
    assert rows["x_ChargeId"].to_list() == charges["charge_id"].to_list()
    assert rows["BilledCost"].to_list() == charges["cost_usd"].to_list()
    assert rows["ListCost"].to_list() == charges["list_cost_usd"].to_list()
    assert all(rows[name].null_count() == 0 for name in NEVER_EMPTY)
    unknown = rows.filter(pl.col("x_CostStatus") == "unknown")
    assert unknown.height > 0
    assert unknown["BilledCost"].null_count() == unknown.height


def test_periods_hold_the_call_and_end_after_it(lead: Scoped) -> None:
    charges = lead.table("fct_charges", is_demo=False).head(1)
    moment = dt.datetime(2026, 12, 31, 23, 40, 5, tzinfo=dt.UTC)
    one = focus_rows(
        charges.with_columns(
            pl.lit(moment).dt.cast_time_unit("us").alias("charged_at"),
            pl.lit(1200, dtype=pl.Int64).alias("input_tokens"),
            pl.lit(34, dtype=pl.Int64).alias("output_tokens"),
        ),
    ).row(0, named=True)
    assert one["ChargePeriodStart"] == dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)
    assert one["ChargePeriodEnd"] == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    assert one["BillingPeriodStart"] == dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    assert one["BillingPeriodEnd"] == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    assert (one["ConsumedQuantity"], one["ConsumedUnit"]) == (Decimal(1234), "Tokens")


def test_each_column_has_its_sentence(lead: Scoped) -> None:
    meanings = focus_meanings(lead.column_docs("fct_charges"))
    assert list(meanings) == [*FOCUS_COLUMNS, *OWN_COLUMNS]
    assert all(meanings.values())


def test_another_table_is_refused(lead: Scoped) -> None:
    with pytest.raises(ExportRefused, match="FOCUS is the shape of charges"):
        asked_table(lead, "fct_runs", is_demo=False, filters={}, is_focus=True)
