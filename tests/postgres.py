"""A PostgreSQL server of the tests' own, from the machine's binaries: started once, stopped at the end."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

# The server refuses to run as root.
_UNPRIVILEGED = ("postgres", "nobody")
# Tests check what is committed, not what survives a power cut: that is the server's own business.
_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
_START_S = 30.0


def find_binaries() -> Path | None:
    """The folder that holds ``initdb`` and ``postgres``: on the PATH, or where Debian puts them."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class Server:
    """A running server; :meth:`database` gives the URL of a new empty database."""

    def __init__(self, socket_folder: Path) -> None:
        self._socket_folder = socket_folder
        self._numbers = itertools.count(1)

    def url(self, name: str) -> str:
        """URL of the database ``name``, as a user would write it into FLEETBOOK_CONTROL_URL."""
        return f"postgresql://fleetbook@/{name}?host={self._socket_folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """URL of a new database, dropped at the end."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            try:
                yield self.url(name)
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def server(binaries: Path, *settings: str) -> Iterator[Server]:
    """A server on a new data folder with ``settings`` beside the tests' own; only its socket is open."""
    user = next((name for name in _UNPRIVILEGED if _exists(name)), None) if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="fleetbook-pg-"))
    try:
        if user:
            shutil.chown(folder, user)
        data = folder / "data"
        _run(
            [binaries / "initdb", "-D", data, "-U", "fleetbook", "-A", "trust", "-E", "UTF8", "--no-sync"],
            user,
            folder,
        )
        options = [part for setting in (*_SETTINGS, *settings) for part in ("-c", setting)]
        command = [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *options]
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, user=user, stdout=log, stderr=log, start_new_session=True
            )
        try:
            found = Server(folder)
            _wait(found, process, folder)
            yield found
        finally:
            process.send_signal(signal.SIGINT)  # fast: open connections are cut
            process.wait(_START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exists(user: str) -> bool:
    import pwd

    try:
        return pwd.getpwnam(user) is not None
    except KeyError:
        return False


def _run(command: list[object], user: str | None, folder: Path) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, user=user, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} failed: {done.stderr}")


def _wait(found: Server, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(found.url("postgres")).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (folder / "server.log").read_text()
                raise RuntimeError(f"PostgreSQL did not start: {error}\n{log}") from error
            time.sleep(0.05)
