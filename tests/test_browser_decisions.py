"""Decisions in a real browser: one asks, another decides; what one does the other sees without a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from app.desk import Desk
from app.live import money, reviewing, rota
from ingest.workspace import Workspace
from runner.control.plane import Control
from tests.pages_world import LEAD, MANAGERS
from tests.test_browser_pages import open_page, outside, photograph, settled, site, workspace
from tests.test_pages_flows import quarter

# pytest-base-url, which pytest-playwright brings along, still declares a fixture the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods")

# The server and its workspace are fixtures of the other module; naming them here makes them this one's.
__all__ = ["outside", "site", "workspace"]


def test_a_raise_asked_for_appears_in_another_browser_and_is_approved_there(
    page: Page, site: str, workspace: Workspace, outside: list[str]
) -> None:
    open_page(page, site, "teams", LEAD)
    expect(page.get_by_text("No raise was asked for")).to_be_visible()
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()
    open_page(other, site, "teams", MANAGERS["sales"])
    other.get_by_text("Ask for a raise").click()
    other.get_by_label("Reason for the raise").fill("the fair in December")
    other.get_by_role("button", name="Ask for this raise").click()
    expect(other.get_by_text("waits for somebody else")).to_be_visible()
    # The first browser is not touched: its live part asks again by itself.
    expect(page.get_by_text("the fair in December")).to_be_visible(timeout=40_000)
    photograph(page, "raise")
    page.get_by_role("button", name="Approve this raise").click()
    expect(page.get_by_text("is approved; the log says so")).to_be_visible()
    (decided,) = money.raises_seen(Desk.open(workspace), LEAD)
    assert (decided.status, decided.decided_by) == ("approved", LEAD)
    other.close()


def test_an_approval_decided_in_one_browser_leaves_the_queue_of_another(
    page: Page, site: str, workspace: Workspace, outside: list[str]
) -> None:
    open_page(page, site, "approvals", LEAD)
    expect(page.get_by_text("1 request waits")).to_be_visible()
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()
    open_page(other, site, "approvals", MANAGERS["support"])
    other.get_by_role("button", name="Approve this call").click()
    expect(other.get_by_text("says so in the log")).to_be_visible()
    # The first browser is not touched: it looks again by itself.
    expect(page.get_by_text("Nothing waits for a decision.")).to_be_visible()
    photograph(page, "decided-elsewhere")
    other.close()


def test_a_run_asked_for_elsewhere_appears_among_the_runs_in_flight(
    page: Page, site: str, workspace: Workspace, outside: list[str]
) -> None:
    open_page(page, site, "teams", LEAD)
    with Control(workspace, process_name="browser tests") as control:
        before = len(Desk(control).live_runs(LEAD))
        run_id = control.request_run("refund-agent", "Refund order W-2211", MANAGERS["support"])
        assert len(Desk(control).live_runs(LEAD)) == before + 1
    # Its amounts are live: the page asks again by itself and is not drawn anew as a whole.
    expect(page.get_by_text(f"{before + 1} run{'s' if before else ''} in flight")).to_be_visible()
    assert run_id


def test_a_review_is_decided_with_a_reason(
    page: Page, site: str, workspace: Workspace, outside: list[str]
) -> None:
    open_page(page, site, "review", LEAD, quarter=str(quarter()))
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_text("a reason is missing")).to_be_visible()
    page.get_by_label("Reason for the decision").fill("as proposed")
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_text("The log keeps it with its numbers")).to_be_visible()
    photograph(page, "review_decided")
    (decided,) = reviewing.decisions(Desk.open(workspace), LEAD, quarter())
    assert (decided.decided_by, decided.reason) == (LEAD, "as proposed")


def test_a_manager_pauses_the_own_schedule(
    page: Page, site: str, workspace: Workspace, outside: list[str]
) -> None:
    open_page(page, site, "schedules", MANAGERS["finance"])
    page.get_by_role("button", name="Pause this schedule").first.click()
    expect(page.get_by_text("is paused: registry.yaml and the log say so")).to_be_visible()
    settled(page)
    expect(page.get_by_role("button", name="Resume this schedule")).to_be_visible()
    paused = {
        row.standing.schedule_id: row.standing.paused for row in rota.schedules(Desk.open(workspace), LEAD)
    }
    assert paused["finance-daily"]
