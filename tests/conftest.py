"""Fixtures that every test may use: a workspace, a clock, the shared data, tools of the machine."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ingest.workspace import Workspace
from tests import postgres

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked both_engines run once with the control store on SQLite and once on PostgreSQL."""
    if metafunc.definition.get_closest_marker("both_engines") and "workspace" in metafunc.fixturenames:
        metafunc.parametrize("control_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def clock() -> Clock:
    """A clock that starts on Wednesday 4 November 2026, 09:00 UTC."""
    return Clock(dt.datetime(2026, 11, 4, 9, 0, tzinfo=dt.UTC))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server of this session; skips where the machine has none, but fails in CI."""
    binaries = postgres.find_binaries()
    if binaries is None:
        missing("PostgreSQL")
    with postgres.server(binaries) as found:
        yield found


@pytest.fixture
def control_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """What FLEETBOOK_CONTROL_URL says in this test: nothing, or a new PostgreSQL database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield url


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, control_url: str | None) -> Workspace:
    """An empty workspace, also named by FLEETBOOK_HOME; the control store is SQLite inside it, or by URL."""
    if control_url is None:
        monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    else:
        monkeypatch.setenv("FLEETBOOK_CONTROL_URL", control_url)
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
        missing(names[0])

    return find


def missing(name: str) -> NoReturn:
    """Skip the test because ``name`` is not installed; in CI fail, because CI installs what tests need."""
    reason = f"{name} is not installed on this machine"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; .ci/run has to install it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium(need_tool: Callable[..., str]) -> str:
    """Path of a Chromium or Chrome; a busy machine may take its time to show what a test expects."""
    path = need_tool("chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import expect

    expect.set_options(timeout=90_000)
    return path


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any], chromium: str) -> dict[str, Any]:
    """pytest-playwright starts the machine's own browser, headless and without calls to the outside."""
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    return {
        **browser_type_launch_args,
        "executable_path": chromium,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", *quiet],
    }
