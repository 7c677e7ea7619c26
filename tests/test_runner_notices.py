"""Notices: kept with what they tell, sent to a file and by URL, tried again, no secret in any record."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ingest.workspace import Workspace
from runner.control import notices
from runner.control.plane import Control
from runner.control.sending import send_due
from tests.conftest import Clock
from tests.runner_company import Command, company, fleetbook
from tests.sealed_log import sealed_events

pytestmark = pytest.mark.both_engines

__all__ = ["fleetbook"]

SECRET = "s3cr3t-t0ken"


@contextmanager
def receiver(status: list[int]) -> Iterator[tuple[int, list[dict[str, object]]]]:
    """An HTTP server that answers with the ``status`` codes in turn (the last for ever); port and bodies."""
    taken: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            code = status.pop(0) if len(status) > 1 else status[0]
            if code == 200:
                taken.append(body)
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port, taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def notifications(*lines: str) -> tuple[str, str]:
    return ("prices:\n", "notifications:\n" + "".join(f"  - {{{line}}}\n" for line in lines) + "prices:\n")


def put(control: Control, kind: str, team_id: str | None = "support") -> None:
    with control.store.write() as tx:
        notices.put(
            tx,
            kind=kind,
            team_id=team_id,
            title=f"About {kind}",
            text="Look at it.",
            about={"run_id": "r-1", "decision": "approved"},
        )


def test_a_notice_goes_to_the_file_and_to_who_wants_its_kind_and_team(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", SECRET)
    with receiver([200]) as (port, taken):
        url = f"json://user:${{HOOK_TOKEN}}@127.0.0.1:{port}"
        places = notifications(
            f'id: all, url: "{url}/all"',
            f'id: stops, url: "{url}/stops", kinds: [stop]',
            f'id: sales-only, url: "{url}/sales", team: sales',
        )
        control = company(workspace, places)
        put(control, "stop")
        put(control, "approval-waiting")
        tried = send_due(control)
        assert {one.problem for one in tried} == {None}
        assert send_due(control) == []
        control.close()
    assert sorted(str(body["title"]) for body in taken) == [
        "About approval-waiting",
        "About stop",
        "About stop",
    ]
    lines = [json.loads(line) for line in workspace.notices_file.read_text().splitlines()]
    assert sorted(line["kind"] for line in lines) == ["approval-waiting", "stop"]
    assert {line["run_id"] for line in lines} == {"r-1"}
    raised = sealed_events(workspace, "notice_raised")
    assert [(event["notice_kind"], event["reason"], event["run_id"]) for event in raised] == [
        ("stop", "About stop", "r-1"),
        ("approval-waiting", "About approval-waiting", "r-1"),
    ]
    sent = sealed_events(workspace, "notice_sent")
    assert sorted(str(event["notification_id"]) for event in sent) == ["all", "all", "file", "file", "stops"]
    assert SECRET not in everything(workspace)


def everything(workspace: Workspace) -> str:
    """Every byte of the workspace, as far as it is text; the log's bodies among it."""
    bodies = [
        json.dumps(event, default=str) for event in sealed_events(workspace, "notice_failed", "notice_sent")
    ]
    files = [path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()]
    return "".join([*bodies, *(data.decode("utf-8", "replace") for data in files)])


def test_what_is_not_taken_is_tried_again_later_and_given_up_in_the_end(
    workspace: Workspace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.control.sending._TRY_PAUSE_S", 0.0)
    monkeypatch.setenv("HOOK_TOKEN", SECRET)
    with receiver([503, 503, 503, 200]) as (port, taken):
        places = notifications(
            f'id: hook, url: "json://${{HOOK_TOKEN}}:x@127.0.0.1:{port}/"',
            'id: nowhere, url: "json://${NO_SUCH_VARIABLE}@127.0.0.1/"',
        )
        control = company(workspace, places, clock=clock)
        put(control, "stop")
        first = {one.send.notification_id: one.problem for one in send_due(control)}
        assert first == {
            "file": None,
            "hook": "json did not take it (HTTP status 503)",
            "nowhere": "environment variable NO_SUCH_VARIABLE is not set",
        }
        assert send_due(control) == []  # not yet
        clock.advance(minutes=1)
        again = {one.send.notification_id: one.problem for one in send_due(control)}
        assert again == {"hook": None, "nowhere": "environment variable NO_SUCH_VARIABLE is not set"}
        assert len(taken) == 1
        for minutes in (5, 30, 120, 480):
            clock.advance(minutes=minutes)
            (last,) = send_due(control)
        assert last.again_at is None
        clock.advance(days=30)
        assert send_due(control) == []
        control.close()
    failed = sealed_events(workspace, "notice_failed")
    assert [event["attempt"] for event in failed if event["notification_id"] == "nowhere"] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    assert failed[-1].get("expires_at") is None
    assert SECRET not in everything(workspace)


def test_the_command_sends_and_says_what_was_not_taken(workspace: Workspace, fleetbook: Command) -> None:
    control = company(workspace, notifications('id: typo, url: "no-such-service://x"'))
    put(control, "stop")
    control.close()
    code, out, _ = fleetbook("notices", "send")
    assert (code, "typo: the URL is none that Apprise knows; tried again" in out) == (1, True)
    assert "1 sent, 1 not taken." in out
    assert fleetbook("notices", "send")[:2] == (0, "0 sent, 0 not taken.\n")
