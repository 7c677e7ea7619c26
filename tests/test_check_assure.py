"""What people record for the monthly check: each command writes its event or says why not."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from ingest.contract import Value
from ingest.reader import rows_where
from ingest.workspace import Workspace
from tests.runner_company import Command, company, events, fleetbook, play

__all__ = ["fleetbook"]

LEAD = ("--as", "priya-nair")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace.create(tmp_path / "workspace")
    company(made).close()
    monkeypatch.setenv("FLEETBOOK_HOME", str(made.root))
    return made


def recorded(workspace: Workspace, event_type: str) -> list[dict[str, Value]]:
    """Events of one type in the log, as they came."""
    columns = [
        "event_type", "recorded_at", "seq",
        "person_id", "actor_id", "agent_id", "team_id", "agent_version", "version_hash",
        "is_good", "incident_id", "incident_class", "identified_at", "reported_to", "request_id",
        "received_at", "check_id", "check_month", "expires_at", "content_sha256", "reason",
    ]  # fmt: skip
    tables = rows_where(workspace, columns, "event_type", event_type)
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["recorded_at"], row["seq"]))


def test_a_training_counts_until_the_end_of_its_last_day(workspace: Workspace, fleetbook: Command) -> None:
    code, out, _ = fleetbook("assure", "training", "mara-lindt", "--until", "2099-06-30", *LEAD)
    assert (code, "mara-lindt may oversee every agent until 2099-06-30" in out) == (0, True)
    (event,) = recorded(workspace, "training_recorded")
    assert event["expires_at"] == dt.datetime(2099, 6, 30, 22, tzinfo=dt.UTC)  # midnight in Berlin
    assert (event["person_id"], event["actor_id"]) == ("mara-lindt", "priya-nair")
    code, _, error = fleetbook("assure", "training", "mara-lindt", "--until", "2020-06-30", *LEAD)
    assert (code, "2020-06-30 is over" in error) == (1, True)


def test_an_evaluation_is_of_the_version_that_is_named(workspace: Workspace, fleetbook: Command) -> None:
    code, _, error = fleetbook(
        "assure", "evaluation", "refund-agent", "--passed", "--reason", "40 of 40.", *LEAD
    )
    assert code == 0, error
    (event,) = recorded(workspace, "version_evaluated")
    assert (event["agent_id"], event["agent_version"], event["is_good"]) == ("refund-agent", 1, True)
    assert len(str(event["version_hash"])) == 64


def test_nobody_without_the_right_records_for_the_check(workspace: Workspace, fleetbook: Command) -> None:
    code, _, _ = fleetbook(
        "assure", "seeded-case", "mara-lindt", "--caught", "--as", "jon-vass"
    )  # fmt: skip
    assert code == 1
    assert recorded(workspace, "seeded_case_recorded") == []
    code, _, error = fleetbook("assure", "seeded-case", "priya-nair", "--caught", *LEAD)
    assert (code, "is the reviewer" in error) == (1, True)


def test_an_incident_is_opened_by_anybody_told_and_closed(workspace: Workspace, fleetbook: Command) -> None:
    code, out, error = fleetbook(
        "assure", "incident", "refund-agent", "--class", "serious", "--at", "2026-10-05T14:30",
        "--reason", "Paid twice.", "--as", "jon-vass",
    )  # fmt: skip
    assert code == 0, error
    incident = out.split()[1]
    for whom in ("provider", "authority"):
        assert fleetbook("assure", "incident-reported", incident, "--to", whom, *LEAD)[0] == 0
    assert fleetbook("assure", "incident-closed", incident, "--reason", "Fixed.", *LEAD)[0] == 0
    (opened,) = recorded(workspace, "incident_opened")
    assert opened["identified_at"] == dt.datetime(2026, 10, 5, 14, 30, tzinfo=dt.UTC)
    # Both may be told within one millisecond, and then no order is kept.
    told = {one["reported_to"] for one in recorded(workspace, "incident_reported")}
    assert told == {"provider", "authority"}
    (closed,) = recorded(workspace, "incident_closed")
    assert (closed["incident_id"], closed["agent_id"]) == (incident, "refund-agent")
    code, _, error = fleetbook("assure", "incident-closed", "inc-unknown", "--reason", "Fixed.", *LEAD)
    assert (code != 0, "inc-unknown" in error) == (True, True)


def test_an_erasure_request_is_answered_by_its_id(workspace: Workspace, fleetbook: Command) -> None:
    out = fleetbook("assure", "erasure-request", "--received", "2026-10-01", *LEAD)[1]
    request = out.split()[1]
    assert fleetbook("assure", "erasure-answered", request, "--reason", "Gone.", *LEAD)[0] == 0
    assert [one["request_id"] for one in recorded(workspace, "erasure_answered")] == [request]


def test_a_restore_drill_verifies_the_copy_itself(
    workspace: Workspace, fleetbook: Command, tmp_path: Path
) -> None:
    assert fleetbook("notarise")[0] == 0
    copy = shutil.copytree(workspace.root, tmp_path / "copy")
    code, out, error = fleetbook("assure", "restore-drill", str(copy), *LEAD)
    assert (code, "roots are equal" in out) == (0, True), error
    for file in (copy / "lake").rglob("*.parquet"):
        file.unlink()
    assert fleetbook("assure", "restore-drill", str(copy), *LEAD)[0] == 1
    assert [one["is_good"] for one in recorded(workspace, "restore_drilled")] == [True, False]


def test_who_states_that_there_was_nothing_names_a_check_of_the_catalogue(
    workspace: Workspace, fleetbook: Command
) -> None:
    said = ("--month", "2026-10", "--reason", "No incident came up.", *LEAD)
    assert fleetbook("assure", "absence", "inc-01", *said)[0] == 0
    (event,) = recorded(workspace, "absence_attested")
    assert (event["check_id"], event["check_month"]) == ("INC-01", "2026-10")
    code, _, error = fleetbook("assure", "absence", "INC-09", *said)
    assert (code, "No check 'INC-09'" in error) == (2, True)


def test_the_intent_of_a_call_says_whether_its_rule_asks(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "workspace")
    with company(made) as control:
        outcomes = [play(control, "refund-agent", f"Refund order A-100{number}.") for number in (1, 2)]
    asked = {
        (call["tool_name"], call.get("is_approval_needed"))
        for outcome in outcomes
        for call in events(made, outcome.run_id, "tool_call_requested")
    }
    waited = any(events(made, outcome.run_id, "approval_requested") for outcome in outcomes)
    assert ("lookup_order", None) in asked
    assert (("refund_payment", True) in asked) is waited
    assert ("refund_payment", None) not in asked
