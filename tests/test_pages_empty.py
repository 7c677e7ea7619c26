"""Pages with nothing to show, and with addresses that name nothing: plain words and what to do, no error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.build import build
from app.desk import Desk
from app.errors import PRODUCT_ERRORS
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.registry_file import load_registry
from tests import pages_world
from tests.pages_world import LEAD, MANAGERS, VIEWS
from tests.runner_company import company, play
from tests.test_pages_views import ENTRY, opened, strangers, texts

# Parameters of all pages at once, each with a word that names nothing or what another team owns.
FOREIGN = {
    "agent": "no-such-agent",
    "run": "no-such-run",
    "team": "support",
    "inside": "support",
    "days": "-1",
    "vs": "own",
    "vs_from": "2026-13-45",
    "vs_to": "0001-01-01",
    "measure": "x",
    "split": "'",
    "month": "2026-99",
    "quarter": "1999Q9",
    "approval": "none",
    "page": "9" * 30,
    "table": "sqlite_master",
    "part": "../",
    "tab": "Nothing",
    "who": "nobody",
    "may": "everything",
    "which": "-",
    "order": "; drop",
    "result": "outcome:",
    "mark": "x",
    "q": "'%_",
    "in": "x",
    "rows": "all",
    "format": "exe",
}


def declared(folder: Path) -> Workspace:
    """The registry of the pages' world, and nothing that ran."""
    workspace = Workspace.create(folder)
    workspace.registry_file.write_bytes(pages_world.demo().registry_file.read_bytes())
    with Control(workspace, process_name="test") as control:
        control.apply(load_registry(workspace.registry_file))
        control.relay.flush()
    return workspace


def built(folder: Path) -> Workspace:
    workspace = declared(folder)
    build(workspace)
    return workspace


def run_before_a_build(folder: Path) -> Workspace:
    workspace = Workspace.create(folder)
    with company(workspace) as control:
        play(control, "refund-agent", "Refund W-2211, 240 USD")
        control.relay.flush()
    return workspace


def failed(folder: Path) -> Workspace:
    """A build that ended with an error: a sealed file of the log is no Parquet."""
    workspace = declared(folder)
    next(workspace.lake_dir.rglob("*.parquet")).write_bytes(b"torn")
    with pytest.raises(PRODUCT_ERRORS):
        build(workspace)
    return workspace


STATES: dict[str, tuple[Callable[[Path], Workspace], str]] = {
    "no registry": (Workspace.create, ""),
    "registry only": (declared, LEAD),
    "registry and an empty build": (built, LEAD),
    "a run and no build": (run_before_a_build, "priya-nair"),
    "a failed build": (failed, LEAD),
}


def visited(person_id: str) -> Iterator[tuple[str, AppTest]]:
    """Every page of one session after the other."""
    app = AppTest.from_file(ENTRY, default_timeout=60)
    app.query_params["as"] = person_id
    app.run()
    yield "home", app
    for view in VIEWS:
        app.query_params.clear()
        app.query_params["as"] = person_id
        app.switch_page(f"views/{view}.py").run()
        yield view, app


@pytest.mark.parametrize("state", STATES)
def test_a_page_with_nothing_to_show_says_what_to_do(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, person_id = STATES[state]
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    workspace = make(tmp_path / "workspace")
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))
    for view, app in visited(person_id):
        assert not app.exception, (view, app.exception)
        told = "\n".join(texts(app))
        if not person_id:
            assert "fleetbook registry apply" in told.replace("\\", ""), view
            continue
        # A damaged log is told where it matters, with the command that looks into it.
        assert all("fleetbook verify" in error.value.replace("\\", "") for error in app.error), view
        assert not app.error or state == "a failed build", view
        assert len(app.title) == 1, view
        assert "Traceback" not in told, view
    if person_id:
        Desk.open(workspace).close()


@pytest.mark.parametrize("view", VIEWS)
def test_an_address_that_names_nothing_shows_the_page_and_widens_nothing(
    view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = pages_world.demo()
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))
    app = opened(view, MANAGERS["finance"], **FOREIGN)
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert len(app.title) == 1
    assert strangers("\n".join(texts(app)), "finance", workspace) == []
