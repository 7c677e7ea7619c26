"""Decisions of a review: who may, what a retirement does, and that nothing is forgotten."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.review.cards import card
from app.review.deciding import decide as decide_with
from app.review.figures import Figures
from app.review.quarters import Quarter
from app.review.rules import parse, shipped_text
from ingest.workspace import Workspace
from runner.control import (
    approvals,
    delegation,
    promotions,
    requests,
    retiring,
    reviews,
    runs,
    schedules,
)
from runner.control.assurance_tables import review_decisions
from runner.control.journal import Call
from runner.control.plane import Control
from runner.control.registry import MadeFrom
from runner.control.registry_file import load_registry
from runner.control.reviews import Wish
from runner.control.tables import agents, notices
from runner.control.upkeep import upkeep
from runner.errors import AccessRefused, MoveRefused, NotFound, ReviewRefused, RunRefused
from tests.log_told import told_of
from tests.review_world import Clock
from tests.runner_company import Command, company, fleetbook, play
from tests.test_review_rules import agent, used

__all__ = ["fleetbook"]

SNAPSHOT = {"quarter": "2026Q3", "runs": 0}


@pytest.fixture
def control(workspace: Workspace) -> Iterator[Control]:
    with company(workspace) as opened:
        yield opened


def wish(
    agent_id: str = "triage-agent", decision: str = "retire", person_id: str = "mara-lindt", **more: object
) -> Wish:
    words = {"review_period": "2026Q3", "reason": "nobody uses it", "snapshot": SNAPSHOT, **more}
    return Wish(agent_id=agent_id, decision=decision, person_id=person_id, **words)  # type: ignore[arg-type]  # words by name


def test_a_retired_agent_is_refused_with_the_review_as_the_reason(control: Control) -> None:
    done = reviews.decide(control, wish())
    assert done.status == "done"
    assert control.agent_states()["triage-agent"].status == "retired"
    with pytest.raises(RunRefused) as refused:
        control.request_run("triage-agent", "Sort.", "jon-vass")
    assert refused.value.rule == "status:retired"
    assert "review 2026Q3: nobody uses it" in str(refused.value)


def test_the_decision_and_its_numbers_are_in_the_log(control: Control, workspace: Workspace) -> None:
    reviews.decide(control, wish(proposal="retire", rule="retire.idle_quarters"))
    (event,) = told_of(workspace, "review_decided")
    expected = {
        "agent_id": "triage-agent",
        "review_period": "2026Q3",
        "review_decision": "retire",
        "review_proposal": "retire",
        "rule_id": "retire.idle_quarters",
        "person_id": "mara-lindt",
        "reason": "nobody uses it",
        "is_confirmation_needed": False,
    }
    assert {name: event[name] for name in expected} == expected
    with control.store.read() as connection:
        (kept,) = reviews.decisions(connection, "2026Q3")
    assert json.loads(kept.snapshot) == SNAPSHOT


def test_what_is_open_ends_and_what_waits_lapses(control: Control, workspace: Workspace) -> None:
    outcome = play(control, "refund-agent", "Refund order W-2211, 240 USD.")
    (request,) = outcome.requests
    before = retiring.impact(control, "refund-agent")
    assert (before.open_runs, before.open_approvals) == ((outcome.run_id,), (request.approval_id,))
    reviews.decide(control, wish("refund-agent", person_id="mara-lindt"))
    reviews.confirm(control, "refund-agent", "2026Q3", "priya-nair")
    with control.store.read() as connection:
        run = runs.find(connection, outcome.run_id)
        asked = approvals.find(connection, request.approval_id)
    assert run is not None
    assert (run.status, run.end_state) == ("ended", "cancelled")
    assert asked is not None
    assert asked.status == "expired"
    after = retiring.impact(control, "refund-agent")
    assert (after.open_runs, after.open_approvals, after.held_nano_usd) == ((), (), 0)


@pytest.mark.parametrize("decision", ["retire", "promote"])
def test_with_a_high_risk_agent_a_second_person_confirms(control: Control, decision: str) -> None:
    waiting = reviews.decide(control, wish("refund-agent", decision))
    assert waiting.status == "waiting"
    assert control.agent_states()["refund-agent"].status == "live"
    with pytest.raises(ReviewRefused, match="a second person has to confirm"):
        reviews.confirm(control, "refund-agent", "2026Q3", "mara-lindt")
    done = reviews.confirm(control, "refund-agent", "2026Q3", "priya-nair")
    assert (done.status, done.confirmed_by) == ("done", "priya-nair")
    assert control.agent_states()["refund-agent"].status == ("retired" if decision == "retire" else "live")
    with pytest.raises(NotFound):
        reviews.confirm(control, "refund-agent", "2026Q3", "priya-nair")


def test_keeping_a_high_risk_agent_needs_nobody_else(control: Control) -> None:
    assert reviews.decide(control, wish("refund-agent", "keep")).status == "done"


def test_a_decision_that_waits_can_be_withdrawn(control: Control) -> None:
    reviews.decide(control, wish("refund-agent"))
    reviews.withdraw(control, "refund-agent", "2026Q3", "mara-lindt", "it is used after all")
    with control.store.read() as connection:
        assert reviews.find(connection, "refund-agent", "2026Q3") is None
    assert reviews.decide(control, wish("refund-agent", "keep")).status == "done"


def test_a_period_is_decided_once_but_may_be_postponed_before(control: Control) -> None:
    reviews.decide(control, wish(decision="postpone"))
    reviews.decide(control, wish(decision="keep"))
    with pytest.raises(ReviewRefused, match="2026Q3 is decided: keep by mara-lindt"):
        reviews.decide(control, wish())
    assert reviews.decide(control, wish(review_period="2026Q4")).status == "done"


@pytest.mark.parametrize(
    ("more", "told_why"),
    [
        ({"decision": "delete"}, "'delete' is no decision of a review"),
        ({"reason": "  "}, "a reason is missing"),
    ],
)
def test_what_is_no_decision_is_refused(control: Control, more: dict[str, str], told_why: str) -> None:
    with pytest.raises(ReviewRefused, match=told_why):
        reviews.decide(control, wish(**more))  # type: ignore[arg-type]  # words by name


@pytest.mark.parametrize(
    ("person_id", "may"),
    [
        ("mara-lindt", True),
        ("priya-nair", True),
        ("otto-klein", False),
        ("jon-vass", False),
        ("li-chen", False),
    ],
)
def test_owner_deputy_and_lead_decide_and_nobody_else(control: Control, person_id: str, may: bool) -> None:
    if may:
        assert reviews.decide(control, wish(decision="keep", person_id=person_id)).decided_by == person_id
        return
    with pytest.raises(AccessRefused):
        reviews.decide(control, wish(decision="keep", person_id=person_id))


def test_a_retired_agent_comes_back_suspended(control: Control) -> None:
    with pytest.raises(ReviewRefused, match="it is live, not retired"):
        retiring.revive(control, "triage-agent", "priya-nair", "needed again")
    reviews.decide(control, wish())
    with pytest.raises(ReviewRefused, match="it is retired"):
        reviews.decide(control, wish(review_period="2026Q4", decision="keep"))
    with pytest.raises(MoveRefused, match="is retired and cannot become live"):
        control.decide_status("triage-agent", "live", "priya-nair", "needed again")
    retiring.revive(control, "triage-agent", "priya-nair", "needed again")
    assert control.agent_states()["triage-agent"].status == "suspended"
    control.decide_status("triage-agent", "live", "priya-nair", "tried and found good")
    assert control.request_run("triage-agent", "Sort.", "jon-vass")


# From → where a decision may lead; everything else is refused.
MOVES = {
    "draft": {"review", "live", "retired"},
    "review": {"draft", "live", "retired"},
    "live": {"watch", "suspended", "retired"},
    "watch": {"live", "suspended", "retired"},
    "suspended": {"live", "watch", "retired"},
    "retired": set(),
}


@pytest.mark.parametrize("status", list(MOVES))
def test_each_move_that_is_not_allowed_is_refused(workspace: Workspace, status: str) -> None:
    text = "tools: [{tool: search_tickets}, {tool: classify_ticket}]\n    status: live"
    for wanted in MOVES:
        home = Workspace.create(workspace.root.parent / f"{status}-{wanted}")
        with company(home, (text, text.replace("live", status))) as control:
            if wanted in MOVES[status]:
                control.decide_status("triage-agent", wanted, "priya-nair", "tried")  # type: ignore[arg-type]  # a status
                assert control.agent_states()["triage-agent"].status == wanted
            else:
                with pytest.raises(MoveRefused):
                    control.decide_status("triage-agent", wanted, "priya-nair", "tried")  # type: ignore[arg-type]  # a status
                assert control.agent_states()["triage-agent"].status == status


def test_impact_and_revival_on_the_command_line(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace).close()
    code, out, _ = fleetbook("review", "impact", "triage-agent")
    assert code == 0
    assert "0 open runs that end" in out
    code, _, error = fleetbook("review", "revive", "triage-agent", "--as", "priya-nair", "--reason", "x")
    assert (code, "it is live, not retired" in error) == (1, True)
    assert fleetbook("review", "decisions")[1] == "Nothing is decided yet.\n"
    code, _, error = fleetbook("review")
    assert (code, "has no build. Run `fleetbook build`." in error) == (2, True)


def test_a_promoted_version_becomes_a_template_with_its_lineage(
    control: Control, workspace: Workspace, fleetbook: Command
) -> None:
    with pytest.raises(ReviewRefused, match="its promotion in 2026Q3 is not decided"):
        promotions.publish(control, "triage-agent", "2026Q3", "priya-nair")
    reviews.decide(control, wish(decision="promote", reason="good and used"))
    with pytest.raises(AccessRefused):
        promotions.publish(control, "triage-agent", "2026Q3", "mara-lindt")
    made = promotions.publish(control, "triage-agent", "2026Q3", "priya-nair")
    assert (made.version, made.made_from) == (1, MadeFrom(agent="triage-agent", version=1))
    declared = load_registry(workspace.registry_file)
    assert declared.templates["triage-agent"] == made
    assert made.defaults.instructions == declared.agents["triage-agent"].instructions
    (event,) = told_of(workspace, "template_declared")
    assert (event["template_id"], event["template_version"]) == ("triage-agent", 1)


def test_adopters_are_followed(workspace: Workspace, fleetbook: Command) -> None:
    template = (
        "agents:\n  refund-agent:",
        "templates:\n  sorting: {version: 2, name: Sorting, defaults: {instructions: You sort tickets.}}\n"
        "agents:\n  refund-agent:",
    )
    use = ("purpose: Sorts tickets.", "purpose: Sorts tickets.\n    template: {id: sorting, version: 1}")
    company(workspace, template, use).close()
    code, out, _ = fleetbook("templates", "adopters", "sorting")
    assert code == 0
    assert "sorting v2: 1 agents." in out
    assert "triage-agent · team support · behind, made from v1" in out
    assert fleetbook("templates", "adopters", "sortin")[0] == 2


def test_a_promotion_passes_its_gates_or_is_refused(control: Control) -> None:
    rules = parse(shipped_text(), "shipped")

    def promote(figures: Figures) -> str:
        made = card(replace(agent(figures), agent_id="triage-agent"), rules)
        return decide_with(
            control,
            "triage-agent",
            made,
            quarter=Quarter(2026, 3),
            rules=rules,
            decision="promote",
            person_id="priya-nair",
            reason="good and used",
        ).status

    with pytest.raises(ReviewRefused, match="used by people of 1 team, 2 are needed"):
        promote(used(100, 95, users=9, user_teams=1))
    assert promote(used(100, 95, users=9, user_teams=2)) == "done"


def test_a_sunset_is_told_and_counts_on_its_day(workspace: Workspace) -> None:
    clock = Clock(dt.datetime(2026, 10, 5, 9, tzinfo=dt.UTC))
    sunset = dt.datetime(2026, 10, 20, tzinfo=dt.UTC)
    grant = (
        "  - {id: users-run-support",
        "  - {id: sales-too, role: agent_user, action: run_agent, agent: triage-agent, reason: pilot}\n"
        "  - {id: users-run-support",
    )
    with company(workspace, grant, clock=clock) as control:
        control.request_run("triage-agent", "Sort.", "jon-vass")
        assert reviews.decide(control, wish(effective_at=sunset)).in_effect_at is None
        told = [one for one in told_of(workspace, "notice_raised") if one["notice_kind"] == "agent-sunset"]
        assert [one["reason"] for one in told] == ["triage-agent will be retired on 2026-10-20"]
        with control.store.read() as connection:
            text = connection.execute(
                sa.select(notices.c.text).where(notices.c.notice_kind == "agent-sunset")
            )
            assert "For Mara Lindt, Jon Vass." in text.scalar_one()
        upkeep(control)
        assert control.request_run("triage-agent", "Sort.", "jon-vass")
        clock.now = sunset
        upkeep(control)
        assert control.agent_states()["triage-agent"].status == "retired"
        with pytest.raises(RunRefused, match="review 2026Q3: nobody uses it"):
            control.request_run("triage-agent", "Sort.", "jon-vass")
        upkeep(control)
        assert len([one for one in told_of(workspace, "status_changed") if one["status"] == "retired"]) == 1


def test_a_sunset_can_be_withdrawn_and_only_a_retirement_has_one(control: Control) -> None:
    sunset = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
    with pytest.raises(ReviewRefused, match="keep has no sunset"):
        reviews.decide(control, wish(decision="keep", effective_at=sunset))
    reviews.decide(control, wish(effective_at=sunset))
    reviews.withdraw(control, "triage-agent", "2026Q3", "mara-lindt", "it is needed after all")
    assert control.agent_states()["triage-agent"].status == "live"
    assert reviews.decide(control, wish(decision="keep")).status == "done"


def test_a_retirement_that_a_crash_left_is_finished_by_the_next_worker(control: Control) -> None:
    reviews.decide(control, wish())
    lost = sa.update(review_decisions).values(in_effect_at=None)
    with control.store.write() as tx:
        tx.sql.execute(lost)
        tx.sql.execute(sa.update(agents).where(agents.c.agent_id == "triage-agent").values(status="live"))
    upkeep(control)
    assert control.agent_states()["triage-agent"].status == "retired"
    with control.store.read() as connection:
        (done,) = reviews.decisions(connection)
    assert done.in_effect_at is not None


def test_the_impact_names_everything_that_hangs_on_the_agent(workspace: Workspace) -> None:
    changes = (
        ("model: sim:refund\n", "model: sim:refund\n    delegates: [triage-agent]\n"),
        (
            "  - {id: users-run-support",
            "  - {id: only-triage, role: analyst, action: run_agent, agent: triage-agent}\n"
            "  - {id: users-run-support",
        ),
        (
            '  - {wallet: "agent:refund-agent"',
            '  - {wallet: "agent:triage-agent", window: month, cap_usd: "5.00"}\n'
            '  - {wallet: "agent:refund-agent"',
        ),
        (
            "# Most tests",
            "schedules:\n  daily: {agent: triage-agent, cron: '0 6 * * *', task: Sort., run_as: mara-lindt}\n"
            "aliases:\n  - {source_agent: zendesk-triage, team: support, agent: triage-agent}\n# Most tests",
        ),
    )
    with company(workspace, *changes) as control:
        run_id = control.request_run("triage-agent", "Sort.", "jon-vass")
        found = retiring.impact(control, "triage-agent")
    assert found.schedules == ("daily",)
    assert found.callers == ("refund-agent",)
    assert found.grants == ("only-triage",)
    assert found.wallets == ("agent:triage-agent:month",)
    assert found.aliases == ("zendesk-triage",)
    assert found.open_runs == (run_id,)
    assert found.users == ("jon-vass",)


def test_every_way_in_refuses_a_retired_agent_with_the_review_as_the_reason(
    workspace: Workspace, fleetbook: Command
) -> None:
    """Command, page, API, schedule by its slot and by hand, and another agent: whatever asks for a run."""
    clock = Clock(dt.datetime.now(dt.UTC) - dt.timedelta(days=2))
    changes = (
        ("model: sim:refund\n", "model: sim:refund\n    delegates: [triage-agent]\n"),
        (
            "# Most tests",
            "schedules:\n  daily: {agent: triage-agent, cron: '0 6 * * *', task: Sort., run_as: mara-lindt}\n"
            "# Most tests",
        ),
    )
    because = "review 2026Q3: nobody uses it"
    with company(workspace, *changes, clock=clock) as control:
        schedules.fire_due(control)
        reviews.decide(control, wish())
        for trigger in ("person", "api"):
            with pytest.raises(RunRefused, match=because):
                requests.request_run(control, "triage-agent", "Sort.", "jon-vass", trigger_kind=trigger)
        with pytest.raises(RunRefused, match=because):
            schedules.run_now(control, "daily", "mara-lindt")
        clock.now += dt.timedelta(days=1)
        (slot,) = schedules.fire_due(control)
        assert slot.status == "refused"
        assert slot.reason is not None
        assert because in slot.reason
        parent = control.request_run("refund-agent", "Refund.", "jon-vass")
        call = Call(
            call_index=0,
            turn_index=0,
            tool_call_id="c",
            tool_name="ask_triage-agent",
            tool_effect="write",
            arguments="{}",
            arguments_digest=None,
        )
        with control.store.write() as tx:
            begun = delegation.begin(control, tx, control.run(parent), call, "triage-agent", "Sort.")
        assert begun.rule == "status:retired"
        assert because in begun.sentence
        with pytest.raises(ReviewRefused, match="it is retired"):
            reviews.decide(control, wish(decision="promote", review_period="2026Q4"))
    code, _, error = fleetbook("run", "triage-agent", "Sort.", "--as", "jon-vass")
    assert (code, because in error) == (1, True)
