"""Grants of content on the pages: the officer gives and takes, the auditor reads only in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.desk import Desk
from runner.control import content_grants
from runner.control.plane import Control
from tests import pages_world
from tests.conftest import ROOT
from tests.pages_world import ANALYST, AUDITOR, HOSTILE_RUN, OFFICER

TEXT = "document.title='owned'"


def opened(person: str, view: str, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app" / "streamlit_app.py"), default_timeout=60)
    app.query_params["as"] = person
    app.run()
    app.switch_page(f"views/{view}.py")
    for name, text in parameters.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception
    return app


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


def reads(person: str) -> bool:
    """Whether the page of the run shows its texts to ``person``."""
    app = opened(person, "run", run=HOSTILE_RUN)
    return any(TEXT in str(one.value) for one in (*app.code, *app.text))


def test_the_officer_grants_and_ends_on_the_page_and_the_auditor_reads_only_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = pages_world.copy(tmp_path / "workspace")
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    assert not reads(AUDITOR)
    for person in (AUDITOR, ANALYST):
        assert "Grant" not in labels(opened(person, "compliance", part="texts"))

    app = opened(OFFICER, "compliance", part="texts")
    app.selectbox[0].set_value(AUDITOR)
    app.text_input[0].set_value(HOSTILE_RUN)
    app = press(app, "Grant")
    assert any("a reason is missing" in str(one.value) for one in app.error)
    next(one for one in app.text_input if one.label == "Why").set_value("Audit of this run.")
    app = press(app, "Grant")
    assert any("content_granted" in str(one.value) for one in app.success)
    assert reads(AUDITOR)
    with Control(workspace, process_name="test") as control, control.store.read() as connection:
        (made,) = content_grants.of_person(connection, AUDITOR)
        assert (made.run_id, made.granted_by) == (HOSTILE_RUN, OFFICER)
        assert Desk(control).control.store.clock() < made.expires_at

    app = opened(OFFICER, "compliance", part="texts")
    next(one for one in app.text_input if one.label == "Why it ends").set_value("Finished.")
    app = press(app, "End the grant")
    assert any("content_grant_ended" in str(one.value) for one in app.success)
    assert not reads(AUDITOR)
