"""An auditor reads numbers, and texts only under a grant: before it, while it lasts, and after it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.desk import Desk
from app.live import health
from ingest.contract import parse_rfc3339
from ingest.log.checkpoint import notarise
from ingest.log.manifest import Manifest, written_at
from ingest.reader import rows_where
from ingest.workspace import Workspace
from runner.control import content_grants
from runner.control.plane import Control
from runner.errors import AccessRefused, AssuranceRefused, NotFound
from tests.conftest import Clock
from tests.runner_company import Command, company, fleetbook, play

__all__ = ["fleetbook"]

AUDITOR, LEAD, MANAGER = "nora-quist", "priya-nair", "mara-lindt"
ROLES = (
    ("  analyst:", "  auditor: {scope: all, may: [view_metrics, export_data]}\n  analyst:"),
    ("  li-chen:", "  nora-quist: {name: Nora Quist, team: platform, role: auditor}\n  li-chen:"),
)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def control(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    workspace = Workspace.create(tmp_path / "w")
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))
    with company(workspace, *ROLES, clock=clock) as made:
        yield made


@pytest.fixture
def run_id(control: Control) -> str:
    """A run with texts."""
    return control.request_run("triage-agent", "Sort the tickets of today.", "jon-vass")


def texts(control: Control, run_id: str, person_id: str = AUDITOR) -> list[str]:
    """What the run page would show the person."""
    events = Desk(control).live_run_events(run_id, person_id)
    return [str(event["payload_text"]) for event in events if event["payload_text"]]


def events_of(control: Control, event_type: str) -> list[dict[str, object]]:
    """Events of one type as they came, whichever process wrote them."""
    names = ["event_type", "person_id", "actor_id", "grant_id", "run_id", "agent_id", "expires_at", "reason"]
    control.relay.flush()
    tables = rows_where(control.workspace, [*names, "occurred_at"], "event_type", event_type)
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: row["occurred_at"])


def test_texts_are_shown_while_the_grant_lasts_and_not_before_or_after(
    control: Control, run_id: str, clock: Clock
) -> None:
    assert texts(control, run_id) == []
    made = content_grants.grant(control, AUDITOR, clock() + HOUR, "Audit of October.", LEAD, run_id=run_id)
    assert texts(control, run_id) == ["Sort the tickets of today."]
    (granted,), (read,) = events_of(control, "content_granted"), events_of(control, "payload_read")
    assert (granted["person_id"], granted["actor_id"], granted["run_id"]) == (AUDITOR, LEAD, run_id)
    assert (granted["expires_at"], granted["reason"]) == (made.expires_at, "Audit of October.")
    assert (read["person_id"], read["grant_id"]) == (AUDITOR, made.grant_id)
    clock.advance(hours=1)
    assert texts(control, run_id) == []


def test_a_grant_taken_back_counts_no_more(control: Control, run_id: str, clock: Clock) -> None:
    made = content_grants.grant(control, AUDITOR, clock() + HOUR, "Audit.", LEAD, agent_id="triage-agent")
    assert texts(control, run_id)
    with pytest.raises(AccessRefused):
        content_grants.end(control, made.grant_id, AUDITOR, "Not mine to end.")
    content_grants.end(control, made.grant_id[-12:], LEAD, "Finished.")
    assert texts(control, run_id) == []
    (ended,) = events_of(control, "content_grant_ended")
    assert (ended["grant_id"], ended["person_id"], ended["actor_id"]) == (made.grant_id, AUDITOR, LEAD)
    with pytest.raises(AssuranceRefused, match="it is over"):
        content_grants.end(control, made.grant_id, LEAD, "Again.")


def test_a_grant_is_about_its_run_or_agent_only(control: Control, run_id: str, clock: Clock) -> None:
    other = control.request_run("refund-agent", "Refund W-2211, 50 USD", "jon-vass")
    content_grants.grant(control, AUDITOR, clock() + HOUR, "Audit.", LEAD, agent_id="triage-agent")
    assert (len(texts(control, run_id)), texts(control, other)) == (1, [])
    content_grants.grant(control, AUDITOR, clock() + HOUR, "Audit.", LEAD, run_id=other)
    assert len(texts(control, other)) == 1


def test_arguments_of_approvals_are_texts(control: Control, clock: Clock) -> None:
    play(control, "refund-agent", "Refund W-2211, 240 USD")
    (request,) = Desk(control).approvals(AUDITOR)
    assert request.arguments == {}
    made = content_grants.grant(control, AUDITOR, clock() + HOUR, "Audit.", LEAD, agent_id="refund-agent")
    (request,) = Desk(control).approvals(AUDITOR)
    assert request.arguments["amount_usd"] == "240"
    assert events_of(control, "payload_read")[-1]["grant_id"] == made.grant_id
    clock.advance(hours=1)
    assert Desk(control).approvals(AUDITOR)[0].arguments == {}


@pytest.mark.parametrize(
    ("person", "hours", "reason", "by", "about", "error", "said"),
    [
        (LEAD, 1, "x", LEAD, {}, AssuranceRefused, "themselves"),
        (AUDITOR, 1, " ", LEAD, {}, AssuranceRefused, "a reason is missing"),
        (AUDITOR, 0, "x", LEAD, {}, AssuranceRefused, "is past"),
        (AUDITOR, 800, "x", LEAD, {}, AssuranceRefused, "31 days"),
        (AUDITOR, 1, "x", "li-chen", {}, AccessRefused, "read_payload"),
        (AUDITOR, 1, "x", MANAGER, {}, AccessRefused, "all teams"),
        ("otto-klein", 1, "x", LEAD, {"agent_id": "triage-agent"}, AccessRefused, "team sales only"),
        (AUDITOR, 1, "x", LEAD, {"run_id": "none"}, NotFound, "none"),
        ("nobody", 1, "x", LEAD, {}, NotFound, "nobody"),
    ],
)
def test_a_grant_is_refused(
    control: Control, clock: Clock, person: str, hours: int, reason: str, by: str,
    about: dict[str, str], error: type[Exception], said: str,
) -> None:  # fmt: skip
    with pytest.raises(error, match=said):
        content_grants.grant(control, person, clock() + hours * HOUR, reason, by, **about)
    assert events_of(control, "content_granted") == []


def test_a_deny_grant_wins_over_a_grant_of_content(tmp_path: Path, clock: Clock) -> None:
    deny = "grants:\n  - {id: no-texts, role: auditor, action: read_payload, effect: deny, reason: court}\n"
    with company(Workspace.create(tmp_path / "w"), *ROLES, ("grants:\n", deny), clock=clock) as control:
        run_id = control.request_run("triage-agent", "Sort.", "jon-vass")
        content_grants.grant(control, AUDITOR, clock() + HOUR, "Audit.", LEAD, run_id=run_id)
        assert texts(control, run_id) == []


def test_who_may_read_by_role_needs_no_grant_and_names_none(control: Control, run_id: str) -> None:
    assert len(texts(control, run_id, MANAGER)) == 1
    assert events_of(control, "payload_read")[0]["grant_id"] is None


def test_the_commands_grant_list_and_end(control: Control, run_id: str, fleetbook: Command) -> None:
    tomorrow = (dt.datetime.now(dt.UTC) + 24 * HOUR).date().isoformat()
    code, out, error = fleetbook(
        "grant-content", AUDITOR, "--until", tomorrow, "--reason", "Audit.", "--run", run_id, "--as", LEAD
    )
    assert (code, f"may read texts of run {run_id}" in out) == (0, True), error
    grant = out.rstrip().removesuffix(".")[-12:]
    code, out, _ = fleetbook("content-grants")
    assert (AUDITOR in out, "in force" in out, grant in out) == (True, True, True)
    assert fleetbook("end-content-grant", grant, "--reason", "Done.", "--as", LEAD)[0] == 0
    assert "No grant of content is in force." in fleetbook("content-grants")[1]
    assert f"ended by {LEAD}" in fleetbook("content-grants", "--all")[1]
    code, _, error = fleetbook("grant-content", AUDITOR, "--until", "soon", "--reason", "x", "--as", LEAD)
    assert (code, "'soon' is no time" in error) == (1, True)


def test_evidence_with_texts_asks_for_the_right_to_read_them(
    tmp_path: Path, fleetbook: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "may: [view_metrics, export_data]}\n  analyst"
    signs = ((old, old.replace("export_data", "export_data, sign_report")),)
    workspace = Workspace.create(tmp_path / "w")
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))
    with company(workspace, *ROLES, *signs) as control:
        run_id = control.request_run("triage-agent", "Sort.", "jon-vass")
        control.relay.flush()
    notarise(workspace)
    words = ("evidence", "--run", run_id, "--as", AUDITOR)
    code, _, error = fleetbook(*words, str(tmp_path / "one"))
    assert (code, "read_payload" in error, (tmp_path / "one").exists()) == (1, True, False)
    assert "0 texts" in fleetbook(*words, "--without-texts", str(tmp_path / "two"))[1]
    tomorrow = (dt.datetime.now(dt.UTC) + 24 * HOUR).date().isoformat()
    granted = (
        "grant-content",
        AUDITOR,
        "--until",
        tomorrow,
        "--reason",
        "Audit.",
        "--run",
        run_id,
        "--as",
        LEAD,
    )
    assert fleetbook(*granted)[0] == 0
    code, out, _ = fleetbook(*words, str(tmp_path / "three"))
    assert "1 texts" in out
    with Control(workspace) as control:
        assert [one["grant_id"] is not None for one in events_of(control, "export_created")] == [False, True]


def test_how_far_the_log_is_signed_is_what_the_manifest_records_not_a_files_time(
    control: Control, run_id: str
) -> None:
    assert health.signed(Desk(control)).signed_at is None
    control.relay.flush()
    path = notarise(control.workspace).path
    before = health.signed(Desk(control))
    assert before.signed_at is not None
    os.utime(path, (0, 0))
    assert health.signed(Desk(control)) == before
    assert before.signed_at == parse_rfc3339(written_at(Manifest(control.workspace).entries()[-1]))
