"""Renews the warehouse of the demo while its pages are open: when the log has grown, each minute at most."""

from __future__ import annotations

import signal
import sys
import threading

from app.build import build
from app.errors import BuildBusy, BuildFailed
from ingest.errors import IngestError
from ingest.workspace import Workspace, home

LOOK_SECONDS = 5.0
REST_SECONDS = 60.0  # a build of the demo takes both cores for some seconds


def log_size(workspace: Workspace) -> int:
    """Bytes of the manifest and of all open line files: another number means that the log has grown."""
    files = [workspace.manifest_file, *workspace.wal_dir.glob("*.wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def renew(workspace: Workspace, stop: threading.Event) -> None:
    """Build whenever the log has grown, until ``stop`` is set."""
    built = log_size(workspace)
    while not stop.wait(LOOK_SECONDS):
        size = log_size(workspace)
        if size == built:
            continue
        try:
            build(workspace)
        except BuildBusy:
            continue
        except (BuildFailed, IngestError) as error:
            # The generation before stays; the next growth of the log is the next try.
            print(error, file=sys.stderr)
        built = size
        stop.wait(REST_SECONDS)


def main() -> None:
    """Renew the warehouse of FLEETBOOK_HOME until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    renew(Workspace.open(home()), stop)


if __name__ == "__main__":
    main()
