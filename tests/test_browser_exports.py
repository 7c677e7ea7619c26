"""Big exports in a real browser: made in the background, interrupted, and taken through a signed link."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.commands import serve
from ingest.workspace import Workspace
from tests import pages_world
from tests.pages_world import MANAGERS
from tests.test_browser_pages import ROOT, open_page, photograph

# pytest-base-url, which pytest-playwright brings along, still declares a fixture the old way.
pytestmark = pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods")


@pytest.fixture
def workspace(tmp_path: Path, chromium: str) -> Workspace:
    assert chromium
    own = pages_world.copy(tmp_path / "workspace")
    shutil.rmtree(own.export_dir, ignore_errors=True)  # other tests export in the same world
    own.export_dir.mkdir()
    os.mkfifo(own.root / "go")
    return own


@contextmanager
def serving(workspace: Workspace, told: Path) -> Iterator[str]:
    """Address of the pages, which write what goes wrong to ``told``; killed at the end, as by a power cut."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with told.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.exports_server", str(port)],
            cwd=ROOT,
            env={**os.environ, "FLEETBOOK_HOME": str(workspace.root)},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        serve._wait_until_ready(process, port)
        yield f"http://localhost:{port}"
    finally:
        process.kill()
        process.wait()


def export(page: Page, site: str, person_id: str) -> None:
    """Ask for the export; it is made in the background."""
    open_page(page, site, "log_export", person_id, table="fct_turns", days="all", format="csv")
    page.get_by_role("button", name="Export these rows").click()
    expect(page.get_by_text("rows written in the background")).to_be_visible()


def test_an_export_in_the_background_is_interrupted_told_made_again_and_taken_by_its_own_link(
    page: Page, workspace: Workspace, tmp_path: Path
) -> None:
    manager, told = MANAGERS["support"], tmp_path / "errors.txt"
    with serving(workspace, told) as site:
        export(page, site, manager)
        photograph(page, "export-in-the-background")
        (making,) = workspace.export_dir.glob(".making-*")
        assert (making / "fct_turns.csv").exists()
    # Killed in the middle. The next start says so, and nothing of it is left.
    with serving(workspace, told) as site:
        assert "of fct_turns, begun by mara-lindt" in told.read_text()
        assert list(workspace.export_dir.iterdir()) == []
        open_page(page, site, "log_export", manager)
        page.get_by_role("tab", name="Past exports").click()
        expect(page.get_by_text("was interrupted: what made it ended")).to_be_visible()
        photograph(page, "export-interrupted")
        open_page(page, site, "log_export", MANAGERS["sales"])
        page.get_by_role("tab", name="Past exports").click()
        expect(page.get_by_text("No exports yet.")).to_be_visible()
        expect(page.get_by_text("was interrupted")).to_have_count(0)
        export(page, site, manager)
        (workspace.root / "go").write_text("on")  # the writer of the export waits at this pipe
        expect(page.get_by_text("exported, complete")).to_be_visible()
        _taken(page, workspace, tmp_path)


def _taken(page: Page, workspace: Workspace, tmp_path: Path) -> None:
    """The file is larger than the page hands out: its link is signed, and another one opens nothing."""
    (folder,) = workspace.export_dir.iterdir()
    link = page.get_by_role("link", name="Download the file").first
    address = str(link.get_attribute("href"))
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "taken.csv")
    told = json.loads((folder / "manifest.json").read_text())
    assert hashlib.sha256((tmp_path / "taken.csv").read_bytes()).hexdigest() == told["files"][0]["sha256"]
    assert [path.name for path in folder.iterdir() if path.name.startswith("begun")] == []
    request = page.context.request
    changed = address[:-2] + ("aa" if not address.endswith("aa") else "bb")
    site = page.url.partition("/log_export")[0]
    answer = request.get(changed if changed.startswith("http") else f"{site}{changed}")
    assert answer.status == 410
    assert "This link has ended" in answer.text()
