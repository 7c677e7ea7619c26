"""``fleetbook serve``: the pages on this machine, until Ctrl-C."""

from __future__ import annotations

import http.client
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.errors import PagesKilled, ServeError
from app.lifeline import Lifeline
from app.service_log import set_up
from ingest.workspace import Workspace, home

_log = logging.getLogger("fleetbook.pages")
HOST = "127.0.0.1"
DEFAULT_PORT = 8501

_ROOT = Path(__file__).resolve().parents[2]
_READY_SECONDS = 60
_STOP_SECONDS = 10


def serve(workspace: Workspace, port: int = DEFAULT_PORT) -> None:
    """Serve the pages of ``workspace`` on 127.0.0.1:``port`` until Ctrl-C or SIGTERM.

    Raises ServeError when the port is taken or the pages do not come up.
    """
    set_up()
    refuse_taken(port)
    child = Lifeline().start(
        [sys.executable, "-m", "app.server", str(port)],
        cwd=_ROOT,  # where .streamlit/config.toml lies
        environment={"FLEETBOOK_HOME": str(workspace.root)},
        is_silent=True,  # Streamlit's own greeting; errors stay on the terminal
    )
    with interruptible():
        try:
            _wait_until_ready(child, port)
            _log.info("Pages: http://localhost:%d  (Ctrl-C stops them)", port)
            child.wait()
        except KeyboardInterrupt:
            _stop(child)
            _log.info("Pages stopped. Nothing is lost: start them again with `fleetbook serve`.")
            return
        except ServeError:
            _stop(child)
            raise
    if child.returncode < 0:
        raise PagesKilled(
            f"Pages ended by themselves: killed by signal {-child.returncode} on port {port}. "
            "Look whether the machine ran out of memory (`dmesg`), and run `fleetbook serve` again."
        )
    raise ServeError(
        f"Pages ended by themselves: exit code {child.returncode} on port {port}. "
        "The reason is in the lines above; correct it and run `fleetbook serve` again."
    )


def register(app: typer.Typer) -> None:
    """Add ``serve`` to the command line."""

    @app.command("serve")
    def serve_command(
        port: Annotated[
            int, typer.Option(min=1, max=65535, help="Port on this machine (127.0.0.1 only).")
        ] = DEFAULT_PORT,
    ) -> None:
        """Open the pages on http://localhost:8501, for this machine only."""
        serve(Workspace.open(home()), port)


def refuse_taken(port: int) -> None:
    """Raise ServeError when something listens on ``port`` of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself does
        try:
            probe.bind((HOST, port))
        except OSError as error:
            other = port + 1 if port < 65535 else port - 1
            raise ServeError(
                f"Pages not started: port {port} on {HOST} is not free ({error.strerror}). "
                f"Stop what uses it, or choose another one: `fleetbook serve --port {other}`."
            ) from error


def _wait_until_ready(child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return
        time.sleep(0.1)
    raise ServeError(
        f"Pages not started: no answer on port {port} "
        f"{f'within {_READY_SECONDS} s' if child.poll() is None else 'and the process ended'}. "
        "The reason is in the lines above; correct it and run `fleetbook serve` again."
    )


def _answers(port: int) -> bool:
    asking = http.client.HTTPConnection(HOST, port, timeout=1)  # no proxy between this machine and itself
    try:
        asking.request("GET", "/_stcore/health")
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt while this is open, also in the middle of a wait.

    SIGINT is taken anew because importing polars 2.1 installs a handler with SA_RESTART: after it a wait for
    a child goes on, and Ctrl-C seems to do nothing until the child ends.
    """

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
