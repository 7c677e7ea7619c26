"""A check that is asked for on the page: one at a time, in a process of its own, and how it ended."""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.checks.asked import Asked, ask, asked
from app.errors import CheckError
from ingest.workspace import Workspace

OCTOBER = dt.date(2026, 10, 1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


def awaited(workspace: Workspace, is_so: Callable[[Asked], bool]) -> Asked:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        last = asked(workspace)
        if last is not None and is_so(last):
            return last
        time.sleep(0.05)
    raise AssertionError(f"not within two minutes: {asked(workspace)}")


def test_a_check_that_gives_no_answer_says_why(workspace: Workspace) -> None:
    assert asked(workspace) is None
    (workspace.root / "check_parameters.yaml").write_text("no_such_parameter: 3\n", encoding="utf-8")
    ask(workspace, OCTOBER, "helena-brandt", dt.datetime.now(dt.UTC))
    ended = awaited(workspace, lambda last: not last.is_running)
    assert (ended.month, ended.person_id, ended.is_answered) == (OCTOBER, "helena-brandt", False)
    assert "no_such_parameter" in ended.said


def test_one_check_at_a_time_and_a_killed_one_leaves_the_next_free(workspace: Workspace) -> None:
    ask(workspace, OCTOBER, "helena-brandt", dt.datetime.now(dt.UTC))
    with pytest.raises(CheckError, match="the check of 2026-10 is being made"):
        ask(workspace, dt.date(2026, 9, 1), "helena-brandt", dt.datetime.now(dt.UTC))
    os.killpg(_process_group(workspace), signal.SIGKILL)
    killed = awaited(workspace, lambda last: not last.is_running)
    assert not killed.is_answered
    ask(workspace, dt.date(2026, 9, 1), "helena-brandt", dt.datetime.now(dt.UTC))
    assert awaited(workspace, lambda last: not last.is_running).month == dt.date(2026, 9, 1)


def _process_group(workspace: Workspace) -> int:
    """The process that checks, found by the workspace in its command line."""
    name = str(workspace.root.resolve()).encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if name in words and b"check" in words:
            return int(folder.name)
    raise AssertionError("no process checks this workspace")
