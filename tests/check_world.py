"""Two small logs for the monthly check of October 2026, written event by event through the log writer.

``clean`` has something for every check to look at and nothing to find. :mod:`tests.check_seeds` is the same
company with one violation per check; the id of what breaks a check holds ``seed-`` and the check's id.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from ingest.contract import Value, new_event_id
from ingest.log.checkpoint import notarise
from ingest.log.writer import LogWriter
from ingest.payloads import Payload, make_payload
from ingest.workspace import Workspace

REGISTRY = "company: {name: Test, time_zone: UTC}\nroles: {}\nteams: {}\npeople: {}\n"
MONTH = dt.date(2026, 10, 1)
S = 1_000_000_000
CENT = 10_000_000


def at(text: str) -> dt.datetime:
    """UTC time of 2026 from ``MM-DD HH:MM``."""
    return dt.datetime.fromisoformat(f"2026-{text}:00").replace(tzinfo=dt.UTC)


@dataclass
class Story:
    """Events in any order; they are written in the order of their times, each recorded when it happened."""

    events: list[tuple[dt.datetime, dict[str, Value]]] = field(default_factory=list)
    texts: dict[str, Payload] = field(default_factory=dict)

    def tell(self, event_type: str, moment: dt.datetime, **columns: Value) -> None:
        """One event; columns that are None are left out."""
        self.events.append((moment, self.event(event_type, moment, columns)))

    @staticmethod
    def event(event_type: str, moment: dt.datetime, columns: dict[str, Value]) -> dict[str, Value]:
        """One event as the log takes it."""
        known = {name: value for name, value in columns.items() if value is not None}
        return {"event_id": new_event_id(moment), "event_type": event_type, "occurred_at": moment, **known}

    def write(self, workspace: Workspace) -> None:
        """Write everything into ``workspace`` and sign it."""
        clock = [self.first]
        with LogWriter(
            workspace,
            recorded_via="runner",
            process_name="test",
            clock=lambda: clock[0],
            ticks=lambda: clock[0].timestamp(),
        ) as writer:
            for moment, event in sorted(self.events, key=lambda pair: pair[0]):
                clock[0] = max(clock[0], moment)
                text = self.texts.get(str(event.get("payload_id")))
                writer.append([event], [text] if text else [])
        notarise(workspace, clock=lambda: clock[0])

    @property
    def first(self) -> dt.datetime:
        """The earliest moment."""
        return min(moment for moment, _ in self.events)

    def person(self, person_id: str, role: str, scope: str, team: str = "support") -> None:
        """Declare a person."""
        self.tell(
            "person_declared", at("02-01 08:00"), person_id=person_id, role_id=role, scope=scope, team_id=team
        )

    def grant(self, role: str, action: str, rule: str, agent: str | None = None) -> None:
        """Let a role do an action."""
        self.tell(
            "role_granted", at("02-01 08:00"), role_id=role, action=action, rule_id=rule, agent_id=agent,
            grant_effect="allow",
        )  # fmt: skip

    def agent(self, agent_id: str, risk: str = "minimal", **other: Value) -> None:
        """Declare an agent as it should be; ``other`` is what differs."""
        told: dict[str, Value] = {
            "team_id": "support", "agent_version": 1, "version_hash": f"hash-{agent_id}",
            "agent_name": agent_id, "purpose": "Tested.", "risk_class": risk, "owner_id": "mara",
            "author_id": "ann", "risk_review_by": at("12-31 00:00"), "requested_model": "gpt-4.1", **other,
        }  # fmt: skip
        approver = told.pop("approver", "mara")
        rule = told.pop("rule", "ask-first")
        self.tell("agent_version_declared", at("02-02 08:00"), agent_id=agent_id, **told)
        self.tell("status_changed", at("02-02 09:00"), agent_id=agent_id, status="live")
        same = {"agent_id": agent_id, "agent_version": 1, "team_id": told["team_id"]}
        if risk == "high":
            proof = {**same, "version_hash": told["version_hash"], "reason": "Fine."}
            self.tell("version_approved", at("02-02 10:00"), person_id=approver, **proof)
            self.tell("version_evaluated", at("02-02 07:30"), person_id="mara", is_good=True, **proof)
            self.tell(
                "tool_rule_set", at("02-02 08:00"), tool_name="pay", tool_effect="consequential",
                approval_rule=rule, approver_role="team_manager", **same,
            )  # fmt: skip
            self.tell(
                "stop_drill", at("10-20 08:00"), stop_id=f"stop-{agent_id}", run_id=f"drill-{agent_id}",
                agent_id=agent_id, halt_ns=2 * S, person_id="mara",
            )  # fmt: skip

    def run(self, run_id: str, agent: str, day: str, person: str = "jon", **other: Value) -> Run:
        """A run that is asked for and started; ``other`` is what differs."""
        about: dict[str, Value] = {
            "run_id": run_id, "agent_id": agent, "agent_version": 1, "team_id": "support", "actor_id": person,
        }  # fmt: skip
        told: dict[str, Value] = {"version_hash": f"hash-{agent}", "has_text": True, **other}
        about |= {name: told.pop(name) for name in list(told) if name in about}
        run = Run(self, about, at(day))
        has_text = told.pop("has_text")
        if has_text:
            made = make_payload(f"The task of {run_id}.", kind="task", occurred_at=run.now, run_id=run_id)
            self.texts[made.payload.payload_id] = made.payload
            told |= made.columns
        run.tell("run_requested", trigger_kind="person", role_id="agent_user", **told)
        run.tell("run_started", version_hash=told["version_hash"])
        return run


@dataclass
class Run:
    """One run that is being told, a second further with every event."""

    story: Story
    about: dict[str, Value]
    now: dt.datetime
    count: int = 0
    calls: int = 0

    def tell(self, event_type: str, after_s: int = 1, **columns: Value) -> None:
        """One more event of the run."""
        self.story.tell(event_type, self.now, **self.about, **columns)
        self.now += dt.timedelta(seconds=after_s)
        self.count += 1

    def turn(self, cents: int) -> None:
        """One model turn."""
        model: dict[str, Value] = {
            "turn_index": 0, "attempt": 1, "provider_name": "openai", "requested_model": "gpt-4.1",
        }  # fmt: skip
        self.tell("turn_requested", **model)
        self.tell("turn_finished", list_cost_nano_usd=cents * CENT, input_tokens=10, output_tokens=1, **model)

    def ask(
        self,
        deciders: tuple[str, ...] = ("mara",),
        decision: str = "approved",
        seconds: int = 20,
        valid_s: int = 86_400,
    ) -> str:
        """Ask for one call and have it decided; returns the approval id."""
        approval = f"ap-{self.about['run_id']}-{self.calls}"
        same: dict[str, Value] = {"call_index": self.calls, "tool_name": "pay", "arguments_digest": "d1"}
        self.tell("tool_call_requested", called_by="agent", tool_effect="consequential", **same)
        self.tell(
            "approval_requested", approval_id=approval, approval_rule="ask-first",
            approver_role="team_manager", expires_at=self.now + dt.timedelta(seconds=valid_s), **same,
        )  # fmt: skip
        for person in deciders:
            self.tell("approval_shown", after_s=seconds, approval_id=approval, person_id=person)
            self.tell(
                "approval_decided",
                approval_id=approval,
                person_id=person,
                decision=decision,
                approved_digest="d1",
                is_confirmation_needed=None if person == deciders[-1] else True,
            )
        return approval

    def finish(
        self, outcome: str, approval: str | None = None, digest: str | None = "d1", uses: int = 1
    ) -> None:
        """The call that was asked for is executed, or not."""
        for _ in range(uses if approval and outcome == "succeeded" else 0):
            self.tell("approval_consumed", approval_id=approval, arguments_digest="d1", call_index=self.calls)
        self.tell(
            "tool_call_finished", call_index=self.calls, tool_name="pay", called_by="agent",
            tool_outcome=outcome, approval_id=approval, arguments_digest=digest,
        )  # fmt: skip
        self.calls += 1

    def end(self, more: int = 0, **columns: Value) -> None:
        """The run ends and says how many events it has."""
        self.tell("run_ended", end_state="completed", declared_event_count=self.count + 1 + more, **columns)


def company() -> Story:
    """People, rights, agents and a month in which everything was as it should be."""
    story = Story()
    story.tell("team_declared", at("02-01 07:00"), team_id="support", team_name="Support", owner_id="mara")
    for person in ("jon", "ann"):
        story.person(person, "agent_user", "own")
    for person in ("mara", "olga"):
        story.person(person, "team_manager", "team")
        story.tell(
            "training_recorded",
            at("02-01 09:00"),
            person_id=person,
            expires_at=at("12-31 00:00"),
            actor_id="helena",
        )
    story.person("helena", "compliance_officer", "all")
    story.grant("agent_user", "run_agent", "users-run")
    story.grant("team_manager", "run_agent", "managers-run")
    story.grant("team_manager", "decide_approval", "role:team_manager")
    story.tell(
        "budget_set", at("02-01 08:00"), wallet_id="team:support:month", wallet_kind="team",
        wallet_window="month", team_id="support", cap_nano_usd=10_000 * CENT, is_unlimited=False,
    )  # fmt: skip
    story.agent("scanner", "high", risk_reasons="annex_iii_1a;affects_people")
    story.agent("payer", "high", risk_reasons="moves_money")
    story.agent("notes")
    old = story.run("old", "notes", "03-05 08:00")
    old.end()
    story.tell(
        "review_decided", at("10-06 08:00"), agent_id="notes", review_period="2026Q3", review_decision="keep",
        person_id="mara", reason="Good.",
    )  # fmt: skip
    for day in range(1, 21):  # twenty decisions of mara, one of them a rejection
        run = story.run(f"paid-{day}", "payer", f"10-{day:02} 09:00")
        run.turn(1)
        is_last = day == 20
        approval = run.ask(decision="rejected" if is_last else "approved")
        run.finish("refused" if is_last else "succeeded", approval)
        run.end(halt_ns=2 * S if day == 5 else None)
    scan = story.run("scan", "scanner", "10-07 10:00")
    scan.finish("succeeded", scan.ask(deciders=("mara", "olga")))
    scan.end()
    _assured(story)
    return story


def _assured(story: Story) -> None:
    story.tell("seeded_case_recorded", at("10-08 08:00"), person_id="mara", is_good=True)
    incident: dict[str, Value] = {"incident_id": "inc-1", "agent_id": "notes", "person_id": "mara"}
    story.tell(
        "incident_opened", at("10-10 02:00"), incident_class="serious", identified_at=at("10-10 01:00"),
        reason="It said too much.", **incident,
    )  # fmt: skip
    for hour, whom in (("03", "provider"), ("04", "authority")):
        story.tell("incident_reported", at(f"10-10 {hour}:00"), reported_to=whom, **incident)
    story.tell("incident_closed", at("10-10 05:00"), reason="Fixed.", **incident)
    story.tell(
        "erasure_requested",
        at("10-02 08:00"),
        request_id="er-1",
        received_at=at("10-01 08:00"),
        person_id="helena",
    )
    story.tell(
        "erasure_answered", at("10-09 08:00"), request_id="er-1", person_id="helena", reason="Texts are gone."
    )
    export(story, "elsewhere", "10-01", 0)
    export(story, "openai", "10-02", 1)
    for writer in ("w-dead",):
        story.tell(
            "log_recovered", at("10-03 08:00"), recovered_writer_id=writer, reason="It died.", torn_bytes=3,
            declared_count=0, recorded_via="log",
        )  # fmt: skip
        story.tell(
            "recovery_explained", at("10-03 09:00"), recovered_writer_id=writer, person_id="helena",
            reason="Power was lost.",
        )  # fmt: skip
    story.tell(
        "export_created", at("10-11 08:00"), export_id="ex-1", export_format="csv", row_count=3,
        content_sha256="ab", person_id="helena", scope="all",
    )  # fmt: skip


def export(story: Story, provider: str, day: str, cents: int) -> None:
    """A provider's cost export of one whole day, imported two days later."""
    start, imported = at(f"{day} 00:00"), at(f"{day} 00:00") + dt.timedelta(days=2)
    about: dict[str, Value] = {
        "report_id": f"report-{provider}", "report_kind": "cost", "provider_name": provider,
        "provider_account": "default", "usage_start_at": start, "usage_end_at": start + dt.timedelta(days=1),
    }  # fmt: skip
    story.tell(
        "provider_usage_reported", imported, served_model="m", billed_cost_nano_usd=cents * CENT, **about
    )
    story.tell("provider_report_imported", imported, row_count=1, **about)


def clean(root: Path) -> Workspace:
    """The company in which nothing is to be found."""
    story = company()
    sign(story, "2026-09", at("10-02 08:00"))
    story.tell(
        "restore_drilled", at("10-25 08:00"), person_id="helena", is_good=True, reason="Roots are equal."
    )
    return written(root, story)


def sign(story: Story, month: str, moment: dt.datetime) -> None:
    """The report of ``month`` is signed."""
    story.tell(
        "report_signed", moment, check_month=month, content_sha256="ab", person_id="helena", reason="Signed.",
        is_second_signature=False,
    )  # fmt: skip


def written(root: Path, story: Story) -> Workspace:
    """A workspace that holds ``story``."""
    workspace = Workspace.create(root)
    workspace.registry_file.write_text(REGISTRY, encoding="utf-8")
    story.write(workspace)
    return workspace
