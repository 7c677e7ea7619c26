"""The pages in a real browser: the main flows, and that nothing foreign is ever fetched or run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from app.desk import Desk
from app.export import manifest
from ingest.workspace import Workspace
from tests import pages_world
from tests.pages_world import HOSTILE, HOSTILE_AGENT, HOSTILE_RUN, LEAD, MANAGERS, VIEWS

# pytest-base-url, which pytest-playwright brings along, still declares a fixture the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods")

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = os.environ.get("FLEETBOOK_ARTEFACTS")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return pages_world.copy(tmp_path_factory.mktemp("browser") / "workspace")


@pytest.fixture(scope="module")
def site(workspace: Workspace, chromium: str) -> Iterator[str]:
    """Address of the pages of the workspace, served by the command as a user starts it."""
    assert chromium
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "FLEETBOOK_HOME": str(workspace.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    said = server.stdout.readline()
    assert f"http://localhost:{port}" in said, server.communicate()
    yield f"http://localhost:{port}"
    server.send_signal(signal.SIGINT)
    output, errors = server.communicate(timeout=30)
    assert server.returncode == 0, errors
    assert "Pages stopped" in output
    assert "Page failed" not in errors


@pytest.fixture
def outside(page: Page, site: str) -> Iterator[list[str]]:
    """Addresses beyond this machine that the browser asked for, or was kept from: there must be none."""
    asked: list[str] = []

    def note(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in (
            "localhost",
            "127.0.0.1",
        ):
            asked.append(request.url)

    blocked: list[str] = []
    page.on("request", note)
    page.on(
        "console",
        lambda said: blocked.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield asked
    assert asked == []
    assert blocked == []  # what the pages need their own policy allows


def settled(page: Page) -> None:
    """Wait until the page has run and drawn everything.

    A page that has not begun is not running either: wait for its connection and its first element.
    """
    shell = page.get_by_test_id("stApp")
    expect(shell).to_have_attribute("data-test-connection-state", "CONNECTED")
    expect(page.get_by_test_id("stMain").get_by_test_id("stElementContainer").first).to_be_attached()
    expect(shell).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


def open_page(page: Page, site: str, view: str, person_id: str, **parameters: str) -> None:
    path = "" if view == "home" else view
    query = "&".join(f"{name}={text}" for name, text in {"as": person_id, **parameters}.items())
    page.goto(f"{site}/{path}?{query}")
    settled(page)


def photograph(page: Page, name: str) -> None:
    """Keep a picture where CI collects artefacts."""
    if ARTEFACTS:
        page.screenshot(path=Path(ARTEFACTS) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("view", [view for view in VIEWS if view not in ("agent", "run")])
def test_the_page_opens_without_an_error(view: str, page: Page, site: str, outside: list[str]) -> None:
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    open_page(page, site, view, LEAD)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    expect(page.get_by_text("Demo data").first).to_be_visible()
    expect(page.get_by_text("no sign-in").or_(page.get_by_text("without sign-in"))).to_be_visible()
    photograph(page, view)
    assert broken == []


@pytest.mark.parametrize(("path", "title"), [("home", "Home"), ("overview", "Fleet"), ("fleet", "Fleet")])
def test_a_path_typed_by_hand_opens_its_page(
    path: str, title: str, page: Page, site: str, outside: list[str]
) -> None:
    page.goto(f"{site}/{path}")
    settled(page)
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)


def test_an_agent_opens_from_the_catalogue_by_a_click(page: Page, site: str, outside: list[str]) -> None:
    open_page(page, site, "agents", MANAGERS["finance"], q="invoice matcher")
    table = page.get_by_test_id("stDataFrame").bounding_box()
    assert table is not None
    page.mouse.click(table["x"] + 60, table["y"] + 52)
    expect(page.get_by_role("heading", name="Invoice matcher")).to_be_visible()
    settled(page)
    expect(page).to_have_url(re.compile("agent=invoice-matcher"))
    for tab in ("Versions", "Tools", "Money", "Oversight", "Runs"):
        page.get_by_role("tab", name=tab).click()
        settled(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
    page.reload()
    settled(page)
    expect(page.get_by_role("heading", name="Invoice matcher")).to_be_visible()


def test_the_person_switch_changes_what_is_seen(page: Page, site: str, outside: list[str]) -> None:
    open_page(page, site, "agents", LEAD)
    expect(page.get_by_text("35 agents")).to_be_visible()
    switch = page.get_by_test_id("stSidebar").get_by_role("combobox")
    switch.click()
    switch.fill("Greta")
    page.get_by_role("option", name="Greta Olsen").click()
    expect(page.get_by_text("6 agents")).to_be_visible()
    expect(page).to_have_url(re.compile("as=greta-olsen"))


def test_a_run_is_replayed_and_its_hostile_texts_stay_text(page: Page, site: str, outside: list[str]) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    open_page(page, site, "run", LEAD, run=HOSTILE_RUN.replace("!", "%21"))
    expect(page.get_by_test_id("stCode")).to_have_count(5)
    for shown in page.get_by_test_id("stCode").all():
        expect(shown).to_have_text(HOSTILE)
    page.get_by_role("tab", name="Proof").click()
    settled(page)
    photograph(page, "run")
    expect(page).to_have_title("Run · Fleetbook")
    assert asked == []


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_names_fetch_nothing_on_any_page(
    view: str, page: Page, site: str, outside: list[str]
) -> None:
    parameters = {
        "agent": {"agent": HOSTILE_AGENT},
        "run": {"run": HOSTILE_RUN},
        "runs": {"agent": HOSTILE_AGENT, "days": "all"},
        "agents": {"q": "![a]"},
        "spend": {"by": "model", "days": "all"},
    }.get(view, {})
    open_page(page, site, view, LEAD, **parameters)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    inside = page.get_by_test_id("stMain")
    assert inside.locator("img").count() == inside.locator("img[src^='data:'], img[src^='/']").count()
    expect(inside.locator("a[href*='evil.test']")).to_have_count(0)


def test_a_manager_approves_in_the_queue_and_the_page_names_the_event(
    page: Page, site: str, workspace: Workspace, outside: list[str]
) -> None:
    desk = Desk.open(workspace)
    (request,) = [one for one in desk.approvals(LEAD) if one.status == "waiting"]
    open_page(page, site, "approvals", MANAGERS["support"])
    expect(page.get_by_text("refund_payment").first).to_be_visible()
    expect(page.get_by_text("W-2211")).to_be_visible()
    photograph(page, "approval")
    page.get_by_role("tab", name="Reject").click()
    page.get_by_role("button", name="Reject this call").click()
    expect(page.get_by_text("a rejection needs a reason")).to_be_visible()
    page.get_by_role("tab", name="Approve", exact=True).click()
    page.get_by_role("button", name="Approve this call").click()
    expect(page.get_by_text("says so in the log")).to_be_visible()
    said = page.get_by_test_id("stAlertContentSuccess").inner_text()
    settled(page)
    expect(page.get_by_text("Nothing waits for a decision")).to_be_visible()
    (decided,) = [one for one in desk.approvals(LEAD) if one.approval_id == request.approval_id]
    assert (decided.decision, decided.decided_by) == ("approved", MANAGERS["support"])
    events = desk.live_run_events(request.run_id, LEAD)
    (event,) = [event for event in events if event["event_type"] == "approval_decided"]
    assert str(event["event_id"]) in said


def test_rows_leave_with_a_manifest_that_matches_them(
    page: Page, site: str, tmp_path: Path, outside: list[str]
) -> None:
    open_page(page, site, "log_export", MANAGERS["sales"], table="fct_approvals", format="csv", days="all")
    page.get_by_role("button", name="Export these rows").click()
    expect(page.get_by_text("exported, complete")).to_be_visible()
    for button, name in (
        ("Download the file", "fct_approvals.csv"),
        ("Download the manifest", "manifest.json"),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).first.click()
        download.value.save_as(tmp_path / name)
    told = json.loads((tmp_path / "manifest.json").read_text())
    assert told["scope"] == "teams sales"
    assert manifest.differences(tmp_path) == []


def test_a_narrow_screen_scrolls_in_one_direction_only(page: Page, site: str, outside: list[str]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for view in VIEWS:
        open_page(page, site, view, LEAD)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, view
        photograph(page, f"narrow-{view}")


def test_a_taken_port_is_refused_with_the_next_step(site: str, workspace: Workspace) -> None:
    port = site.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", "--port", port],
        cwd=ROOT,
        env={**os.environ, "FLEETBOOK_HOME": str(workspace.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 is not free" in done.stderr
    assert "fleetbook serve --port" in done.stderr
