"""Signing in with a real browser against a real provider of OpenID Connect on this machine."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import LocatorAssertions, Page, expect

from app.sign_in import write_sign_in
from ingest.workspace import Workspace
from runner.control.people_changes import change_role, name_sign_in
from runner.control.plane import Control
from tests.conftest import missing
from tests.runner_company import company
from tests.test_browser_pages import photograph, settled
from tests.test_workbench import logged

pytest.importorskip("authlib", reason="Authlib is not installed: st.login needs it")
from tests import oidc_provider
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider

# pytest-base-url, which pytest-playwright brings along, still declares a fixture the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods")

ROOT = Path(__file__).resolve().parent.parent
RIGHTS = ("export_data, apply_registry]", "export_data, apply_registry, change_people, approve_version]")


class Site(NamedTuple):
    """The pages with a sign-in: their address, their workspace and the provider."""

    address: str
    workspace: Workspace
    provider: Provider


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Site]:
    assert chromium
    if os.environ.get("FLEETBOOK_CONTROL_URL"):
        missing("a control store of this test's own")
    workspace = Workspace.create(tmp_path_factory.mktemp("sign-in") / "workspace")
    with company(workspace, RIGHTS) as control:
        name_sign_in(control, "mara-lindt", email="Mara.Lindt@example.com", subject=None, by="priya-nair")
        name_sign_in(control, "priya-nair", email=None, subject="p-1", by="priya-nair")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://localhost:{port}"
    with oidc_provider.running() as provider:
        write_sign_in(
            workspace.root,
            provider=provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            address=address,
            hours=8,
        )
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
        assert address in said, server.communicate()
        yield Site(address, workspace, provider)
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=30)
    assert server.returncode == 0, errors
    assert "Page failed" not in errors


def sign_in(page: Page, site: Site, path: str = "") -> None:
    """Open the pages and press the button; the provider asks nothing."""
    page.goto(f"{site.address}/{path}")
    settled(page)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(rf"^{re.escape(site.address)}/(?!oauth2callback|auth).*"))
    settled(page)


def sidebar(page: Page) -> LocatorAssertions:
    """What the sidebar comes to say: the menu is drawn before the person is known."""
    return expect(page.get_by_test_id("stSidebar"))


def test_without_a_sign_in_nothing_is_shown_whatever_the_address_says(page: Page, site: Site) -> None:
    for path in ("", "?as=priya-nair", "teams?as=priya-nair", "data?as=priya-nair", "access"):
        page.goto(f"{site.address}/{path}")
        settled(page)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        expect(page.get_by_text("Viewing as")).to_have_count(0)
        expect(page.get_by_text("Priya Nair")).to_have_count(0)
    photograph(page, "sign-in")


def test_who_signs_in_is_found_by_verified_address_and_the_log_says_so_once(page: Page, site: Site) -> None:
    site.provider.comes("m-7", "mara.lindt@EXAMPLE.com")
    sign_in(page, site)
    sidebar(page).to_contain_text("Mara Lindt")
    sidebar(page).to_contain_text("sees Support only")
    expect(page.get_by_text("picked without signing in")).to_have_count(0)
    page.goto(f"{site.address}/access?as=priya-nair")
    settled(page)
    sidebar(page).to_contain_text("Mara Lindt")
    sidebar(page).not_to_contain_text("Priya Nair")
    photograph(page, "signed-in")
    told = [event["person_id"] for event in logged(site.workspace, "signed_in")]
    assert told == ["mara-lindt"]


def test_a_changed_role_counts_from_the_next_rerun_although_the_cookie_is_the_same(
    page: Page, site: Site
) -> None:
    site.provider.comes("m-7", "mara.lindt@example.com")
    sign_in(page, site)
    sidebar(page).to_contain_text("Team manager")
    expect(page.get_by_role("link", name="Data")).to_be_visible()
    with Control(site.workspace) as control:
        change_role(control, "mara-lindt", "agent_user", by="priya-nair")
    page.reload()
    settled(page)
    sidebar(page).to_contain_text("Agent user, sees own runs")
    expect(page.get_by_role("link", name="Data")).to_have_count(0)
    with Control(site.workspace) as control:
        change_role(control, "mara-lindt", "team_manager", by="priya-nair")


@pytest.mark.parametrize(
    ("subject", "email", "verified"),
    [
        ("x-9", "stranger@example.com", True),
        ("x-9", "mara.lindt@example.com", False),  # anyone can claim an address
        ("x-9", "priya.nair@example.com", True),
    ],
    ids=["nobody knows them", "not verified", "the registry has a subject"],
)
def test_an_unknown_person_is_told_whom_to_ask_and_sees_nothing(
    subject: str, email: str, verified: bool, page: Page, site: Site
) -> None:
    site.provider.comes(subject, email, verified=verified)
    sign_in(page, site)
    expect(page.get_by_text("nobody in this company's registry has your identity")).to_be_visible()
    expect(page.get_by_text(f"subject: {subject}")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    photograph(page, "sign-in-unknown")
    page.goto(f"{site.address}/teams?as=priya-nair")
    settled(page)
    expect(page.get_by_text("nobody in this company's registry has your identity")).to_be_visible()


def test_a_sign_in_that_is_older_than_the_session_has_ended(page: Page, site: Site) -> None:
    site.provider.comes("p-1", "whatever@example.com", since_s=9 * 3600)
    sign_in(page, site)
    expect(page.get_by_text("Your sign-in has ended")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    site.provider.comes("p-1", "whatever@example.com")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_test_id("stSidebar").get_by_text("Priya Nair")).to_be_visible()


def test_signing_out_tells_the_provider_and_ends_it_here(page: Page, site: Site) -> None:
    site.provider.comes("p-1", "")
    sign_in(page, site)
    before = site.provider.ended
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert site.provider.ended == before + 1
    page.reload()
    settled(page)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
