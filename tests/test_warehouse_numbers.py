"""The numbers of a log written by hand (tests/warehouse_world.py), each worked out from its table."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from app.build import build
from app.questions.asking import FilterValue
from app.questions.rates import with_rate
from app.warehouse import QUESTIONS, Scoped
from ingest.workspace import Workspace
from tests.warehouse_world import LEAD, NOW, World, world, write_world

FIRST, LAST = dt.date(2026, 11, 1), dt.date(2026, 11, 30)


@pytest.fixture(scope="module")
def built() -> World:
    return world()


@pytest.fixture(scope="module")
def lead(built: World) -> Scoped:
    return built.warehouse.for_person(LEAD)


def tile(scoped: Scoped, measure: str, *, is_demo: bool = False, **filters: str) -> tuple[object, ...]:
    """Numerator, denominator and value of ``measure`` in November, rounded to six decimals."""
    rows = scoped.query(
        "tiles", is_demo=is_demo, measures=(measure,), first_date=FIRST, last_date=LAST, **filters
    )
    row = rows.filter(pl.col("period") == "current").row(0, named=True)
    return tuple(
        None if row[name] is None else round(row[name], 6) for name in ("numerator", "denominator", "value")
    )


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        # quote, clean, approved, rejected, failed, cancelled, lost, imported; helper is inside quote
        ("runs", (8, 8, 8)),
        ("success_rate", (3, 8, 0.375)),  # quote, clean, approved
        ("hands_off_rate", (2, 7, 0.285714)),  # quote, clean; nobody knows who was asked in imported
        ("approved_runs", (1, 8, 1)),
        ("intervened_share", (1, 8, 0.125)),  # rejected
        ("failed_share", (3, 8, 0.375)),  # failed, lost, imported
        ("cancelled_share", (1, 8, 0.125)),
        ("interventions", (2, 8, 2)),  # the rejection and the cancellation
        ("cost_usd", (2.1, 7, 2.1)),  # 1.40 + 0.15 + 0.20 + 0.30 + 0.05 + 0 + 0; imported is unknown
        ("cost_per_run", (2.05, 6, 0.341667)),  # without failed (floor) and imported (unknown)
        ("cost_per_success", (2.1, 3, 0.7)),
        ("unknown_cost_share", (2, 8, 0.25)),
        # 1.5 s (three times), 3.5 s, 4 s and the imported 60 s; the wait of an hour is not in it
        ("machine_p50_ms", (2500, 6, 2500)),
        ("machine_p95_ms", (46000, 6, 46000)),  # 4,000 + 0.75 × 56,000
        ("machine_p99_ms", (57200, 6, 57200)),  # 4,000 + 0.95 × 56,000
        # 7, 10, 20, 60 (imported), 300, 2,400 and 4,320 s; nobody knows when the lost one ended
        ("end_to_end_p50_ms", (60000, 7, 60000)),
        ("end_to_end_p95_ms", (3744000, 7, 3744000)),  # 2,400 + 0.70 × 1,920
        ("end_to_end_p99_ms", (4204800, 7, 4204800)),  # 2,400 + 0.94 × 1,920
        ("tool_error_rate", (1, 3, 0.333333)),
        ("runs_with_tool_error_share", (1, 8, 0.125)),
        ("approval_rate", (1, 2, 0.5)),
        ("changed_approval_share", (0, 2, 0)),
        ("decide_p50_s", (900.5, 2, 900.5)),  # 30 min and 1 s
        ("decide_p90_s", (1620.1, 2, 1620.1)),  # 1 + 0.9 × 1,799
        ("decided_under_2s_share", (1, 2, 0.5)),
        ("hitl_configured_rate", (0, 0, None)),  # no version has a consequential tool
        ("hitl_used_rate", (0, 0, None)),  # of no call it is recorded whether it needs an approval
        ("hitl_obeyed_rate", (0, 0, None)),
        ("log_completeness", (20, 21, 0.952381)),  # clean declares its 11 events, failed one more than its 9
        ("refusals", (1, 1, 1)),
        ("budget_utilisation", (1.12, 12, 0.093333)),  # (0.72 + 0.40) of (10 + 2)
    ],
)
def test_each_metric_is_the_number_worked_out_by_hand(
    lead: Scoped, measure: str, expected: tuple[float | None, ...]
) -> None:
    assert tile(lead, measure) == expected


def test_every_metric_is_worked_out_here(built: World) -> None:
    (told,) = (mark for mark in test_each_metric_is_the_number_worked_out_by_hand.pytestmark)  # type: ignore[attr-defined]
    assert {measure for measure, _ in told.args[1]} == set(built.warehouse.metrics())


def test_the_figures_of_one_agent_count_its_delegated_run_at_its_own_cost(lead: Scoped) -> None:
    assert tile(lead, "runs", agent_id="refunds") == (7, 7, 7)
    assert tile(lead, "cost_usd", agent_id="refunds") == (1.1, 7, 1.1)
    assert tile(lead, "cost_usd", agent_id="quotes") == (1.0, 1, 1.0)
    all_tiles = lead.query("tiles", is_demo=False, agent_id="refunds", first_date=FIRST, last_date=LAST)
    budget = all_tiles.filter((pl.col("measure") == "budget_utilisation") & (pl.col("period") == "current"))
    assert budget["value"].to_list() == [None]  # the wallets here are the teams'
    agents = lead.query("agents", is_demo=False, first_date=FIRST, last_date=LAST)
    costs = {row["agent_id"]: row["cost_usd"] for row in agents.iter_rows(named=True)}
    assert costs == {"refunds": Decimal("1.10"), "quotes": Decimal("1.00"), "outside": None}


def test_real_and_demo_numbers_never_meet(lead: Scoped) -> None:
    assert tile(lead, "runs", is_demo=True) == (1, 1, 1)
    assert tile(lead, "cost_usd", is_demo=True) == (9.99, 1, 9.99)
    assert lead.query("run", is_demo=False, run_id="demo").is_empty()


def test_a_period_without_runs_costs_nothing_and_has_no_rates(lead: Scoped) -> None:
    empty = lead.query("tiles", is_demo=False, first_date=dt.date(2020, 1, 1), last_date=dt.date(2020, 1, 31))
    values = dict(empty.filter(pl.col("period") == "current").select("measure", "value").iter_rows())
    assert values["runs"] == 0
    assert values["cost_usd"] == 0
    assert values["success_rate"] is None
    assert values["cost_per_run"] is None
    assert values["machine_p95_ms"] is None


def test_waits_and_queue_are_beside_machine_time(lead: Scoped) -> None:
    run = lead.query("run", is_demo=False, run_id="approved").row(0, named=True)
    assert run["waiting_ms"] == 3_600_000  # 10:10 to 11:10
    assert run["queue_ms"] == 60_000  # decided 11:10, resumed 11:11
    assert run["end_to_end_ms"] == 4_320_000
    assert run["machine_ms"] == 1_500
    assert run["is_approved_run"]
    assert run["intervention_count"] == 0


def test_what_is_not_known_is_null_and_a_stated_zero_stays_visible(lead: Scoped) -> None:
    run = lead.query("run", is_demo=False, run_id="imported").row(0, named=True)
    assert run["reported_cost_usd"] == 0
    assert run["cost_usd"] is None
    assert run["cost_status"] == "unknown"
    assert run["turn_count"] is None
    assert run["input_tokens"] is None
    assert run["model_name"] == "gpt-oss"
    failed = lead.query("run", is_demo=False, run_id="failed").row(0, named=True)
    assert (failed["cost_usd"], failed["cost_status"]) == (Decimal("0.05"), "floor")


def test_days_and_wallet_windows_are_the_companys(lead: Scoped) -> None:
    quote = lead.query("run", is_demo=False, run_id="quote").row(0, named=True)
    assert quote["run_date"] == dt.date(2026, 11, 1)  # ended 00:30 in Berlin
    wallets = lead.query("wallets", is_demo=False, wallet_kind="team")
    spent = {
        (row["owner_id"], row["window_start_date"].month): (row["spent_usd"], row["utilisation_ratio"])
        for row in wallets.iter_rows(named=True)
    }
    assert spent == {
        ("sales", 10): (Decimal("1.00"), Decimal("0.5")),  # held at 23:59:59 on 31 October
        ("sales", 11): (Decimal("0.40"), Decimal("0.2")),  # the cap of October stays
        ("support", 10): (Decimal("0.00"), Decimal("0")),
        ("support", 11): (Decimal("0.72"), Decimal("0.072")),  # the waiting run's 0.02 is spent too
    }


def test_team_spend_adds_up_to_the_cost_of_all_runs(lead: Scoped) -> None:
    spend = lead.query("spend", is_demo=False, by="team")
    by_team = {row["series"]: row["cost_usd"] for row in spend.iter_rows(named=True)}
    assert by_team == {"sales": Decimal("1.40"), "support": Decimal("0.72")}
    runs = lead.table("fct_runs", is_demo=False)
    assert sum(by_team.values()) == runs.filter(~pl.col("is_delegated"))["total_cost_usd"].sum()
    assert sum(by_team.values()) == runs["cost_usd"].sum()


def test_a_series_adds_up_to_its_tiles(lead: Scoped) -> None:
    for by in ("fleet", "team", "model"):
        series = lead.query("series", is_demo=False, by=by, first_date=FIRST, last_date=LAST)
        assert series["runs"].sum() == 8, by
        assert series["cost_usd"].sum() == Decimal("2.10"), by
        assert series["tool_errors"].sum() == 1, by
        assert series["decisions"].sum() == 2, by
    by_agent = lead.query("series", is_demo=False, by="agent", first_date=FIRST, last_date=LAST)
    assert by_agent["runs"].sum() == 9
    assert by_agent["cost_usd"].sum() == Decimal("2.10")


ROLLED_UP = {
    "runs": ("runs", "runs"),
    "success_rate": ("successes", "runs"),
    "hands_off_rate": ("hands_off_runs", "runs_with_known_approvals"),
    "intervened_share": ("intervened", "runs"),
    "failed_share": ("failed", "runs"),
    "cancelled_share": ("cancelled", "runs"),
    "approved_runs": ("approved_runs", "runs"),
    "interventions": ("interventions", "runs"),
    "cost_per_run": ("exact_total_cost_usd", "runs_total_cost_exact"),
    "cost_per_success": ("total_cost_usd", "successes"),
    "runs_with_tool_error_share": ("runs_with_tool_error", "runs_with_known_tool_errors"),
    "tool_error_rate": ("tool_errors", "tool_calls_executed"),
    "approval_rate": ("approvals_yes", "decisions"),
}
"""Metric, and the two columns of the roll-ups that make it."""


@pytest.mark.parametrize("period", ["days", "weeks", "months"])
def test_the_roll_ups_by_day_week_and_month_give_the_same_numbers(lead: Scoped, period: str) -> None:
    rows = lead.table(f"rpt_agent_{period}", is_demo=False)
    for measure, (above, below) in ROLLED_UP.items():
        # calls and decisions of delegated runs are nobody else's
        counted = (
            rows if measure in ("tool_error_rate", "approval_rate") else rows.filter(~pl.col("is_delegated"))
        )
        made = tuple(round(float(counted[name].sum()), 6) for name in (above, below))
        assert made == tile(lead, measure)[:2], measure


def test_the_percentiles_of_a_day_are_those_of_its_runs(lead: Scoped) -> None:
    keys = ["run_date", "team_id", "agent_id", "is_delegated"]
    runs = lead.table("fct_runs", is_demo=False).filter(pl.col("is_terminal"))
    days = lead.table("rpt_agent_days", is_demo=False).filter(pl.col("runs") > 0)
    for name in ("machine", "end_to_end"):
        times = runs.with_columns(pl.col(f"{name}_ms").cast(pl.Float64).alias("ms"))
        expected = times.group_by(keys).agg(
            pl.col("ms").quantile(0.95, "linear").alias("p95"), pl.col("ms").count().alias("known")
        )
        both = days.join(expected, on=keys, nulls_equal=True)
        assert both.height == days.height == expected.height
        assert both[f"runs_with_{name}_ms"].to_list() == both["known"].to_list()
        told = both[f"{name}_p95_ms"].cast(pl.Float64).to_list()
        assert told == pytest.approx(both["p95"].to_list())
        assert any(known > 1 for known in both["known"].to_list())


def test_the_rows_behind_a_tile_give_its_number(built: World, lead: Scoped) -> None:
    for measure, metric in built.warehouse.metrics().items():
        rows = lead.rows_behind(measure, is_demo=False, first_date=FIRST, last_date=LAST)
        numerator, denominator, _ = tile(lead, measure)
        with duckdb.connect() as memory:
            memory.register("behind", rows.to_arrow())
            again = memory.execute(f"select {metric.numerator}, {metric.denominator} from behind").fetchall()[
                0
            ]
        assert [round(float(cell), 6) for cell in again] == [numerator, denominator], measure


def test_intervals_are_wilsons(lead: Scoped) -> None:
    rows = lead.query("tiles", is_demo=False, measures=("success_rate",), first_date=FIRST, last_date=LAST)
    row = rows.row(0, named=True)
    # 3 of 8 by hand with z = 1.96: (0.375 + 0.24008 ± 1.96·√(0.0292969 + 0.0150052)) / 1.48015
    assert row["low"] == pytest.approx(0.1368, abs=1e-4)
    assert row["high"] == pytest.approx(0.6943, abs=1e-4)
    assert row["is_small"]


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(4, 4, 51, 100), (8, 8, 68, 100), (27, 30, 74, 97), (90, 100, 83, 94), (270, 300, 86, 93)],
)
def test_the_intervals_of_the_definitions(k: int, n: int, low: int, high: int) -> None:
    """The examples that stand beside the rule: rounded to whole percent."""
    rate = with_rate(pl.DataFrame({"k": [k], "n": [n]}), "rate", "k", "n").row(0, named=True)
    assert (round(100 * rate["rate_low"]), round(100 * rate["rate_high"])) == (low, high)


def test_the_search_finds_filters_orders_and_counts(lead: Scoped) -> None:
    def found(**filters: FilterValue) -> list[str]:
        rows = lead.query("runs", is_demo=False, **filters)
        assert rows.height == lead.query("run_count", is_demo=False, **filters)["runs"].item()
        return rows["run_id"].to_list()

    assert set(found(outcome="failed")) == {"failed", "lost", "imported"}
    assert found(run_status="waiting") == ["waiting"]
    assert found(text="RUNS.JSON") == ["imported"]
    assert found(run_id_prefix="re") == ["refused", "rejected"]
    assert found(has_tool_error=True) == ["failed"]
    assert found(actor_id="kim", has_intervention=False) == ["approved"]
    assert found(min_cost_usd=Decimal("0.35")) == ["quote", "helper"]
    page = lead.query("runs", is_demo=False, order="cost", limit=2, offset=1)
    assert page["run_id"].to_list() == ["helper", "rejected"]


def test_oversight_counts_decisions_and_what_was_left_undecided(lead: Scoped) -> None:
    row = lead.query("oversight", is_demo=False, by="all").row(0, named=True)
    assert (row["decided"], row["approved"], row["rejected"], row["waiting"], row["expired"]) == (
        2,
        1,
        1,
        1,
        0,
    )
    assert (row["under_2s"], row["timed"], row["decide_p50_s"]) == (1, 2, 900.5)
    assert row["approval_rate"] == 0.5


def test_every_question_answers_and_shows_sql_that_gives_the_same_rows(built: World, lead: Scoped) -> None:
    one_run = {"run_id": "clean"}
    needs = {name: one_run for name in QUESTIONS if name == "run" or name.startswith("run_")}
    needs["run_count"] = {}
    for name, question in QUESTIONS.items():
        filters = needs.get(name, {})
        statement = lead.statement(name, is_demo=False, **filters)
        assert statement.meaning == question.meaning
        assert "$" not in statement.text, name
        pasted = built.warehouse.fetch(statement.text, {})
        assert pasted.height == lead.query(name, is_demo=False, **filters).height, name


def test_two_builds_of_one_log_hold_the_same_rows(built: World, tmp_path: Path) -> None:
    again = Workspace.create(tmp_path / "again")
    write_world(again)
    second = build(again, now=NOW)
    with duckdb.connect() as memory:
        memory.execute(f"attach '{built.warehouse.file}' as a (read_only)")
        memory.execute(f"attach '{second.path / 'warehouse.duckdb'}' as b (read_only)")
        for name in second.row_counts:
            # ids of events and writers and the manifest root are new in a second log; nothing else is
            columns = [
                row[0]
                for row in memory.execute(
                    "select column_name from duckdb_columns() where database_name = 'a' and table_name = ?",
                    [name],
                ).fetchall()
                if row[0] not in ("event_id", "checkpoint_root", "finding_id", "object_id")
            ]
            listed = ", ".join(columns)
            for one, other in (("a", "b"), ("b", "a")):
                mine, theirs = (f"select {listed} from {side}.main.{name}" for side in (one, other))
                assert memory.execute(f"{mine} except all {theirs}").fetchall() == [], name
