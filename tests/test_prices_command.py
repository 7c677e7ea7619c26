"""Prices in use, and what they make of past calls: beside what was recorded, never over it."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
from typer.testing import CliRunner

from app.build import build
from app.cli import app
from app.reprice import by_model, restated
from ingest.workspace import Workspace
from runner.control.price_sheet import price_sheet
from runner.control.registry_extras import Price
from runner.errors import AccessRefused
from tests.conftest import ROOT
from tests.runner_company import registry, registry_text
from tests.warehouse_world import NOW, world, write_world

PAGE = (ROOT / "docs" / "analysts.md").read_text(encoding="utf-8")


def test_restated_cost_stands_beside_the_recorded_one() -> None:
    warehouse = world().warehouse
    turns = warehouse.fetch("select * from main.fct_turns where is_finished and not is_demo", {})
    model = str(turns["requested_model"].drop_nulls()[0])
    price = Price(
        model=model, input_usd_per_mtok=Decimal(1000), output_usd_per_mtok=Decimal(0), version="new"
    )
    rows = restated(warehouse, (price,), first_date=dt.date(2026, 1, 1), is_demo=False)
    assert rows.height == turns.height
    told = {f"{t['run_id']}/{t['turn_index']}/{t['attempt']}": t for t in turns.iter_rows(named=True)}
    for row in rows.iter_rows(named=True):
        turn = told[row["charge_id"]]
        assert row["recorded_list_cost_usd"] == turn["list_cost_usd"]
        if turn["requested_model"] == model and None not in (turn["input_tokens"], turn["output_tokens"]):
            assert row["restated_list_cost_usd"] == Decimal(turn["input_tokens"]) / 1000
            assert row["restated_price_version"] == "new"
    assert rows["restated_list_cost_usd"].null_count() < rows.height
    later = restated(warehouse, (price,), first_date=dt.date(2026, 12, 1), is_demo=False)
    assert later.is_empty()


def test_only_what_is_known_both_times_is_compared() -> None:
    money = pl.Decimal(18, 9)
    rows = pl.DataFrame(
        {
            "provider_name": ["p"] * 3,
            "model_name": ["m"] * 3,
            "recorded_list_cost_usd": [Decimal(1), Decimal(2), None],
            "restated_list_cost_usd": [Decimal(3), None, Decimal(5)],
        },
        schema_overrides={"recorded_list_cost_usd": money, "restated_list_cost_usd": money},
    )
    assert by_model(rows).row(0) == ("p", "m", 3, 2, Decimal(1), Decimal(3), Decimal(2))


def test_nothing_known_is_no_zero() -> None:
    money = pl.Decimal(18, 9)
    row = {"provider_name": ["p"], "model_name": ["m"], "recorded_list_cost_usd": [None]}
    rows = pl.DataFrame(
        {**row, "restated_list_cost_usd": [Decimal(5)]},
        schema_overrides={"recorded_list_cost_usd": money, "restated_list_cost_usd": money},
    )
    assert by_model(rows).row(0) == ("p", "m", 1, 1, None, None, None)


def test_an_own_price_comes_first_and_a_missing_one_is_unknown() -> None:
    lines = price_sheet(
        registry(
            ("model: sim:triage", 'model: "openai:no-such-model"'),
            ('{model: "sim:*", input', '{model: "sim:*", cache_read_usd_per_mtok: "0.5", input'),
        )
    )
    told = {line.model: (line.source, line.dated, line.input_usd_per_mtok) for line in lines}
    assert told == {
        "sim:refund": ("registry.yaml", "test-1", Decimal(2)),
        "openai:no-such-model": ("unknown", "–", None),
    }
    own = next(line for line in lines if line.model == "sim:refund")
    assert (own.output_usd_per_mtok, own.cache_read_usd_per_mtok) == (Decimal(8), Decimal("0.5"))
    assert own.cache_write_usd_per_mtok == Decimal(2)  # not given: the input price


def test_the_commands_say_it(workspace: Workspace) -> None:
    at = ["--workspace", str(workspace.root)]
    workspace.registry_file.write_text(registry_text(), encoding="utf-8")
    shown = CliRunner().invoke(app, [*at, "prices"])
    assert shown.exit_code == 0
    assert "sim:refund" in shown.output
    refused = CliRunner().invoke(app, [*at, "reprice", "--from", "yesterday"])
    assert refused.exit_code == 2
    assert "is no day" in refused.output


PRICED = """\
company: {name: Test, time_zone: Europe/Berlin}
roles: {lead: {scope: all, may: [change_budget]}, user: {scope: own, may: [run_agent]}}
teams: {office: {name: Office, manager: ada, cost_center: "1"}}
people: {ada: {name: Ada, team: office, role: lead}, jon: {name: Jon, team: office, role: user}}
prices:
  - {model: "openai:gpt-4.1", input_usd_per_mtok: "200", output_usd_per_mtok: "0", version: new}
"""


def test_a_recorded_restatement_is_a_table_beside_the_recorded_cost(workspace: Workspace) -> None:
    """Each call of the world has 1,000 input tokens: 0.20 USD at 200 USD a million. Recorded: its cents."""
    write_world(workspace)
    workspace.registry_file.write_text(PRICED, encoding="utf-8")
    build(workspace, now=NOW)
    at = ["--workspace", str(workspace.root)]
    run = CliRunner().invoke
    assert run(app, [*at, "registry", "apply"]).exit_code == 0
    again = [*at, "reprice", "--from", "2026-11-01", "--real", "--record", "--reason", "The list was wrong."]
    assert run(app, again).exit_code == 2
    refused = run(app, [*again, "--as", "jon"])
    assert isinstance(refused.exception, AccessRefused)
    assert run(app, [*again, "--as", "ada"]).exit_code == 0
    made = build(workspace, now=NOW)
    with duckdb.connect(str(made.path / "warehouse.duckdb"), read_only=True) as asked:
        days = asked.execute(
            "select charge_date, team_id, agent_id, calls, compared_calls, recorded_cost_usd, "
            "restated_cost_usd, difference_usd, newly_priced_calls, newly_priced_cost_usd, unpriced_calls "
            "from rpt_restated_days order by all"
        ).fetchall()
        spent = asked.execute("select sum(list_cost_usd) from fct_charges where not is_demo").fetchall()
    cent = Decimal("0.01")
    assert days == [
        # helper, which sales pay; quote was held in October, which is not restated
        (dt.date(2026, 11, 1), "sales", "refunds", 1, 1, 40 * cent, 20 * cent, -20 * cent, 0, None, 0),
        # clean 10 + 5, approved 20
        (dt.date(2026, 11, 2), "support", "refunds", 3, 3, 35 * cent, 60 * cent, 25 * cent, 0, None, 0),
        # rejected 30, failed 5 and a call that had no price
        (dt.date(2026, 11, 3), "support", "refunds", 3, 2, 35 * cent, 40 * cent, 5 * cent, 1, 20 * cent, 0),
        (dt.date(2026, 11, 5), "support", "refunds", 1, 1, 2 * cent, 20 * cent, 18 * cent, 0, None, 0),
    ]
    assert spent == [(Decimal("2.12"),)]  # what was recorded stays


def test_the_restated_cost_is_asked_beside_the_recorded_one(tmp_path: Path) -> None:
    """What docs/analysts.md says: the file of ``reprice --out`` joins the charges by their id."""
    out = tmp_path / "restated.parquet"
    root = world().workspace.root
    words = ["--workspace", str(root), "reprice", "--from", "2026-01-01", "--real", "--out", str(out)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    (sql,) = re.findall(r"```sql\n(select[^`]+restated\.parquet[^`]+)```", PAGE)
    charges = world().warehouse.fetch("select * from main.fct_charges where not is_demo", {})
    with duckdb.connect() as asked:
        asked.register("fct_charges", charges)
        rows = asked.execute(sql.replace("restated.parquet", str(out))).fetchall()
    assert sum(row[2] for row in rows) == charges.filter(pl.col("charge_kind") == "turn").height
