"""From a number to its rows: every tile and chart of every page opens what it is made of, and exports it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import polars as pl
import pytest
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from app.errors import ExportRefused
from app.export import manifest, page_pdf
from app.views._parts import behind as behind_the_numbers
from app.views._parts.behind import Behind, Built
from ingest.workspace import Workspace
from tests import pages_world
from tests.pages_world import LEAD, MANAGERS
from tests.test_pages_views import elements, opened, parameters_of

VIEWS = pages_world.VIEWS
TABS = ("Money", "Oversight")  # of an agent, beside the one it opens with
# Pages whose answer is a table or a sentence, without a tile or a chart of their own.
WITHOUT_NUMBERS = {"agents", "runs", "access", "log_export", "compliance", "data"}
LIVE = {"health", "schedules", "teams", "review"}


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return pages_world.copy(Path(pages_world.demo().root.parent / "rows"))


@pytest.fixture(autouse=True)
def _used(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))


def behind(app: AppTest) -> dict[str, Behind]:
    return app.session_state["fleetbook_behind"]


def plain(shown: str) -> str:
    """The figure of a tile without the marks that grey it or make its unit small."""
    return re.sub(r":(?:gray|small)\[([^\[\]]*)\]", r"\1", re.sub(r":small\[(\w+)\]", r"\1", shown))


def exported(app: AppTest, one: Behind, workspace: Workspace) -> Path:
    """Open the rows of ``one`` on the page and export them to Parquet there; return the export's folder."""
    before = set(workspace.export_dir.glob("[!.]*"))
    app.button(key=f"behind_{one.key}").click().run()
    assert not app.exception
    app.button(key=f"behind_{one.key}_export").click().run()
    assert not app.exception
    (folder,) = set(workspace.export_dir.glob("[!.]*")) - before
    del app.session_state["fleetbook_behind_opened"]
    return folder


def aggregate(one: Behind, file: Path) -> float | None:
    """The number of ``one`` worked out anew from the exported rows alone."""
    with duckdb.connect() as memory:
        rows = memory.read_parquet(str(file))  # noqa: F841  # named in the statement
        found = memory.execute(f"select cast({one.made_by} as double) from rows").fetchone()
    assert found is not None
    return found[0]


@pytest.mark.parametrize("person_id", [LEAD, MANAGERS["support"]])
@pytest.mark.parametrize("view", VIEWS)
def test_every_tile_and_every_chart_has_rows_behind_it(
    view: str, person_id: str, workspace: Workspace
) -> None:
    app = opened(view, person_id, **parameters_of(view, workspace, person_id))
    kinds = [(element.type, element.key) for element in elements(app.main)]
    shown = [kind for kind, _ in kinds if kind in ("metric", "plotly_chart")]
    opens = [key for kind, key in kinds if kind == "button" and str(key).startswith("behind_")]
    assert len(opens) == len(shown)
    assert [key.removeprefix("behind_") for key in opens] == list(behind(app))
    assert bool(shown) != (view in WITHOUT_NUMBERS)


@pytest.mark.parametrize("view", sorted(set(VIEWS) - WITHOUT_NUMBERS))
def test_the_value_of_every_tile_is_the_aggregate_of_its_exported_rows(
    view: str, workspace: Workspace
) -> None:
    app = opened(view, LEAD, **parameters_of(view, workspace, LEAD))
    keys = [one.key for one in behind(app).values() if one.made_by]
    assert len(keys) == len(app.metric)
    for place, key in enumerate(keys):
        folder = exported(app, behind(app)[key], workspace)
        one, asked = behind(app)[key], plain(app.metric[place].value)
        assert manifest.differences(folder) == []
        told = manifest.read(folder)
        assert (told.mart, told.made_by) == (one.key, one.made_by)
        assert isinstance(one.source, Built) == bool(told.sql) == (told.build_id != "live")
        value = aggregate(one, folder / told.files[0].name)
        assert one.write is not None
        assert one.write(value) == asked, one.key


@pytest.mark.parametrize("tab", TABS)
def test_the_tiles_of_the_other_tabs_of_an_agent_are_aggregates_too(tab: str, workspace: Workspace) -> None:
    app = opened("agent", LEAD, **parameters_of("agent", workspace, LEAD), tab=tab)
    assert len(behind(app)) >= len(app.metric) > 0
    for place, key in enumerate([one.key for one in behind(app).values() if one.made_by]):
        folder = exported(app, behind(app)[key], workspace)
        one, asked = behind(app)[key], plain(app.metric[place].value)
        assert one.write is not None
        assert one.write(aggregate(one, folder / manifest.read(folder).files[0].name)) == asked, key


@pytest.mark.parametrize("view", sorted(set(VIEWS) - WITHOUT_NUMBERS))
def test_what_a_chart_draws_is_exported_whole(view: str, workspace: Workspace) -> None:
    app = opened(view, LEAD, **parameters_of(view, workspace, LEAD))
    for one in [one for one in behind(app).values() if not one.made_by]:
        folder = exported(app, one, workspace)
        told = manifest.read(folder)
        assert pl.read_parquet(folder / told.files[0].name).height == told.row_count > 0, one.key


@pytest.mark.parametrize("view", ["fleet", "review", "run", "schedules", "spend", "teams"])
def test_every_kind_of_chart_leaves_as_a_picture_with_a_manifest(view: str, workspace: Workspace) -> None:
    app = opened(view, LEAD, **parameters_of(view, workspace, LEAD))
    one = next(one for one in behind(app).values() if not one.made_by)
    before = set(workspace.export_dir.glob("[!.]*"))
    app.button(key=f"behind_{one.key}").click().run()
    app.button(key=f"picture_{one.key}_svg").click().run()
    assert not app.exception
    (folder,) = set(workspace.export_dir.glob("[!.]*")) - before
    assert manifest.differences(folder) == []
    told = manifest.read(folder)
    picture = ElementTree.fromstring((folder / f"{one.key}.svg").read_bytes())
    assert picture.tag.endswith("svg")
    assert told.row_count > 0
    assert (folder / f"{one.key}.svg").stat().st_size > 5_000


def test_no_view_shows_a_tile_or_a_chart_past_the_parts_that_give_it_rows() -> None:
    # A chart of an answer in SQL stands beside its rows, its statement and their export.
    own = {"st.metric(": ("tiles.py",), "st.plotly_chart(": ("behind.py", "sql_asked.py")}
    found = [
        (path.name, word)
        for path in (Path(behind_the_numbers.__file__).parents[1]).rglob("*.py")
        for word, only in own.items()
        if word in path.read_text() and path.name not in only
    ]
    assert found == []


def test_rows_of_another_team_are_not_behind_a_number(workspace: Workspace) -> None:
    app = opened("fleet", MANAGERS["support"], days="all")
    for one in [one for one in behind(app).values() if one.made_by]:
        folder = exported(app, one, workspace)
        told = manifest.read(folder)
        assert told.scope == "teams support"
        assert set(pl.read_parquet(folder / told.files[0].name)["team_id"]) <= {"support"}


def test_who_may_not_export_is_told_the_rule_and_gets_no_file(workspace: Workspace) -> None:
    before = set(workspace.export_dir.iterdir())
    app = opened("fleet", "jon-vass", days="all")
    app.button(key="behind_runs").click().run()
    app.button(key="behind_runs_export").click().run()
    assert not app.exception
    assert "export" in app.error[0].value
    assert set(workspace.export_dir.iterdir()) == before


@pytest.mark.parametrize("view", ["home", "fleet", "agent", "teams", "health", "compliance"])
def test_a_page_leaves_as_a_pdf_with_its_numbers_and_every_row(view: str, workspace: Workspace) -> None:
    app = opened(view, LEAD, **parameters_of(view, workspace, LEAD))
    before = set(workspace.export_dir.glob("[!.]*"))
    figures = [plain(metric.value) for metric in app.metric]
    buttons = [button for button in app.button if button.key == "print_page"]
    if view == "compliance":
        assert buttons == []  # no month was checked: there is nothing on the page
        return
    buttons[0].click().run()
    assert not app.exception
    assert len(app.error) == 0
    (folder,) = set(workspace.export_dir.glob("[!.]*")) - before
    told = manifest.read(folder)
    pdf = PdfReader(folder / told.files[0].name)
    text = " ".join("".join(sheet.extract_text() for sheet in pdf.pages).split())
    assert "Demonstration data" in text
    if view != "health":  # its ages grow, and the export is one more event
        assert [figure for figure in figures if figure.replace("\u00a0", " ") not in text] == []
    tables = [element.value for element in elements(app.main) if element.type == "dataframe"]
    assert told.row_count == sum(len(table) for table in tables)


def test_a_page_too_long_for_a_pdf_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    long = page_pdf.TableShown(title="", head=["n"], rows=[["1"]] * 2_001, numbers=[True])
    sheet = page_pdf.Sheet(title="Long", lines=(), parts=[long], is_demo=True)
    with pytest.raises(ExportRefused, match="2,001 rows"):
        sheet.write(tmp_path / "long.pdf", {})
    assert list(tmp_path.iterdir()) == []
