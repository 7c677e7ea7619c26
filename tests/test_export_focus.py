"""Charges leave in the shape of FOCUS 1.2, complete, and unknown stays unknown."""

from __future__ import annotations

import csv
import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from app.errors import ExportRefused
from app.export.focus import FOCUS_COLUMNS, OWN_COLUMNS, focus_meanings, focus_rows, focus_text_rows
from app.export.formats import write
from app.export.service import asked_table, export_table
from app.warehouse import Scoped
from tests.conftest import ROOT
from tests.warehouse_world import LEAD, world

# The columns of FOCUS 1.2 as its specification has them (specification/columns, tag v1.2): feature level
# (m mandatory, r recommended, c conditional), whether nulls are allowed, data type.
SPECIFICATION = """
AvailabilityZone r null String|BilledCost m - Decimal|BillingAccountId m - String
BillingAccountName m null String|BillingAccountType c - String|BillingCurrency m - String
BillingPeriodEnd m - Time|BillingPeriodStart m - Time|CapacityReservationId c null String
CapacityReservationStatus c null String|ChargeCategory m - String|ChargeClass m null String
ChargeDescription m null String|ChargeFrequency r - String|ChargePeriodEnd m - Time
ChargePeriodStart m - Time|CommitmentDiscountCategory c null String
CommitmentDiscountId c null String|CommitmentDiscountName c null String
CommitmentDiscountQuantity c null Decimal|CommitmentDiscountStatus c null String
CommitmentDiscountType c null String|CommitmentDiscountUnit c null String
ConsumedQuantity c null Decimal|ConsumedUnit c null String|ContractedCost m - Decimal
ContractedUnitPrice c null Decimal|EffectiveCost m - Decimal|InvoiceId r null String
InvoiceIssuerName m - String|ListCost m - Decimal|ListUnitPrice c null Decimal
PricingCategory c null String|PricingCurrency c null String
PricingCurrencyContractedUnitPrice c null Decimal|PricingCurrencyEffectiveCost c null Decimal
PricingCurrencyListUnitPrice c null Decimal|PricingQuantity m null Decimal|PricingUnit m null String
ProviderName m - String|PublisherName m - String|RegionId c null String|RegionName c null String
ResourceId c null String|ResourceName c null String|ResourceType c null String
ServiceCategory m - String|ServiceName m - String|ServiceSubcategory r - String|SkuId c null String
SkuMeter c null String|SkuPriceDetails c null JSON|SkuPriceId c null String
SubAccountId c null String|SubAccountName c null String|SubAccountType c null String
Tags c null JSON
"""
COLUMNS = {
    name: (level, nulls == "null", kind)
    for name, level, nulls, kind in (cell.split() for cell in re.split(r"[|\n]", SPECIFICATION.strip()))
}
ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceSubcategory": {
        "AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing",
        "Other (AI and Machine Learning)",
    },
    "ServiceCategory": {"AI and Machine Learning"},  # the parent of these subcategories
}  # fmt: skip
KINDS = {"String": pl.String, "Decimal": pl.Decimal, "Time": pl.Datetime}
COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")


@pytest.fixture(scope="module")
def lead() -> Scoped:
    return world().warehouse.for_person(LEAD)


@pytest.fixture(scope="module")
def rows(lead: Scoped) -> pl.DataFrame:
    return focus_rows(lead.table("fct_charges", is_demo=False))


def test_the_columns_are_those_of_the_specification_and_ours_are_marked() -> None:
    assert len(COLUMNS) == 57
    assert set(FOCUS_COLUMNS) <= COLUMNS.keys()
    assert list(FOCUS_COLUMNS) == sorted(FOCUS_COLUMNS)
    assert {name for name, (level, _, _) in COLUMNS.items() if level == "m"} <= set(FOCUS_COLUMNS)
    assert all(name.startswith("x_") for name in OWN_COLUMNS)


def test_each_column_of_the_specification_is_in_the_document_as_what_it_is() -> None:
    page = (ROOT / "docs" / "focus.md").read_text(encoding="utf-8")
    columns, left_out = page.split("## Left out")[0], page.split("## Left out")[1].split("## Where")[0]
    assert set(re.findall(r"`([A-Z]\w+)`", columns)) == set(FOCUS_COLUMNS)
    assert set(re.findall(r"`([A-Z]\w+)`", left_out)) == COLUMNS.keys() - set(FOCUS_COLUMNS)


def test_types_and_allowed_words_are_those_of_the_specification(rows: pl.DataFrame) -> None:
    for name in FOCUS_COLUMNS:
        assert isinstance(rows.schema[name], KINDS[COLUMNS[name][2]]), name
    for name, words in ALLOWED.items():
        assert set(rows[name].drop_nulls()) <= words, name


def test_where_the_specification_wants_something_only_an_unknown_cost_is_empty(rows: pl.DataFrame) -> None:
    must = [name for name in FOCUS_COLUMNS if not COLUMNS[name][1]]
    known = rows.filter(pl.col("x_CostStatus") != "unknown")
    assert known.height > 0
    assert {name for name in must if known[name].null_count()} == set()
    unknown = rows.filter(pl.col("x_CostStatus") == "unknown")
    assert unknown.height > 0
    assert {name for name in must if unknown[name].null_count()} == set(COSTS)
    assert all(unknown[name].null_count() == unknown.height for name in COSTS)


def test_what_a_usage_charge_must_have_is_empty_only_where_the_document_says_so(rows: pl.DataFrame) -> None:
    assert (rows["PricingCategory"].is_null() == (rows["x_CostStatus"] == "unknown")).all()
    assert (rows["PricingUnit"].is_null() == rows["PricingQuantity"].is_null()).all()
    without = rows.filter(pl.col("PricingQuantity").is_null())
    assert without.filter(
        pl.col("x_InputTokens").is_not_null() & pl.col("x_OutputTokens").is_not_null()
    ).is_empty()


def test_a_charge_without_provider_and_model_still_has_the_names_that_focus_wants(lead: Scoped) -> None:
    charges = lead.table("fct_charges", is_demo=False).head(1)
    bare = charges.with_columns(provider_name=pl.lit(None, pl.String), model_name=pl.lit(None, pl.String))
    one = focus_rows(bare).row(0, named=True)
    for name in ("ProviderName", "PublisherName", "InvoiceIssuerName", "BillingAccountId", "ServiceName"):
        assert one[name] == "not stated"


def test_every_charge_is_one_row_with_its_cost(lead: Scoped, rows: pl.DataFrame) -> None:
    charges = lead.table("fct_charges", is_demo=False)
    assert rows.columns == [*FOCUS_COLUMNS, *OWN_COLUMNS]
    assert rows["x_ChargeId"].to_list() == charges["charge_id"].to_list()
    for name in COSTS:
        assert rows[name].to_list() == charges["cost_usd"].to_list()
    assert rows["x_ListCost"].to_list() == charges["list_cost_usd"].to_list()


def test_periods_hold_the_call_and_end_after_it(lead: Scoped, tmp_path: Path) -> None:
    charges = lead.table("fct_charges", is_demo=False).head(1)
    moment = dt.datetime(2026, 12, 31, 23, 40, 5, tzinfo=dt.UTC)
    late = charges.with_columns(
        pl.lit(moment).dt.cast_time_unit("us").alias("charged_at"),
        pl.lit(1200, dtype=pl.Int64).alias("input_tokens"),
        pl.lit(34, dtype=pl.Int64).alias("output_tokens"),
    )
    one = focus_rows(late).row(0, named=True)
    assert one["ChargePeriodStart"] == dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)
    assert one["ChargePeriodEnd"] == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    assert one["BillingPeriodStart"] == dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    assert one["BillingPeriodEnd"] == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    assert (one["ConsumedQuantity"], one["ConsumedUnit"]) == (Decimal(1234), "Tokens")
    file = tmp_path / "focus.csv"
    write([focus_text_rows(late)], file, "csv", {})
    with file.open(encoding="utf-8") as lines:
        (told,) = csv.DictReader(lines)
    assert told["ChargePeriodStart"] == "2026-12-31T23:00:00Z"


def test_each_column_has_its_sentence(lead: Scoped) -> None:
    meanings = focus_meanings(lead.column_docs("fct_charges"))
    assert list(meanings) == [*FOCUS_COLUMNS, *OWN_COLUMNS]
    assert all(meanings.values())


def test_another_table_is_refused(lead: Scoped) -> None:
    with pytest.raises(ExportRefused, match="FOCUS is the shape of charges"):
        asked_table(lead, "fct_runs", is_demo=False, filters={}, is_focus=True)


class Nobody:
    """A recorder that is never asked."""

    def may_export(self, person_id: str) -> None:
        raise AssertionError

    def export_created(self, *arguments: object, **columns: object) -> str:
        raise AssertionError


@pytest.mark.parametrize("format_", ["xlsx", "jsonl"])
def test_formats_that_focus_does_not_leave_in_are_refused(lead: Scoped, tmp_path: Path, format_: str) -> None:
    with pytest.raises(ExportRefused, match="focus-csv or focus-parquet"):
        export_table(
            lead, Nobody(), tmp_path, mart="fct_charges", format_=format_, is_demo=False, filters={},  # type: ignore[arg-type]
            now=dt.datetime.now(dt.UTC), is_focus=True,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
