"""Fixtures that every test may use: a workspace, a clock, the shared data, tools of the machine."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


class Clock:
    """A clock that stands still until a test moves it: call it for the time, ``advance`` it."""

    def __init__(self, start: dt.datetime):
        self.now = start

    def __call__(self) -> dt.datetime:
        return self.now

    def advance(self, **parts: float) -> dt.datetime:
        """Move on by ``timedelta(**parts)`` and return the new time."""
        self.now += dt.timedelta(**parts)
        return self.now


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: once started, the browser's driver keeps an event loop in this thread,
    in which no other test could run an agent."""
    items.sort(key=lambda item: item.path.name.startswith("test_browser_"))


@pytest.fixture
def clock() -> Clock:
    """A clock that starts on Wednesday 4 November 2026, 09:00 UTC."""
    return Clock(dt.datetime(2026, 11, 4, 9, 0, tzinfo=dt.UTC))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, also named by FLEETBOOK_HOME; the control store is SQLite inside it."""
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(tmp_path / "workspace"))
    return Workspace.create(tmp_path / "workspace")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository; a checkout without it skips the test."""
    if not SHARED.is_dir():
        pytest.skip("the folder shared/ with the real data is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def need_tool() -> Callable[..., str]:
    """``need_tool("chromium", "chromium-browser")``: path of the first one found.

    Without it the test is skipped with the reason, but fails in CI: CI installs what tests need.
    """

    def find(*names: str) -> str:
        for name in names:
            path = shutil.which(name)
            if path:
                return path
        reason = f"{names[0]} is not installed on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; .ci/run has to install it")
        pytest.skip(reason)

    return find


@pytest.fixture(scope="session")
def chromium(need_tool: Callable[..., str]) -> str:
    """Path of a Chromium or Chrome."""
    return need_tool("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], chromium: str) -> dict[str, Any]:
    """pytest-playwright starts the machine's own browser, headless and without calls to the outside."""
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    return {
        **browser_type_launch_args,
        "executable_path": chromium,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", *quiet],
    }
