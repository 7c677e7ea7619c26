"""Scope is applied below the pages: no question, filter or page of rows can reach past it."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator

import duckdb
import polars as pl
import pytest

from app.errors import QuestionError, WarehouseError
from app.export.service import export_table
from app.questions import scope as scoping
from app.questions.asking import FilterValue
from app.questions.marts import MARTS
from app.questions.scope import Scope, confine
from app.warehouse import QUESTIONS, Scoped
from tests.warehouse_world import JON, LEAD, NOBODY, SALES, SUPPORT, World, world

PERIOD: dict[str, FilterValue] = {"first_date": dt.date(2026, 1, 1), "last_date": dt.date(2026, 12, 31)}
VARIANTS: dict[str, tuple[dict[str, FilterValue], ...]] = {
    "series": tuple({"by": by} for by in ("fleet", "team", "agent", "model")),
    "spend": tuple({"by": by} for by in ("team", "agent", "model")),
    "spend_over_time": tuple(
        {"by": by, "grain": grain} for by in ("team", "agent") for grain in ("day", "month")
    ),
    "targets_of_runs": ({"text_run_ids": "clean\nquote\nhelper\nimported"},),
    "oversight": tuple({"by": by} for by in ("all", "team", "agent", "tool", "person")),
}
WHOLE_LOG = {"freshness", "measures"}
"""Questions about the generation, which everyone may see."""


@pytest.fixture(scope="module")
def built() -> World:
    return world()


def asked(scoped: Scoped) -> Iterator[tuple[str, dict[str, FilterValue]]]:
    """Every question with every variant of its own filters, with and without a period."""
    for name in QUESTIONS:
        own: tuple[dict[str, FilterValue], ...] = VARIANTS.get(name, ({},))
        if name == "run" or (name.startswith("run_") and name != "run_count"):
            own = tuple({"run_id": run} for run in ("clean", "quote", "helper", "imported"))
        for filters in own:
            yield name, filters
            yield name, {**filters, **PERIOD}


def foreign(built: World, scope: Scope, team: str) -> set[str]:
    """Questions that answer with a row of another team than ``team``."""
    scoped, found = built.warehouse.for_person(scope), set()
    for name, filters in asked(scoped):
        rows = scoped.query(name, is_demo=False, **filters)
        if "team_id" in rows.columns:
            strange = set(rows["team_id"].to_list()) - {team}
            if strange - ({None} if name == "exports" else set()):
                found.add(name)
    return found


@pytest.mark.parametrize(("scope", "team"), [(SUPPORT, "support"), (SALES, "sales"), (JON, "support")])
def test_no_question_returns_a_row_of_a_foreign_team(built: World, scope: Scope, team: str) -> None:
    assert foreign(built, scope, team) == set()


def test_without_the_team_clause_most_questions_would(built: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: one clause of the scope taken out is noticed by the test above."""
    monkeypatch.setattr(scoping, "_teams", lambda scope, values: "")
    assert {"runs", "agents", "run", "exports"} - foreign(built, SUPPORT, "support") == {"exports"}


def test_without_the_own_clause_a_person_with_own_scope_would_see_runs_of_others(
    built: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def actors() -> set[str]:
        rows = built.warehouse.for_person(JON).table("fct_runs", is_demo=False)
        return set(rows["actor_id"].to_list())

    assert actors() == {"jon"}
    monkeypatch.setattr(scoping, "_own", lambda own, scope, values: "")
    assert actors() > {"jon"}


def test_an_export_holds_rows_of_the_scope_and_without_its_clause_it_would_not(
    built: World, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lets:
        def may_export(self, person_id: str) -> None:
            """Let through."""

        def record_export(self, person_id: str, **_told: object) -> str:
            return "event"

    def teams() -> set[str | None]:
        export, _ = export_table(
            built.warehouse.for_person(SUPPORT),
            Lets(),
            tmp_path_factory.mktemp("exports"),
            mart="fct_runs",
            format_="parquet",
            is_demo=False,
            filters={},
            now=dt.datetime(2026, 11, 10, tzinfo=dt.UTC),
        )
        return set(pl.read_parquet(export.data_file)["team_id"].to_list())

    assert teams() == {"support"}
    monkeypatch.setattr(scoping, "_teams", lambda scope, values: "")
    assert teams() > {"support"}


def test_asking_for_a_foreign_team_gives_nothing(built: World) -> None:
    scoped = built.warehouse.for_person(SUPPORT)
    assert scoped.query("runs", is_demo=False, team_id="sales").is_empty()
    assert scoped.query("run", is_demo=False, run_id="quote").is_empty()
    assert scoped.query("run_turns", is_demo=False, run_id="quote").is_empty()
    tiles = scoped.query("tiles", is_demo=False, measures=("runs",), team_id="sales", **PERIOD)
    assert set(tiles["value"].to_list()) == {0.0}


def test_leaving_filters_out_never_shows_more_than_the_scope(built: World) -> None:
    scoped, whole = built.warehouse.for_person(SUPPORT), built.warehouse.for_person(LEAD)
    for mart in MARTS:
        columns = set(whole.column_docs(mart))
        mine = scoped.row_count(mart, is_demo=False)
        assert mine == scoped.table(mart, is_demo=False).height
        if mart == "fct_exports":  # names no team: only the person's own and all-team readers see it
            assert (mine, whole.row_count(mart, is_demo=False)) == (0, 1)
        elif "team_id" in columns:
            assert mine == whole.row_count(mart, is_demo=False, team_id="support"), mart


def test_a_person_with_own_scope_sees_own_runs_and_what_hangs_on_them(built: World) -> None:
    jon = built.warehouse.for_person(JON)
    runs = {"clean", "failed", "cancelled", "lost", "refused", "waiting"}
    assert set(jon.table("fct_runs", is_demo=False)["run_id"]) == runs
    assert set(jon.table("fct_turns", is_demo=False)["run_id"]) <= runs
    assert set(jon.table("fct_approvals", is_demo=False)["run_id"]) == {"waiting"}
    assert jon.table("fct_refusals", is_demo=False)["run_id"].to_list() == ["refused"]
    assert jon.table("fct_exports", is_demo=False)["export_id"].to_list() == ["ex-1"]
    assert jon.table("dim_people", is_demo=False)["person_id"].to_list() == ["jon"]
    # sums over other people's runs are not for a person who sees own runs only
    assert jon.table("rpt_agent_days", is_demo=False).is_empty()
    assert jon.table("fct_wallet_windows", is_demo=False).is_empty()


def test_a_scope_without_teams_sees_nothing(built: World) -> None:
    nobody = built.warehouse.for_person(NOBODY)
    for name, filters in asked(nobody):
        rows = nobody.query(name, is_demo=False, **filters)
        if name in WHOLE_LOG:
            continue
        counts = {
            "tiles": "value",
            "row_counts": "rows",
            "run_count": "runs",
            "oversight": "decided",
            "risk_populations": "runs",
        }
        if name in counts:
            assert set(rows[counts[name]].to_list()) <= {0, None}, name
        else:
            assert rows.is_empty(), name


def test_demo_and_real_rows_are_never_in_one_answer(built: World) -> None:
    whole = built.warehouse.for_person(LEAD)
    for is_demo in (True, False):
        for mart in MARTS:
            assert set(whole.table(mart, is_demo=is_demo)["is_demo"]) <= {is_demo}, mart


def test_every_statement_names_tables_only_through_the_scope(built: World) -> None:
    scoped = built.warehouse.for_person(SUPPORT)
    for name, filters in asked(scoped):
        text = scoped.statement(name, is_demo=False, **filters).text
        for mart in MARTS:
            assert text.count(f"main.{mart} where is_demo = false") == text.count(f"main.{mart}"), (
                name,
                mart,
            )


def test_a_question_cannot_reach_past_the_scope_by_naming_the_schema() -> None:
    with pytest.raises(ValueError, match="names a schema"):
        confine("select * from main.fct_runs", SUPPORT)
    with pytest.raises(ValueError, match="names a schema"):
        confine("select * from MAIN.fct_runs", SUPPORT)


def test_a_team_name_is_a_value_and_never_sql(built: World) -> None:
    evil = "support' or '1'='1"
    scope = Scope(person_id="x' or '1'='1", role_id="r", team_ids=(evil,), own_only=True)
    scoped = built.warehouse.for_person(scope)
    assert scoped.query("runs", is_demo=False).is_empty()
    lead = built.warehouse.for_person(LEAD)
    assert lead.query("runs", is_demo=False, text=evil).is_empty()
    pasted = built.warehouse.fetch(lead.statement("runs", is_demo=False, agent_id=evil).text, {})
    assert pasted.is_empty()


def test_unknown_questions_filters_and_orders_are_refused_with_the_known_ones(built: World) -> None:
    lead = built.warehouse.for_person(LEAD)
    with pytest.raises(QuestionError, match="The questions are agent_history, agents, "):
        lead.query("agent", is_demo=False)
    with pytest.raises(QuestionError, match="did you mean 'outcome'"):
        lead.query("runs", is_demo=False, outcom="clean")
    with pytest.raises(QuestionError, match="expected date"):
        lead.query("runs", is_demo=False, first_date="2026-11-01")
    with pytest.raises(QuestionError, match="Order by newest"):
        lead.query("runs", is_demo=False, order="run_id; drop table fct_runs")
    with pytest.raises(QuestionError, match="Unknown measure"):
        lead.query("tiles", is_demo=False, measures=("happiness",))
    with pytest.raises(QuestionError, match="Unknown table"):
        lead.table("dim_metrics", is_demo=False)


def test_a_reader_can_neither_write_nor_leave_its_file(
    built: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "out.csv"
    for sql in (
        f"copy (select 1) to '{outside}'",
        "create table main.x as select 1",
        "delete from main.fct_runs",
        f"select * from read_csv('{built.workspace.registry_file}')",
        f"attach '{outside}.duckdb' as other",
        "set enable_external_access = true",
    ):
        with pytest.raises(duckdb.Error):
            built.warehouse.fetch(sql, {})
    assert not outside.exists()


def test_many_threads_ask_one_generation_and_get_their_own_answers(built: World) -> None:
    wrong: list[object] = []

    def ask(scope: Scope, expected: int) -> None:
        for _ in range(20):
            rows = built.warehouse.for_person(scope).query("run_count", is_demo=False)["runs"].item()
            if rows != expected:
                wrong.append((scope.person_id, rows))

    threads = [
        threading.Thread(target=ask, args=pair)
        for pair in ((LEAD, 11), (SUPPORT, 9), (SALES, 1), (JON, 6)) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_pointer_to_nothing_says_what_to_do(built: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(WarehouseError, match="Run `fleetbook build`"):
        type(built.warehouse).at(empty)
