"""A small log, written by hand through the log writer, whose every number a reader can add up.

Company time zone Europe/Berlin: in November an hour before UTC. The real population is the fleet below, the
demo population is one run of the same team, which must never show in a real number.

run        team     agent    what happens                                       cost (USD)         outcome
clean      support  refunds  2 turns, 2 tool calls                              0.10 + 0.05        clean
approved   support  refunds  approval asked 10:10, shown 10:40, approved 11:10  0.20               clean
rejected   support  refunds  approval rejected 1 s after shown, still completed 0.30               intervened
failed     support  refunds  second turn without price; one failed tool call    0.05 + unknown     failed
cancelled  support  refunds  cancelled before the first model call              0 (no calls)       cancelled
lost       support  refunds  started on 3 November, never heard of again        0 (no calls)       failed
refused    support  refunds  no grant: stopped before it started                -                  -
waiting    support  refunds  paused for an approval nobody decided              0.02               -
quote      sales    quotes   completed 31 October 23:30 UTC = 1 November there  1.00               clean
helper     support  refunds  delegated by quote: sales pays                     0.40               clean
imported   (none)   outside  tau2, delivered twice: reward 0, stated cost 0.0  unknown            failed
"""

from __future__ import annotations

import datetime as dt
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from app.build import Generation, build
from app.warehouse import Scope, Warehouse
from ingest.contract import Value, derived_event_id, new_event_id
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace

REGISTRY = "company: {name: Test, time_zone: Europe/Berlin}\nroles: {}\nteams: {}\npeople: {}\n"
NOW = dt.datetime(2026, 11, 10, 12, tzinfo=dt.UTC)
CENT = 10_000_000

LEAD = Scope(person_id="ada", role_id="platform_lead", team_ids=None, own_only=False)
SUPPORT = Scope(person_id="mara", role_id="team_manager", team_ids=("support",), own_only=False)
SALES = Scope(person_id="marco", role_id="team_manager", team_ids=("sales",), own_only=False)
JON = Scope(person_id="jon", role_id="agent_user", team_ids=("support",), own_only=True)
NOBODY = Scope(person_id="nobody", role_id="team_manager", team_ids=(), own_only=False)


def at(text: str) -> dt.datetime:
    """UTC time of 2026 from ``MM-DD HH:MM:SS``."""
    return dt.datetime.fromisoformat(f"2026-{text}").replace(tzinfo=dt.UTC)


class Scribe:
    """Writes events of one population; ``about`` are the columns all events of a run share."""

    def __init__(self, writer: LogWriter):
        self._writer = writer

    def tell(self, event_type: str, when: str, **columns: Value) -> None:
        """Append one event."""
        moment = at(when)
        event_id = columns.pop("event_id", None) or new_event_id(moment)
        known = {name: value for name, value in columns.items() if value is not None}
        self._writer.append(
            [{"event_id": event_id, "event_type": event_type, "occurred_at": moment, **known}]
        )

    def run(self, run_id: str, team: str, agent: str, person: str, asked: str, **columns: Value) -> Run:
        """Ask for a run."""
        about: dict[str, Value] = {"run_id": run_id, "team_id": team, "agent_id": agent, "actor_id": person}
        about.update(columns)
        self.tell("run_requested", asked, trigger_kind="person", **about)
        return Run(self, about)


class Run(NamedTuple):
    """One run that is being told."""

    scribe: Scribe
    about: dict[str, Value]

    def tell(self, event_type: str, when: str, **columns: Value) -> None:
        """One more event of the run."""
        self.scribe.tell(event_type, when, **self.about, **columns)

    def turn(self, index: int, asked: str, ended: str, cents: int | None, tokens: int = 1000) -> None:
        """One model turn: list cost in cents, None for a model without price; 1.5 s of machine time."""
        model: dict[str, Value] = {
            "turn_index": index,
            "attempt": 1,
            "provider_name": "openai",
            "requested_model": "gpt-4.1",
        }
        self.tell("turn_requested", asked, hold_nano_usd=50 * CENT, **model)
        self.tell(
            "turn_finished",
            ended,
            input_tokens=tokens,
            output_tokens=100,
            list_cost_nano_usd=None if cents is None else cents * CENT,
            duration_ns=1_500_000_000,
            **model,
        )

    def call(self, index: int, asked: str, ended: str, outcome: str, error_class: str | None = None) -> None:
        """One tool call of the agent with half a second of machine time."""
        tool: dict[str, Value] = {"call_index": index, "tool_name": "lookup_order", "called_by": "agent"}
        self.tell("tool_call_requested", asked, tool_effect="read", **tool)
        self.tell(
            "tool_call_finished",
            ended,
            tool_outcome=outcome,
            tool_error_class=error_class,
            duration_ns=500_000_000,
            **tool,
        )

    def ask(self, approval_id: str, when: str) -> None:
        """Ask a person about a refund of 240 USD and wait."""
        self.tell(
            "approval_requested",
            when,
            approval_id=approval_id,
            call_index=0,
            tool_name="refund_payment",
            arguments_digest="d1",
            approval_rule="refund-over-100",
            approver_role="team_manager",
            expires_at=at(when) + dt.timedelta(days=1),
            money_at_stake_nano_usd=240_000 * 1_000_000,
        )
        self.tell("run_paused", when, pause_reason="approval")

    def decide(self, approval_id: str, shown: str, decided: str, decision: str) -> None:
        """Mara sees the request and decides; the run resumes a minute later."""
        self.tell("approval_shown", shown, approval_id=approval_id, person_id="mara")
        self.tell(
            "approval_decided",
            decided,
            approval_id=approval_id,
            person_id="mara",
            decision=decision,
            approved_digest="d1",
        )

    def end(self, when: str, end_state: str, **columns: Value) -> None:
        """The run reaches a terminal state."""
        self.tell("run_ended", when, end_state=end_state, **columns)


def _support(scribe: Scribe) -> None:
    clean = scribe.run("clean", "support", "refunds", "jon", "11-02 09:00:00")
    clean.tell("run_started", "11-02 09:00:02")
    clean.turn(0, "11-02 09:00:03", "11-02 09:00:05", 10)
    clean.call(0, "11-02 09:00:05", "11-02 09:00:06", "succeeded")
    clean.call(1, "11-02 09:00:06", "11-02 09:00:07", "succeeded")
    clean.turn(1, "11-02 09:00:07", "11-02 09:00:09", 5)
    clean.end("11-02 09:00:10", "completed", declared_event_count=11)

    approved = scribe.run("approved", "support", "refunds", "kim", "11-02 10:00:00")
    approved.tell("run_started", "11-02 10:00:00")
    approved.turn(0, "11-02 10:00:01", "11-02 10:00:03", 20)
    approved.ask("ap-1", "11-02 10:10:00")
    approved.decide("ap-1", "11-02 10:40:00", "11-02 11:10:00", "approved")
    approved.tell("run_resumed", "11-02 11:11:00")
    approved.tell("approval_consumed", "11-02 11:11:01", approval_id="ap-1", arguments_digest="d1")
    approved.end("11-02 11:12:00", "completed")

    rejected = scribe.run("rejected", "support", "refunds", "kim", "11-03 10:00:00")
    rejected.tell("run_started", "11-03 10:00:00")
    rejected.turn(0, "11-03 10:00:01", "11-03 10:00:03", 30)
    rejected.ask("ap-2", "11-03 10:00:04")
    rejected.decide("ap-2", "11-03 10:00:10", "11-03 10:00:11", "rejected")
    rejected.tell("run_resumed", "11-03 10:00:11")
    rejected.end("11-03 10:00:20", "completed")

    failed = scribe.run("failed", "support", "refunds", "jon", "11-03 11:00:00")
    failed.tell("run_started", "11-03 11:00:00")
    failed.turn(0, "11-03 11:00:01", "11-03 11:00:03", 5)
    failed.call(0, "11-03 11:00:03", "11-03 11:00:04", "failed", "timeout")
    failed.turn(1, "11-03 11:00:04", "11-03 11:00:06", None)
    failed.end("11-03 11:00:07", "failed", error_type="timeout", declared_event_count=10)  # one is missing

    cancelled = scribe.run("cancelled", "support", "refunds", "jon", "11-04 09:00:00")
    cancelled.tell("run_started", "11-04 09:00:00")
    cancelled.end("11-04 09:05:00", "cancelled")

    lost = scribe.run("lost", "support", "refunds", "jon", "11-03 08:00:00")
    lost.tell("run_started", "11-03 08:00:30")

    refused = scribe.run("refused", "support", "refunds", "jon", "11-04 10:00:00")
    refused.tell("run_refused", "11-04 10:00:00", refusal_rule="default_deny", reason="no grant")

    waiting = scribe.run("waiting", "support", "refunds", "jon", "11-05 10:00:00")
    waiting.tell("run_started", "11-05 10:00:00")
    waiting.turn(0, "11-05 10:00:01", "11-05 10:00:03", 2)
    waiting.ask("ap-3", "11-05 10:01:00")


def _sales(scribe: Scribe) -> None:
    quote = scribe.run("quote", "sales", "quotes", "marco", "10-31 22:50:00")
    quote.tell("run_started", "10-31 22:50:00")
    quote.turn(0, "10-31 22:59:59", "10-31 23:00:01", 100)  # held at 23:59:59 in Berlin: October pays
    helper = scribe.run("helper", "support", "refunds", "marco", "10-31 23:10:00", parent_run_id="quote")
    helper.tell("run_started", "10-31 23:10:00")
    helper.turn(0, "10-31 23:10:01", "10-31 23:10:03", 40)
    helper.end("10-31 23:10:05", "completed")
    quote.end("10-31 23:30:00", "completed")


def _declare(scribe: Scribe) -> None:
    scribe.tell("team_declared", "10-01 08:00:00", team_id="support", team_name="Support", owner_id="mara")
    scribe.tell("team_declared", "10-01 08:00:00", team_id="sales", team_name="Sales", owner_id="marco")
    for person, team in (("mara", "support"), ("jon", "support"), ("kim", "support"), ("marco", "sales")):
        scribe.tell(
            "person_declared",
            "10-01 08:00:00",
            person_id=person,
            role_id="agent_user",
            scope="own",
            team_id=team,
        )
    for agent, team in (("refunds", "support"), ("quotes", "sales")):
        scribe.tell(
            "agent_version_declared",
            "10-01 08:00:00",
            agent_id=agent,
            team_id=team,
            agent_version=1,
            version_hash=f"hash-{agent}",
            agent_name=agent.title(),
            purpose="Tested by hand.",
            owner_id="mara",
            risk_class="high",
            requested_model="gpt-4.1",
        )
        scribe.tell(
            "tool_rule_set",
            "10-01 08:00:00",
            agent_id=agent,
            team_id=team,
            agent_version=1,
            tool_name="lookup_order",
            tool_effect="read",
        )
    for team, dollars in (("support", 10), ("sales", 2)):
        scribe.tell(
            "budget_set",
            "10-01 08:00:00",
            wallet_id=f"team:{team}:month",
            wallet_kind="team",
            wallet_window="month",
            team_id=team,
            cap_nano_usd=dollars * 100 * CENT,
            is_unlimited=False,
            window_start_at=at("09-30 22:00:00"),
            window_end_at=at("10-31 23:00:00"),
        )
    scribe.tell(
        "budget_set",
        "11-01 08:00:00",
        wallet_id="agent:refunds:month",
        wallet_kind="agent",
        wallet_window="month",
        agent_id="refunds",
        team_id="support",
        cap_nano_usd=130 * CENT,
        is_unlimited=False,
        window_start_at=at("10-31 23:00:00"),
        window_end_at=at("11-30 23:00:00"),
    )
    scribe.tell(
        "agent_version_declared",
        "11-04 08:00:00",
        agent_id="quotes",
        team_id="sales",
        agent_version=2,
        version_hash="hash-quotes-2",
        agent_name="Quotes",
        purpose="Waits for a second person.",
        owner_id="mara",
        risk_class="high",
        is_approval_needed=True,
    )
    scribe.tell(
        "export_created",
        "11-05 12:00:00",
        export_id="ex-1",
        export_format="csv",
        row_count=3,
        content_sha256="ab",
        person_id="jon",
    )


def _outside(scribe: Scribe) -> None:
    about: dict[str, Value] = {"run_id": "imported", "agent_id": "outside"}

    def tell(event_type: str, when: str, **columns: Value) -> None:
        event_id = derived_event_id(at(when), "tau2", event_type)
        scribe.tell(event_type, when, event_id=event_id, **about, **columns)

    for _ in range(2):  # delivered twice, under the same ids
        tell(
            "run_requested",
            "11-01 12:00:00",
            trigger_kind="import",
            source_file="runs.json.gz",
            source_run_id="s-1",
            requested_model="gpt-oss",
            provider_name="openai",
        )
        tell("run_started", "11-01 12:00:00")
        tell(
            "run_ended",
            "11-01 12:01:00",
            end_state="completed",
            machine_ns=60_000_000_000,
            reported_cost_nano_usd=0,
        )
        tell("outcome_recorded", "11-01 12:01:00", outcome_kind="task_reward", is_good=False, score_micro=0)


def write_world(workspace: Workspace) -> None:
    """Write the log of this module's table into ``workspace``."""
    workspace.registry_file.write_text(REGISTRY, encoding="utf-8")

    def writer(recorded_via: str, *, is_demo: bool = False) -> LogWriter:
        return LogWriter(
            workspace, recorded_via=recorded_via, is_demo=is_demo, process_name="test", clock=lambda: NOW
        )

    with writer("runner") as log:
        scribe = Scribe(log)
        _declare(scribe)
        _sales(scribe)
        _support(scribe)
    with writer("import:tau2") as log:
        _outside(Scribe(log))
    with writer("demo", is_demo=True) as log:
        demo = Scribe(log).run("demo", "support", "refunds", "jon", "11-02 09:00:00")
        demo.tell("run_started", "11-02 09:00:00")
        demo.turn(0, "11-02 09:00:01", "11-02 09:00:02", 999)
        demo.end("11-02 09:00:05", "completed")


class World(NamedTuple):
    """The built world; ``folder`` keeps the temporary folder alive."""

    folder: tempfile.TemporaryDirectory[str]
    workspace: Workspace
    generation: Generation
    warehouse: Warehouse


@lru_cache(maxsize=1)
def world() -> World:
    """The world, built once for all test files."""
    folder = tempfile.TemporaryDirectory(prefix="fleetbook-world-")
    workspace = Workspace.create(Path(folder.name) / "workspace")
    write_world(workspace)
    generation = build(workspace, now=NOW)
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    return World(folder, workspace, generation, warehouse)
