"""What long-running parts say, and our own traces: ids and counts for machines, never texts or secrets."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import ServeError
from app.service_log import JsonLines
from app.warehouse import Warehouse
from ingest.dialects.stored import stored_spans
from ingest.log.writer import LogWriter, utc_now
from ingest.reader import snapshot
from ingest.receivers.tokens import create_token
from ingest.workspace import Workspace
from tests.conftest import missing
from tests.log_events import stored_rows
from tests.otlp_load import running_receiver
from tests.runner_company import Command, company, fleetbook

__all__ = ["fleetbook"]
TASK = "Refund W-2211, 50 USD, to the account of Ada"


def line(message: str, error: BaseException | None = None, **extra: object) -> dict[str, object]:
    """The JSON line of a record, read back."""
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("fleetbook.worker", logging.INFO, "", 0, message, (), info)
    record.__dict__ |= extra
    read: dict[str, object] = json.loads(JsonLines().format(record))
    return read


def test_a_line_has_the_known_ids_and_nothing_else() -> None:
    told = line("ended", run_id="run-1", task="pay Ada back", status="completed")
    assert set(told) == {"time", "level", "logger", "message", "run_id", "status"}
    assert (told["run_id"], told["level"], told["logger"]) == ("run-1", "info", "fleetbook.worker")


def test_of_a_defect_only_type_and_places_are_told_and_of_our_own_errors_the_words() -> None:
    try:
        json.loads("pay Ada back")
    except ValueError as defect:
        told = line("failed", defect)
    assert told["error_type"] == "JSONDecodeError"
    assert "error" not in told
    assert any("decoder.py" in place for place in told["error_at"])  # type: ignore[attr-defined]
    assert line("failed", ServeError("Pages not started: port 1."))["error"] == "Pages not started: port 1."


def test_secrets_in_a_message_are_masked() -> None:
    told = line("asked with Authorization: Bearer sk-abcdefghijklmnopqrstuvwx")
    assert "abcdefghijkl" not in str(told)


def command(workspace: Workspace, repository: Path, *words: str, **settings: str) -> list[str]:
    """Run a command as a process with ``settings``; the lines of its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "--workspace", str(workspace.root), *words],
        cwd=repository,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stderr.splitlines()


def test_a_worker_tells_machines_of_its_runs_by_id_and_never_of_their_texts(
    workspace: Workspace, repository: Path
) -> None:
    with company(workspace) as control:
        run_id = control.request_run("refund-agent", TASK, "jon-vass")
    said = command(workspace, repository, "worker", "--once", FLEETBOOK_LOG_FORMAT="json")
    (ended,) = [one for one in map(json.loads, said) if one.get("run_id") == run_id]
    assert (ended["agent_id"], ended["status"]) == ("refund-agent", "completed")
    assert "Ada" not in "\n".join(said)


def test_a_level_or_form_that_is_none_is_refused(
    workspace: Workspace, fleetbook: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETBOOK_LOG_LEVEL", "loud")
    code, _, error = fleetbook("build")
    assert code == 2
    assert "FLEETBOOK_LOG_LEVEL is 'loud'. Set it to debug or info or warning or error" in error


def test_traces_go_where_the_environment_says_when_it_asks_and_our_receiver_takes_them_for_no_agent(
    workspace: Workspace, repository: Path
) -> None:
    try:
        import opentelemetry.sdk  # noqa: F401  # not in a user's environment
    except ImportError:
        missing("opentelemetry-sdk")
    with company(workspace) as control:
        run_id = control.request_run("refund-agent", TASK, "jon-vass")
    with LogWriter(workspace, recorded_via="app", process_name="test") as writer:
        token = create_token(
            workspace,
            writer,
            team_id="support",
            label="",
            content_capture="on",
            person_id=None,
            now=utc_now(),
        ).text
    with running_receiver(workspace.root) as receiver:
        where = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{token}",
        }
        command(workspace, repository, "worker", "--once", **where, OTEL_TRACES_EXPORTER="otlp")
        command(workspace, repository, "build", **where)  # an address alone turns nothing on
    spans = [
        span
        for row in stored_rows(snapshot(workspace, workspace.root.parent / "snapshot").files)
        if row["event_type"] == "otel_span"
        for span in stored_spans(row["span_json"])
    ]
    assert [span["name"] for span in spans] == ["fleetbook.run"]
    assert run_id in json.dumps(spans)
    assert "Ada" not in json.dumps(spans)
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    assert warehouse.fetch("select run_id from main.fct_runs", {})["run_id"].to_list() == [run_id]
