"""People who come, change and leave: who may give which role, and what becomes of what was theirs."""

from __future__ import annotations

import datetime as dt

import pytest

from ingest.workspace import Workspace
from runner.control import people_changes
from runner.control.people_changes import add_person, change_role, leave
from runner.control.plane import Control
from runner.control.registry_file import load_registry
from runner.errors import AccessRefused, AlreadyDeclared, DecisionRefused, NotFound, RunRefused
from tests.conftest import Clock
from tests.registry_log import told
from tests.runner_company import Command, company, events, fleetbook, play, resume

__all__ = ["fleetbook"]

RIGHTS = (
    (
        "export_data, apply_registry]",
        "export_data, apply_registry, change_people, change_agents, approve_version]",
    ),
    ("read_payload, export_data]}", "read_payload, export_data, change_people]}"),
)
SCHEDULE = (
    "budgets:\n",
    "schedules:\n"
    '  nightly: {agent: triage-agent, cron: "0 2 * * *", task: Sort, run_as: mara-lindt}\n'
    "budgets:\n",
)


def rights(workspace: Workspace, *changes: tuple[str, str], clock: Clock | None = None) -> Control:
    """A company whose leads and managers may change people."""
    return company(workspace, *RIGHTS, *changes, clock=clock)


def test_who_leaves_hands_agents_to_the_deputy_or_the_orphan_queue_and_schedules_stop(
    workspace: Workspace, clock: Clock
) -> None:
    with rights(workspace, SCHEDULE, clock=clock) as control:
        departure = leave(control, "mara-lindt", by="priya-nair", reason="new job")
        after = load_registry(workspace.registry_file)
        assert departure.new_owners == {"refund-agent": "priya-nair", "triage-agent": None}
        assert departure.stopped_schedules == ("nightly",)
        assert departure.teams_without_manager == ("support",)
        assert (after.agents["refund-agent"].owner, after.agents["refund-agent"].deputy) == (
            "priya-nair",
            None,
        )
        assert people_changes.orphans(after) == ["triage-agent"]
        assert after.schedules["nightly"].paused
        assert after.former_people["mara-lindt"].left == dt.date(2026, 11, 4)
        assert control.plan(after).is_empty
        with pytest.raises(RunRefused) as refused:
            control.request_run("triage-agent", "Sort", "jon-vass")
        assert refused.value.rule == "no-owner"
        with pytest.raises(NotFound, match="no person 'mara-lindt'"):
            control.request_run("refund-agent", "Refund order W-2208, 60 USD", "mara-lindt")
        with pytest.raises(NotFound):
            control.decide_status("triage-agent", "retired", "mara-lindt", "mine, after all")
    removed = told(workspace, "person_removed")
    assert [(one["person_id"], one["actor_id"], one["reason"]) for one in removed] == [
        ("mara-lindt", "priya-nair", "new job")
    ]
    owners = told(workspace, "owner_changed")
    assert [(one["agent_id"], one.get("owner_id"), one["reason"]) for one in owners] == [
        ("refund-agent", "priya-nair", "new job"),
        ("triage-agent", None, "new job"),
    ]
    stopped = told(workspace, "schedule_declared")[-1]
    assert (stopped["rule_id"], stopped["is_paused"], stopped["reason"]) == ("nightly", True, "new job")


def test_a_run_that_waits_does_not_go_on_for_somebody_who_left(workspace: Workspace) -> None:
    with rights(workspace) as control:
        waiting = play(control, "refund-agent", "Refund order W-2211, 240 USD")
        departure = leave(control, "jon-vass", by="priya-nair")
        request = waiting.requests[0]
        assert departure.open_requests == (request.approval_id,)
        with pytest.raises((NotFound, DecisionRefused)):
            control.decide(request.approval_id, "jon-vass", "approved")
        control.decide(request.approval_id, "mara-lindt", "approved")
        outcome = resume(control, waiting.run_id)
        assert (outcome.end_state, outcome.reason) == (
            "cancelled",
            "'jon-vass' is not among the people of the registry",
        )
        assert not events(workspace, waiting.run_id, "approval_consumed")
        ended = events(workspace, waiting.run_id, "run_ended")[0]
        assert ended["error_type"] == "unknown-person"


def test_a_run_that_waits_does_not_go_on_without_the_grant(workspace: Workspace) -> None:
    with rights(workspace) as control:
        waiting = play(control, "refund-agent", "Refund order W-2211, 240 USD")
        control.decide(waiting.requests[0].approval_id, "mara-lindt", "approved")
        text = workspace.registry_file.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if "action: run_agent, agent: refund" not in line]
        workspace.registry_file.write_text(
            "\n".join(line for line in lines if "users-run-support" not in line), encoding="utf-8"
        )
        control.apply(load_registry(workspace.registry_file))
        assert resume(control, waiting.run_id).end_state == "cancelled"


def test_somebody_deleted_from_the_file_by_hand_is_treated_as_somebody_who_left(
    workspace: Workspace, fleetbook: Command
) -> None:
    rights(workspace, SCHEDULE).close()
    text = workspace.registry_file.read_text(encoding="utf-8")
    line = "  mara-lindt: {name: Mara Lindt, team: support, role: team_manager}\n"
    workspace.registry_file.write_text(text.replace(line, ""), encoding="utf-8")
    code, out, _ = fleetbook("registry", "check")
    assert code == 0
    assert "People were deleted: `fleetbook registry plan`" in out
    code, out, _ = fleetbook("registry", "plan")
    assert code == 0
    assert "- person mara-lindt\n" in out
    assert "    owner: mara-lindt → priya-nair\n" in out
    assert "mara-lindt" in workspace.registry_file.read_text(encoding="utf-8")  # a plan writes nothing
    assert fleetbook("registry", "apply", "--as", "priya-nair")[0] == 0
    after = load_registry(workspace.registry_file)
    assert people_changes.orphans(after) == ["triage-agent"]
    assert after.schedules["nightly"].paused
    assert fleetbook("registry", "plan")[1] == "Nothing to change: what the file says is applied.\n"
    assert "triage-agent" in fleetbook("agents", "--orphans")[1]
    assert len(told(workspace, "owner_changed")) == 2
    assert fleetbook("agents", "owner", "triage-agent", "otto-klein", "--as", "priya-nair")[0] == 0
    assert "No orphans" in fleetbook("agents", "--orphans")[1]


def test_a_name_that_was_never_declared_is_still_a_mistake(workspace: Workspace, fleetbook: Command) -> None:
    rights(workspace).close()
    text = workspace.registry_file.read_text(encoding="utf-8")
    workspace.registry_file.write_text(
        text.replace("deputy: priya-nair", "deputy: prya-nair"), encoding="utf-8"
    )
    code, _, error = fleetbook("registry", "plan")
    assert code == 1
    assert "nearest: 'priya-nair'" in error


def test_a_role_with_a_say_over_others_is_given_and_taken_only_by_who_has_it(workspace: Workspace) -> None:
    with rights(workspace) as control:
        add_person(control, "ada-lund", "Ada Lund", "support", "agent_user", by="mara-lindt")
        change_role(control, "ada-lund", "analyst", by="mara-lindt")
        cases = (
            ("own-role", lambda: change_role(control, "mara-lindt", "analyst", by="mara-lindt")),
            ("role-above-own", lambda: change_role(control, "jon-vass", "platform_lead", by="mara-lindt")),
            ("scope:team", lambda: change_role(control, "eva-sol", "analyst", by="mara-lindt")),
            ("scope:team", lambda: leave(control, "priya-nair", by="mara-lindt")),
            ("role:agent_user", lambda: leave(control, "mara-lindt", by="jon-vass")),
            (
                "scope:team",
                lambda: change_role(control, "jon-vass", "agent_user", team_id="sales", by="mara-lindt"),
            ),
        )
        for rule, attempt in cases:
            with pytest.raises(AccessRefused) as refused:
                attempt()
            assert refused.value.rule == rule
        change_role(control, "jon-vass", "team_manager", by="priya-nair")
        assert control.registry().people["jon-vass"].role == "team_manager"
        with pytest.raises(AlreadyDeclared, match="fleetbook people role jon-vass"):
            add_person(control, "jon-vass", "Jon", "support", "analyst", by="priya-nair")
        with pytest.raises(NotFound, match="nearest one is 'analyst'"):
            change_role(control, "jon-vass", "analist", by="priya-nair")
    assert len(told(workspace, "action_refused")) == len(cases)


def test_people_on_the_command_line(workspace: Workspace, fleetbook: Command) -> None:
    rights(workspace).close()
    words = ("--name", "Ada Lund", "--team", "sales", "--role", "agent_user", "--as", "priya-nair")
    assert fleetbook("people", "add", "ada-lund", *words) == (0, "+ person ada-lund\n", "")
    assert fleetbook("people", "role", "ada-lund", "analyst", "--as", "priya-nair")[0] == 0
    code, out, _ = fleetbook("people", "leave", "eva-sol", "--as", "priya-nair")
    assert code == 0
    assert "eva-sol may nothing from now on.\n" in out
    listed = fleetbook("people", "list")[1]
    assert "ada-lund    Ada Lund · sales · analyst (reach all)\n" in listed
    assert "eva-sol     Eva Sol · left " in listed
    code, _, error = fleetbook("people", "leave", "eva-sol", "--as", "priya-nair")
    assert code == 2
    assert "there is no person 'eva-sol'" in error
    words = ("--name", "Eva Sol", "--team", "sales", "--role", "agent_user", "--as", "priya-nair")
    assert fleetbook("people", "add", "eva-sol", *words)[0] == 0  # somebody comes back
    assert "left" not in fleetbook("people", "list")[1]
