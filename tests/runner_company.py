"""A small company for the runner's tests: one registry, parts of which a test may replace."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import main
from ingest.contract import Value
from ingest.reader import run_events
from ingest.workspace import Workspace
from runner.agent.loop import Outcome
from runner.agent.session import Pacing
from runner.control.plane import Control
from runner.control.registry import Registry
from runner.control.registry_file import parse_registry
from runner.control.store import Clock
from runner.worker import run_until_parked

Command = Callable[..., tuple[int, str, str]]

# No waiting between attempts, and a short patience with wallets: tests have no time.
HASTY = Pacing(backoff_s=(0.0,), longest_retry_after_s=0.0, wallet_wait_s=0.05, wallet_poll_s=0.01)

REGISTRY = """\
company: {name: Northwind Trading, time_zone: Europe/Berlin}
roles:
  platform_lead:
    scope: all
    may: [run_agent, decide_approval, view_metrics, read_payload, export_data, apply_registry]
  team_manager: {scope: team, may: [run_agent, decide_approval, view_metrics, read_payload, export_data]}
  agent_user: {scope: own, may: [run_agent, view_metrics]}
  analyst: {scope: all, may: [view_metrics, export_data]}
teams:
  support: {name: Support, manager: mara-lindt, cost_center: "4100"}
  sales: {name: Sales, manager: otto-klein}
  platform: {name: Platform, manager: priya-nair}
people:
  priya-nair: {name: Priya Nair, team: platform, role: platform_lead}
  mara-lindt: {name: Mara Lindt, team: support, role: team_manager}
  otto-klein: {name: Otto Klein, team: sales, role: team_manager}
  jon-vass: {name: Jon Vass, team: support, role: agent_user}
  eva-sol: {name: Eva Sol, team: sales, role: agent_user}
  li-chen: {name: Li Chen, team: platform, role: analyst}
tools:
  lookup_order: {function: "runner.agent.simulated_tools:lookup_order", effect: read}
  refund_payment: {function: "runner.agent.simulated_tools:refund_payment", effect: consequential}
  search_tickets: {function: "runner.agent.simulated_tools:search_tickets", effect: read}
  classify_ticket: {function: "runner.agent.simulated_tools:classify_ticket", effect: write}
agents:
  refund-agent:
    name: Refund agent
    team: support
    owner: mara-lindt
    deputy: priya-nair
    author: priya-nair
    purpose: Pays back after a person agreed.
    risk: {class: high, reasons: [moves_money], assessor: li-chen}
    model: sim:refund
    instructions: You refund customers.
    max_output_tokens: 400
    tools:
      - tool: lookup_order
      - tool: refund_payment
        approval:
          id: refund-over-100
          when: {argument: amount_usd, over: 100}
          approver_role: team_manager
          expires_minutes: 60
          money_argument: amount_usd
    status: live
  triage-agent:
    name: Triage agent
    team: support
    owner: mara-lindt
    purpose: Sorts tickets.
    risk: {class: limited}
    model: sim:triage
    instructions: You sort tickets.
    max_output_tokens: 400
    tools: [{tool: search_tickets}, {tool: classify_ticket}]
    status: live
grants:
  - {id: leads-run-all, role: platform_lead, action: run_agent}
  - {id: managers-run-their-team, role: team_manager, action: run_agent}
  - {id: users-run-refund, role: agent_user, action: run_agent, agent: refund-agent}
  - {id: users-run-support, role: agent_user, action: run_agent, team: support}
budgets:
  - {wallet: "team:support", window: month, cap_usd: "50.00"}
  - {wallet: "agent:refund-agent", window: month, cap_usd: "20.00"}
prices:
  - {model: "sim:*", input_usd_per_mtok: "2.00", output_usd_per_mtok: "8.00", version: test-1}
# Most tests are not about versions: theirs are in force at once (test_registry_versions.py has the others).
oversight: {second_person_approves_versions: []}
"""


def registry_text(*changes: tuple[str, str]) -> str:
    """REGISTRY with each (old, new) replaced; the old text must be there."""
    text = REGISTRY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def registry(*changes: tuple[str, str]) -> Registry:
    """The registry of :func:`registry_text`."""
    return parse_registry(registry_text(*changes), Path("registry.yaml"))


def company(workspace: Workspace, *changes: tuple[str, str], clock: Clock | None = None) -> Control:
    """A control plane on ``workspace`` with the changed registry applied."""
    control = Control(workspace, clock=clock) if clock else Control(workspace)
    workspace.registry_file.write_text(registry_text(*changes), encoding="utf-8")
    control.apply(registry(*changes))
    return control


def play(control: Control, agent_id: str, task: str, person_id: str = "jon-vass") -> Outcome:
    """Request a run and play it here until it ends or waits."""
    return resume(control, control.request_run(agent_id, task, person_id))


def resume(control: Control, run_id: str) -> Outcome:
    """Play a run here until it ends or waits."""
    outcome = run_until_parked(control, run_id, pacing=HASTY)
    assert outcome is not None
    return outcome


def events(workspace: Workspace, run_id: str, event_type: str | None = None) -> list[dict[str, Value]]:
    """Events of a run as the log holds them, all or those of one type."""
    found = run_events(workspace, run_id)
    return [event for event in found if event_type in (None, event["event_type"])]


def told(workspace: Workspace, run_id: str) -> list[str]:
    """Event types of a run, in order."""
    return [str(event["event_type"]) for event in run_events(workspace, run_id)]


@pytest.fixture
def fleetbook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line as a person uses it: exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fleetbook", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, error = capsys.readouterr()
        return int(end.value.code or 0), out, error

    return run
