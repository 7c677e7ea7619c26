"""Every page for every person: real rows, no exception, nothing of another team, no active foreign text."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Element

from app import desk as desk_module
from app import identity
from app.desk import Approval, Desk
from app.live import reach, searching
from app.questions import scope as scoping
from app.questions.scope import Scope
from app.review.quarters import Quarter
from app.views.agent import TABS
from app.workbench.extracts import fill
from ingest.workspace import Workspace
from runner.control import access, content_grants, core
from runner.control.access import Ruling
from runner.control.content_grants import Reading
from tests import pages_world
from tests.pages_world import HOSTILE_AGENT, HOSTILE_RUN, LEAD, MANAGERS, PEOPLE, USER, VIEWS
from tests.test_access_matrix import ROLES
from tests.test_workbench import logged

# Elements whose text the browser never reads as Markdown: test_browser_pages.py watches them.
PLAIN = ("code", "text", "dataframe", "selectbox", "text_input")
# Pages that say something without a build.
LIVE_ALONE = ("approvals", "run", "teams", "schedules", "access", "compliance")
# What shows figures or rows; an empty page has none of them.
ROWS = ("dataframe", "code", "text", "metric")
ENTRY = Path(__file__).resolve().parent.parent / "app" / "streamlit_app.py"


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return pages_world.demo()


@pytest.fixture(autouse=True)
def _used(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))


def opened(view: str, person_id: str, **parameters: str) -> AppTest:
    """The page ``view`` as ``person_id`` sees it, with further parameters in the URL."""
    app = AppTest.from_file(ENTRY, default_timeout=60)
    app.query_params["as"] = person_id
    app.run()
    if view != "home":
        app.switch_page(f"views/{view}.py")
    for name, text in parameters.items():
        app.query_params[name] = text
    return app.run()


def one_of(workspace: Workspace, person_id: str) -> dict[str, str]:
    """URL parameters of an agent and of a run that the person may see."""
    place = identity.premises()
    warehouse = place.warehouse()
    assert warehouse is not None
    scoped = warehouse.for_person(identity.scope_of(identity.person(place.desk, person_id)))
    run = scoped.query("runs", is_demo=True, order="cost", limit=1).row(0, named=True)
    return {"agent": str(run["agent_id"]), "run": str(run["run_id"])}


def clear_caches() -> None:
    """Forget what pages were answered before: a mutant is asked anew."""
    st.cache_data.clear()
    st.cache_resource.clear()


def parameters_of(view: str, workspace: Workspace, person_id: str) -> dict[str, str]:
    """What the URL of ``view`` must say for it to have rows: which agent or run, which quarter."""
    if view == "review":
        return {"quarter": str(Quarter.of(dt.datetime.now(dt.UTC).date()))}
    if view == "data":
        return {"part": "tables", "table": "fct_runs"}
    return one_of(workspace, person_id) if view in ("agent", "run") else {}


def elements(block: Block) -> Iterator[Element]:
    """Every element below ``block``, in order."""
    for child in block.children.values():
        if isinstance(child, Block):
            yield from elements(child)
        elif isinstance(child, Element):
            yield child


def texts(app: AppTest) -> list[str]:
    """Everything the main part of the page holds: markdown, captions, labels, figures, cells of tables."""
    found = []
    for element in elements(app.main):
        if element.type == "dataframe":
            # The sentence of a refusal names the team that the asker comes from; the row is the own team's.
            found.append(element.value.drop(columns="reason", errors="ignore").to_csv())
        elif element.type == "plotly_chart":
            found.append(element.proto.spec)
        else:
            found.append(str(element.proto))
    return found


@pytest.mark.parametrize("person_id", PEOPLE)
@pytest.mark.parametrize("view", VIEWS)
def test_the_page_opens_with_real_rows(view: str, person_id: str, workspace: Workspace) -> None:
    parameters = parameters_of(view, workspace, person_id)
    app = opened(view, person_id, **parameters)
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert len(app.title) == 1
    told = "\n".join(texts(app))
    assert "Demo data" in told
    assert re.search(r"data until .*UTC, build \d+", told)
    rows = [element for element in elements(app.main) if element.type in ROWS]
    assert sum(len(element.value) for element in rows) > 0


def test_every_view_is_opened_as_every_role(workspace: Workspace) -> None:
    """A view or a role added later has to be added to the world of these tests."""
    assert {path.stem for path in (ENTRY.parent / "views").glob("[!_]*.py")} == set(VIEWS)
    place = identity.premises()
    roles = {one.person_id: one.role_id for one in place.desk.people()}
    assert {roles[one] for one in (*PEOPLE, USER)} == set(place.desk.control.registry().roles)
    assert set(ROLES) == set(place.desk.control.registry().roles)


@pytest.mark.parametrize("view", VIEWS)
def test_a_person_who_sees_own_runs_only_gets_pages_without_an_error(view: str, workspace: Workspace) -> None:
    person_id = USER
    parameters = parameters_of(view, workspace, person_id)
    app = opened(view, person_id, **parameters)
    assert not app.exception
    assert strangers("\n".join(texts(app)), "support", workspace) == []


def test_no_page_uses_a_way_around_the_escaping() -> None:
    ways = ("unsafe_allow" + "_html", "st.html", "components.v1", "st.write(", "st.iframe", "MarkdownColumn")
    views = ENTRY.parent / "views"
    found = [(path.name, way) for path in views.rglob("*.py") for way in ways if way in path.read_text()]
    assert found == []


@pytest.mark.parametrize("team", MANAGERS)
@pytest.mark.parametrize("view", VIEWS)
def test_a_manager_sees_nothing_of_another_team(view: str, team: str, workspace: Workspace) -> None:
    person_id = MANAGERS[team]
    parameters = parameters_of(view, workspace, person_id)
    told = "\n".join(texts(opened(view, person_id, **parameters)))
    assert strangers(told, team, workspace) == []


@pytest.mark.parametrize("view", ["fleet", "agents", "runs", "log_export"])
def test_a_team_in_the_url_widens_nothing(view: str, workspace: Workspace) -> None:
    told = "\n".join(texts(opened(view, MANAGERS["finance"], team="support")))
    assert strangers(told, "finance", workspace) == []


def test_an_agent_or_run_of_another_team_does_not_open(workspace: Workspace) -> None:
    foreign = one_of(workspace, MANAGERS["support"])
    for view in ("agent", "run"):
        app = opened(view, MANAGERS["finance"], **foreign)
        assert not app.exception
        assert len(app.tabs) == 0
        assert strangers("\n".join(texts(app)).replace(foreign[view], ""), "finance", workspace) == []


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_of_an_agent_opens_within_the_scope_and_keeps_foreign_text_text(
    tab: str, workspace: Workspace
) -> None:
    own = opened("agent", MANAGERS["support"], **one_of(workspace, MANAGERS["support"]), tab=tab)
    assert not own.exception
    assert strangers("\n".join(texts(own)), "support", workspace) == []
    hostile = opened("agent", LEAD, agent=HOSTILE_AGENT, tab=tab)
    assert not hostile.exception
    for element in elements(hostile.main):
        if element.type not in (*PLAIN, "plotly_chart"):
            assert not re.search(r"(?<!\\)(!\[|\]\(|<\w)", str(element.proto)), element.type


def test_two_versions_of_an_agent_are_compared_field_by_field_and_its_past_names_people() -> None:
    app = opened("agent", LEAD, agent="refund-agent", tab="Versions")
    changes = app.dataframe[-1].value
    assert list(changes.columns) == ["field", "before", "after"]
    assert len(changes) > 0
    assert (changes["before"] != changes["after"]).all()
    past = opened("agent", LEAD, agent="refund-agent", tab="History").dataframe[-1].value
    assert {"version 1 declared", "version 1 approved", "version 1 in force"} <= set(past["what"])
    declared = past[past["what"].str.endswith("declared")]
    assert (declared["by"].str.len() > 0).all()
    assert past["happened_at"].is_monotonic_decreasing


def strangers(told: str, team: str, workspace: Workspace) -> list[str]:
    """Ids and names of other teams and of their agents that ``told`` holds."""
    place = identity.premises()
    warehouse = place.warehouse()
    assert warehouse is not None
    lead = warehouse.for_person(identity.scope_of(identity.person(place.desk, LEAD)))
    agents = lead.query("agents", is_demo=True).filter(lead.query("agents", is_demo=True)["team_id"] != team)
    names = {str(name) for column in ("agent_id", "agent_name") for name in agents[column].drop_nulls()}
    names |= {other for other in place.desk.teams() if other != team}
    # A role, and what an own agent is expected to be used for.
    for words in ("platform lead", "by finance, sales and support"):
        told = told.replace(words, "")
    return sorted(name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", told))


@pytest.mark.parametrize("view", VIEWS)
def test_foreign_names_and_texts_never_become_markdown(view: str) -> None:
    parameters = {"agent": HOSTILE_AGENT, "run": HOSTILE_RUN} if view in ("agent", "run") else {}
    app = opened(view, LEAD, **parameters)
    assert not app.exception
    for element in elements(app.main):
        if element.type in PLAIN:
            continue
        shown = element.proto.spec if element.type == "plotly_chart" else str(element.proto)
        active = r"<\w" if element.type == "plotly_chart" else r"(?<!\\)(!\[|\]\(|<\w)"
        assert not re.search(active, shown), (element.type, shown)


def test_the_texts_of_a_run_are_shown_to_the_letter_as_code() -> None:
    app = opened("run", LEAD, run=HOSTILE_RUN)
    assert [code.value for code in app.code].count(pages_world.HOSTILE) == 5
    assert {code.language for code in app.code} == {"plaintext"}


def test_who_may_not_read_texts_is_told_so_and_sees_none(workspace: Workspace) -> None:
    app = opened("run", pages_world.ANALYST, run=HOSTILE_RUN)
    assert not app.exception
    assert pages_world.HOSTILE not in [code.value for code in app.code]
    assert any("you may not read it" in caption.value for caption in app.caption)


def test_the_numbers_of_the_run_page_tie_to_the_build(workspace: Workspace) -> None:
    app = opened("run", LEAD, **one_of(workspace, LEAD))
    ties = next(table.value for table in app.dataframe if "ties" in table.value)
    assert set(ties["ties"]) == {"yes"}


def test_a_tile_of_the_fleet_page_is_the_warehouses_number(workspace: Workspace) -> None:
    place = identity.premises()
    warehouse = place.warehouse()
    assert warehouse is not None
    lead = warehouse.for_person(identity.scope_of(identity.person(place.desk, LEAD)))
    app = opened("fleet", LEAD, days="all")
    tiles = {metric.label: metric.value for metric in app.metric}
    counted = lead.row_count("fct_runs", is_demo=True, is_terminal=True, is_delegated=False)
    assert tiles["Runs"] == f"{counted:,}"


def test_filters_of_the_runs_page_live_in_the_url(workspace: Workspace) -> None:
    app = opened("runs", LEAD, agent="refund-agent", result="outcome:clean", days="all")
    assert not app.exception
    table = app.dataframe[0].value
    assert set(table["agent"]) == {"Refund agent"}
    assert set(table["result"]) == {"clean"}
    assert app.query_params["agent"] in ("refund-agent", ["refund-agent"])


def test_an_unknown_word_in_the_url_is_ignored() -> None:
    app = opened("runs", LEAD, days="; drop table fct_runs", agent="nobody-knows", order="'", page="-3")
    assert not app.exception
    assert len(app.dataframe[0].value) > 0


def test_an_export_just_made_is_not_offered_to_the_next_person() -> None:
    app = opened("log_export", LEAD, table="dim_agents", format="csv")
    app.button[0].click().run()
    assert not app.exception
    assert "exported, complete" in app.success[0].value
    assert len(app.get("download_button")) >= 2
    app.selectbox(key="person_switch").select(MANAGERS["sales"]).run()
    assert not app.exception
    assert len(app.success) == 0
    assert len(app.get("download_button")) == 0


def test_without_a_build_the_pages_say_which_command_makes_one(
    workspace: Workspace, tmp_path, monkeypatch
) -> None:
    empty = Workspace.create(tmp_path / "new")
    empty.registry_file.write_bytes(workspace.registry_file.read_bytes())
    from runner.control.plane import Control
    from runner.control.registry_file import load_registry

    with Control(empty, process_name="test") as control:
        control.apply(load_registry(empty.registry_file))
    monkeypatch.setenv("FLEETBOOK_HOME", str(empty.root))
    for view in VIEWS:
        app = opened(view, LEAD)
        assert not app.exception
        told = "\n".join(texts(app))
        assert "fleetbook build" in told or view in LIVE_ALONE, view


def test_a_build_of_another_release_is_answered_with_the_command(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = pages_world.copy(tmp_path / "copy").root
    generation = (copied / "build" / "current").resolve().name
    with duckdb.connect(copied / "build" / "gens" / generation / "warehouse.duckdb") as warehouse:
        warehouse.execute("alter table main.fct_runs drop column outcome")
    monkeypatch.setenv("FLEETBOOK_HOME", str(copied))
    app = opened("fleet", LEAD)
    assert not app.exception
    assert "fleetbook build" in app.error[0].value


def test_without_a_registry_the_page_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETBOOK_HOME", str(Workspace.create(tmp_path / "bare").root))
    app = AppTest.from_file(ENTRY, default_timeout=60).run()
    assert not app.exception
    assert "registry apply" in app.error[0].value.replace("\\", "")


def test_without_a_workspace_the_page_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETBOOK_HOME", str(tmp_path / "nothing"))
    app = AppTest.from_file(ENTRY, default_timeout=60).run()
    assert not app.exception
    assert "fleetbook init" in app.error[0].value.replace("\\", "")


def test_the_waiting_request_is_data_and_its_showing_is_recorded(workspace: Workspace) -> None:
    desk = Desk.open(workspace)
    (request,) = [one for one in desk.approvals(LEAD) if one.status == "waiting"]
    app = opened("approvals", MANAGERS["support"])
    assert not app.exception
    shown = {text.value for text in app.text}
    assert set(request.arguments) <= shown
    assert "240" in shown
    assert any("240.00" in markdown.value for markdown in app.markdown)
    assert [button.label for button in app.button if "Approve" in button.label]
    events = desk.live_run_events(request.run_id, LEAD)
    seen = [event["person_id"] for event in events if event["event_type"] == "approval_shown"]
    assert seen.count(MANAGERS["support"]) == 1


def decided_on_a_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fill: Callable[[AppTest, str], None], button: str
) -> tuple[AppTest, Approval]:
    """Answer the waiting request of a copied workspace on the page, as the team's manager."""
    own = pages_world.copy(folder)
    monkeypatch.setenv("FLEETBOOK_HOME", str(own.root))
    desk = Desk.open(own)
    (request,) = [one for one in desk.approvals(LEAD) if one.status == "waiting"]
    app = opened("approvals", MANAGERS["support"])
    fill(app, request.approval_id)
    next(one for one in app.button if one.label == button).click()
    app.run()
    assert not app.exception
    (answered,) = [one for one in desk.approvals(LEAD) if one.approval_id == request.approval_id]
    return app, answered


def test_a_call_is_approved_with_changed_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lower(app: AppTest, approval_id: str) -> None:
        app.text_input(key=f"arg_{approval_id}_amount_usd").set_value("120.50")

    app, answered = decided_on_a_page(tmp_path / "own", monkeypatch, lower, "Approve with these arguments")
    assert (answered.decision, answered.decided_by) == ("approved_changed", MANAGERS["support"])
    assert answered.changed_arguments == {**answered.arguments, "amount_usd": "120.50"}
    assert "says so in the log" in app.success[0].value


def test_an_argument_that_does_not_fit_the_tool_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(app: AppTest, approval_id: str) -> None:
        app.text_input(key=f"arg_{approval_id}_amount_usd").set_value("much")

    app, answered = decided_on_a_page(tmp_path / "own", monkeypatch, spoil, "Approve with these arguments")
    assert answered.status == "waiting"
    assert "do not fit the tool" in app.error[0].value


def test_a_rejection_carries_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say_why(app: AppTest, _approval_id: str) -> None:
        next(field for field in app.text_input if field.label == "Reason").set_value("no receipt")

    app, answered = decided_on_a_page(tmp_path / "own", monkeypatch, say_why, "Reject this call")
    assert (answered.decision, answered.reason) == ("rejected", "no receipt")
    assert "says so in the log" in app.success[0].value


def test_who_may_not_decide_gets_the_reason_and_no_button(workspace: Workspace) -> None:
    for person_id in (pages_world.OFFICER, pages_world.ANALYST):
        app = opened("approvals", person_id)
        assert not app.exception
        assert not [button for button in app.button if "Approve" in button.label]


def asked_in_sql(person_id: str, sql: str) -> AppTest:
    """The page Data after ``person_id`` asked ``sql``."""
    app = opened("data", person_id)
    app.text_area[0].set_value(sql)
    app.button[0].click()
    return app.run()


def test_sql_on_the_page_answers_with_rows_of_the_own_team_only() -> None:
    sql = "select team_id, count(*) as runs from fct_runs group by team_id"
    app = asked_in_sql(MANAGERS["finance"], sql)
    assert not app.exception
    table = app.dataframe[0].value
    assert table["team_id"].to_list() == ["finance"]
    whole = asked_in_sql(LEAD, sql).dataframe[0].value
    assert set(whole["team_id"]) >= set(MANAGERS)
    # Another person in the same session does not get the answer of the first.
    app.sidebar.selectbox[0].set_value(MANAGERS["sales"])
    app.run()
    assert len(app.dataframe) == 0


def test_what_cannot_be_answered_is_said_on_the_page_in_words() -> None:
    app = asked_in_sql(LEAD, "delete from fct_runs")
    assert not app.exception
    assert "DELETE is no question" in app.warning[0].value.replace("\\", "")
    assert "nonexistent" in asked_in_sql(LEAD, "select nonexistent from fct_runs").code[0].value


def test_who_may_not_take_rows_out_has_no_page_data_and_no_sql(workspace: Workspace) -> None:
    app = opened("data", "jon-vass")
    assert not app.exception
    assert len(app.text_area) == 0
    assert any("may not take rows out" in one.value.replace("\\", "") for one in app.markdown)


@pytest.mark.parametrize("role", ["platform_lead", "auditor"])
def test_no_extract_holds_a_text_of_the_payload_store(
    role: str, workspace: Workspace, tmp_path: Path
) -> None:
    """Nor could a grant to read texts bring one there: it opens the page of a run, and no table."""
    texts_kept = {
        text
        for file in workspace.payload_dir.rglob("*.parquet")
        for text in pq.read_table(file, columns=["content"])["content"].to_pylist()
        if text != pages_world.HOSTILE  # the attack stands in columns of events, too
    }
    assert any(len(text) > 200 for text in texts_kept)
    place = identity.premises()
    warehouse = place.warehouse()
    assert warehouse is not None
    scope = Scope(person_id="nora-quist", role_id=role, team_ids=None, own_only=False)
    descriptor = fill(tmp_path, warehouse.for_person(scope), is_demo=True)
    with duckdb.connect(f"/dev/fd/{descriptor}", read_only=True) as extract:
        columns = extract.execute(
            "select table_name, column_name from duckdb_columns() "
            "where data_type = 'VARCHAR' and not internal and schema_name = 'main'"
        ).fetchall()
        cells = {
            cell
            for table, column in columns
            for (cell,) in extract.execute(
                f'select distinct "{column}" from "{table}" where length("{column}") > 40'
            ).fetchall()
        }
    os.close(descriptor)
    assert cells
    long_texts = {text for text in texts_kept if len(text) > 40}
    assert cells & long_texts == set()


def found_by_text(person_id: str, workspace: Workspace) -> tuple[list[str], int]:
    """Runs on the Runs page for words of the hostile run's texts, and how many searches of it were told."""
    app = opened("runs", person_id, q="onerror=alert", days="all", **{"in": "texts"})
    assert not app.exception
    told = [event for event in logged(workspace, "texts_searched") if event["person_id"] == person_id]
    shown = app.dataframe[0].value["short"].to_list() if app.dataframe else []
    return shown, len(told)


def test_a_search_in_texts_finds_runs_whose_texts_one_may_read_and_leaves_an_event(
    workspace: Workspace,
) -> None:
    short = HOSTILE_RUN[-12:]
    for person_id in (LEAD, MANAGERS["support"], pages_world.OFFICER):
        assert found_by_text(person_id, workspace) == ([short], 1), person_id
    (asked, *_) = logged(workspace, "texts_searched")
    assert (asked["query_text"], asked["row_count"]) == ("onerror=alert", 1)
    assert found_by_text(MANAGERS["finance"], workspace) == ([], 1)
    # Without the right the address changes nothing, and nothing was searched.
    assert found_by_text(pages_world.ANALYST, workspace) == ([], 0)


def test_without_its_gates_the_search_would_show_foreign_runs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutants: the right taken out for the analyst, the scope taken out for another team's manager."""
    monkeypatch.setattr(searching, "may_read_texts", lambda desk, person_id: True)
    assert found_by_text(pages_world.ANALYST, workspace)[0] == []  # each run is asked about, too
    allowed = Reading(ruling=Ruling(allowed=True, rule_id="mutant", sentence=""))
    monkeypatch.setattr(content_grants, "reading", lambda *_, **__: allowed)
    assert found_by_text(pages_world.ANALYST, workspace)[0] == [HOSTILE_RUN[-12:]]
    assert found_by_text(MANAGERS["finance"], workspace)[0] == []  # the scope holds below
    monkeypatch.setattr(scoping, "_teams", lambda scope, values: "")
    clear_caches()
    assert found_by_text(MANAGERS["finance"], workspace)[0] == [HOSTILE_RUN[-12:]]
    clear_caches()


@pytest.mark.parametrize("view", ["agents", "runs", "spend", "log_export", "data"])
def test_without_the_scope_clause_a_view_shows_foreign_rows(
    view: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant that proves test_a_manager_sees_nothing_of_another_team."""
    monkeypatch.setattr(scoping, "_teams", lambda scope, values: "")
    clear_caches()
    parameters = {"data": {"part": "tables", "table": "dim_agents"}, "log_export": {"table": "dim_agents"}}
    told = "\n".join(texts(opened(view, MANAGERS["finance"], **parameters.get(view, {}))))
    clear_caches()
    assert strangers(told, "finance", workspace) != []


@pytest.mark.parametrize("view", ["approvals", "run", "teams", "schedules"])
def test_without_the_access_rule_a_live_view_shows_foreign_rows(
    view: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant of the live side: every person may everything."""
    everybody = Ruling(allowed=True, rule_id="mutant", sentence="")
    for module in (access, desk_module, reach, core):
        monkeypatch.setattr(module, "may", lambda *_: everybody, raising=False)
    parameters = {"run": {"run": one_of(workspace, MANAGERS["support"])["run"]}}
    told = "\n".join(texts(opened(view, MANAGERS["finance"], **parameters.get(view, {})))).replace("\\", "")
    assert strangers(told, "finance", workspace) != []
