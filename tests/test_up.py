"""``fleetbook up``: one command for all parts, which are ended together when one of them cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from app.commands.up import Part, look_after
from app.lifeline import Lifeline
from ingest.workspace import Workspace


def test_a_part_that_cannot_start_ends_all_and_its_reason_stays(
    workspace: Workspace, repository: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        command = [
            sys.executable,
            "-m",
            "app.cli",
            "up",
            "--port",
            port,
            "--no-worker",
            "--build-minutes",
            "0",
        ]
        done = subprocess.run(
            [*command, "--no-receiver"], cwd=repository, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 2
    assert f"port {port} on 127.0.0.1 is not free" in done.stderr
    assert "Not up: pages ended after" in done.stderr
    assert f"exit code 2 (`fleetbook serve --port {port}`)" in done.stderr


def test_a_part_that_ends_by_itself_is_started_again_later_each_time(workspace: Workspace) -> None:
    part = Part(name="worker", words=("worker", "--once"))
    root = str(workspace.root)
    lifeline, waits = Lifeline(), list[float]()
    for _ in range(3):
        part.due_at = 0.0
        look_after(part, root, 1.0, lifeline)
        assert part.process is not None
        part.process.wait(120)
        look_after(part, root, part.started_at + 30, lifeline)  # it lived for half a minute
        assert part.process is None
        waits.append(part.wait)
    lifeline.close()
    assert waits == [2.0, 4.0, 8.0]


def test_a_part_that_is_killed_at_once_is_started_again(workspace: Workspace) -> None:
    part, lifeline = Part(name="worker", words=("worker",)), Lifeline()
    look_after(part, str(workspace.root), part.due_at, lifeline)
    assert part.process is not None
    part.process.kill()
    part.process.wait(120)
    look_after(part, str(workspace.root), part.started_at + 1, lifeline)
    assert part.process is None
    look_after(part, str(workspace.root), part.due_at, lifeline)
    assert part.process is not None
    lifeline.close()  # ends it too: whoever is gone leaves nobody behind
    assert part.process.wait(120) in (0, -signal.SIGTERM)


def test_pages_end_with_the_command_that_started_them(workspace: Workspace, repository: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "Pages:" in process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    until = time.monotonic() + 60
    while time.monotonic() < until and not _is_free(port):
        time.sleep(0.05)
    assert _is_free(port)


def test_up_serves_spans_and_ends_its_parts_when_it_is_told_to(
    workspace: Workspace, repository: Path
) -> None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        pages, receiver = (str(one.getsockname()[1]) for one in (first, second))
    command = [sys.executable, "-m", "app.cli", "up", "--port", pages, "--receiver-port", receiver]
    process = subprocess.Popen(
        [*command, "--no-worker", "--build-minutes", "0"],
        cwd=repository,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        while line and "Receiver:" not in line:
            line = process.stdout.readline()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(_answering(f"http://127.0.0.1:{receiver}/health", opener), timeout=5).status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=120)
    assert "Stopping. What was answered or recorded is in the log." in rest
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", int(receiver)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _answering(url: str, opener: urllib.request.OpenerDirector) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            opener.open(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            break
    return url
