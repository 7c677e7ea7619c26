"""The tests that tie tables together find the row that is wrong, and nothing where none is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from app.build import PROJECT
from tests.warehouse_world import world

WRONG = {
    "team_spend_equals_the_charges": "update fct_runs set total_cost_usd = 2.40 where run_id = 'quote'",
    "each_finished_turn_has_one_charge": "delete from fct_charges where charge_id = 'clean/0/1'",
    "each_run_costs_what_its_charges_cost": "update fct_charges set cost_usd = 9 where run_id = 'clean'",
    "outcome_shares_add_to_all_terminal_runs": "update rpt_agent_days set failed = failed + 1",
    "wallets_spend_what_their_charges_cost": "update fct_wallet_windows set spent_usd = 1.13 "
    "where owner_id = 'refunds' and spent_usd = 1.12",
    "unknown_cost_is_never_a_number": "update fct_runs set cost_usd = 0 where run_id = 'imported'",
    "only_terminal_runs_have_an_outcome": "update fct_runs set outcome = 'clean' where run_id = 'waiting'",
    "runs_count_what_their_turns_and_calls_hold": "update fct_runs set tool_error_count = 2 "
    "where run_id = 'failed'",
    "a_wallet_has_one_row_per_window": "update fct_wallet_windows set window_end_at = "
    "window_end_at + interval 1 hour where wallet_id = 'team:sales:month'",
    "agent_days_add_up_to_the_facts": "update rpt_agent_days set tool_errors = tool_errors + 1",
    "agent_quarters_add_up_to_the_facts": "delete from rpt_agent_quarters where agent_id = 'quotes'",
    "provider_days_hold_every_charge_once": "delete from rpt_provider_days where usage_date = '2026-11-02'",
    "longer_roll_ups_hold_what_their_days_hold": "update rpt_tool_months set tool_errors = 7",
}
"""Test of the dbt project, and what a mistake would leave in the tables."""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    file = tmp_path / "warehouse.duckdb"
    shutil.copyfile(world().warehouse.file, file)
    file.chmod(0o644)
    return file


def test_each_test_of_several_tables_has_a_mistake_that_it_finds() -> None:
    assert {path.stem for path in (PROJECT / "tests").glob("*.sql")} == WRONG.keys()


def test_each_finds_its_mistake_and_nothing_without(copied: Path) -> None:
    nodes = json.loads((world().generation.path / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    told = {node["name"]: node["compiled_code"] for node in nodes.values() if node["resource_type"] == "test"}
    with duckdb.connect() as memory:
        memory.execute(f"attach '{copied}' as warehouse")
        memory.execute("use warehouse")
        for name, mistake in WRONG.items():
            assert memory.execute(told[name]).fetchall() == [], name
            memory.execute("begin")
            memory.execute(mistake)
            assert memory.execute(told[name]).fetchall() != [], name
            memory.execute("rollback")
