"""The days of an analyst and of a compliance officer in a real browser; a manager's and an approver's are in
test_browser_pages.py and test_browser_decisions.py."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from app.desk import Desk
from app.live import compliance
from ingest.workspace import Workspace
from tests.pages_world import ANALYST, HOSTILE_RUN, LEAD, OFFICER
from tests.test_browser_pages import open_page, outside, photograph, settled, site, workspace
from tests.test_workbench import logged

# pytest-base-url, which pytest-playwright brings along, still declares a fixture the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods")

# The server and its workspace are fixtures of the other module; naming them here makes them this one's.
__all__ = ["outside", "site", "workspace"]


def test_an_analyst_asks_a_worked_question_draws_it_and_takes_it_out(
    page: Page, site: str, workspace: Workspace, tmp_path: Path, outside: list[str]
) -> None:
    before = len(logged(workspace, "query_asked"))  # other tests ask in the same workspace
    open_page(page, site, "data", ANALYST)
    choice = page.get_by_test_id("stMain").get_by_role("combobox")
    choice.click()
    choice.fill("5. Which tools")
    page.get_by_role("option", name="5. Which tools fail most, and how?").click()
    settled(page)
    expect(page.get_by_role("textbox", name="Query")).to_have_value(
        "select tool_name, tool_error_class, count(*) as errors\nfrom fct_tool_calls\n"
        "where is_demo and is_error and called_by = 'agent'\ngroup by tool_name, tool_error_class\n"
        "order by errors desc;"
    )
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("tab", name="Chart")).to_be_visible(timeout=60_000)
    settled(page)
    photograph(page, "data")
    page.get_by_role("tab", name="Chart").click()
    expect(page.get_by_test_id("stPlotlyChart").locator("svg").first).to_be_visible()
    photograph(page, "data-chart")
    page.get_by_role("tab", name="Export").click()
    page.get_by_role("button", name="Export these rows").click()
    expect(page.get_by_text("exported, complete")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the file").click()
    download.value.save_as(tmp_path / "query.parquet")
    taken = pl.read_parquet(tmp_path / "query.parquet")
    assert taken.columns == ["tool_name", "tool_error_class", "errors"]
    asked = [event["query_text"] for event in logged(workspace, "query_asked")]
    assert len(asked) == before + 1
    assert "tool_error_class" in str(asked[-1])


def test_what_an_analyst_may_not_ask_is_said_in_words(page: Page, site: str, outside: list[str]) -> None:
    open_page(page, site, "data", ANALYST)
    page.get_by_role("textbox", name="Query").fill("copy (select 1) to 'out.csv'")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("COPY is no question")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Traceback")).to_have_count(0)
    open_page(page, site, "run", ANALYST, run=HOSTILE_RUN.replace("!", "%21"))
    expect(page.get_by_text("you may not read it").first).to_be_visible()


def test_a_lead_finds_a_run_by_its_texts(page: Page, site: str, outside: list[str]) -> None:
    open_page(page, site, "runs", LEAD, q="onerror%3Dalert", days="all")
    expect(page.get_by_text("No run matches")).to_be_visible()
    page.get_by_text("Also in texts").click()
    expect(page.get_by_text("1 run by their texts; the search is logged")).to_be_visible()
    settled(page)
    expect(page).to_have_url(re.compile("in=texts"))
    photograph(page, "runs-texts")


def test_a_compliance_officer_checks_a_month_makes_its_pack_and_signs_it(
    page: Page, site: str, workspace: Workspace, outside: list[str]
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    first = (today.replace(day=1) - dt.timedelta(days=1)).replace(day=1)
    last = f"{first:%Y-%m}"
    open_page(page, site, "compliance", OFFICER)
    page.get_by_role("button", name="Check this month").click()
    expect(page.get_by_text(f"Checking {first:%B %Y} for")).to_be_visible()
    photograph(page, "compliance-checking")
    expect(page.get_by_text("What has to be seen to")).to_be_visible(timeout=300_000)
    settled(page)
    photograph(page, "compliance")
    page.get_by_role("button", name="Make the evidence pack again").click()
    expect(page.get_by_text(f"The pack of {last} is made")).to_be_visible(timeout=90_000)
    page.get_by_label("What you state").fill("I have read the report; what is open is in cases.")
    page.get_by_role("button", name=f"Sign {last}").click()
    expect(page.get_by_text(f"Signed {last}")).to_be_visible(timeout=60_000)
    photograph(page, "compliance-signed")
    (signed,) = compliance.history(Desk.open(workspace))
    assert (signed.month, signed.person_ids) == (last, (OFFICER,))
