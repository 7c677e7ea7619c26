"""Reviews over a warehouse: evidence, verdicts of trials, replays, cases, and the commands that show them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from app.build import build
from app.review.cards import Card, make_cards, snapshot
from app.review.concerns import open_cases
from app.review.deciding import decide as decide_with
from app.review.evidence import Failure, gather_evidence
from app.review.judging import judge, shown
from app.review.quarters import Quarter
from app.review.reading import recent_users, used_after_retirement
from app.review.replay import replay
from app.review.rules import parse, shipped_text
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from runner.control import agent_changes, cases, refreshes, reviews
from runner.control.cases import Failed
from runner.control.plane import Control
from runner.errors import ReviewRefused
from tests import review_world
from tests.review_world import AGENTS, JUDGE_AT, Clock, whole
from tests.runner_company import Command, fleetbook

__all__ = ["fleetbook"]

Q3 = Quarter(2025, 3)
RULES = parse(shipped_text(), "shipped")


@pytest.fixture
def own(tmp_path: Path) -> Workspace:
    return review_world.copy(tmp_path / "own")


def cards(workspace: Workspace, control: Control | None = None) -> dict[str, Card]:
    scoped = whole(workspace)
    found = open_cases(control, scoped, Q3, is_demo=False) if control else None
    made = make_cards(scoped, Q3, RULES, is_demo=False, open_cases=found)
    return {one.subject.agent_id: one for one in made}


def test_the_evidence_names_what_fails_and_the_worst_runs() -> None:
    found = gather_evidence(whole(review_world.world()), "triage-agent", Q3, is_demo=False)
    assert found.failures == (Failure(kind="run", name="failed: Timeout", count=10, of=40),)
    assert [one.outcome for one in found.worst_runs] == ["failed"] * 5
    assert {one.cost_usd for one in found.worst_runs} == {"0.010000000"}


@pytest.mark.parametrize(
    ("agent_id", "word", "keep"), [(AGENTS[0], "improved", "new"), (AGENTS[1], "worse", "old")]
)
def test_the_verdict_flips_when_the_arms_are_swapped(
    own: Workspace, agent_id: str, word: str, keep: str
) -> None:
    clock = Clock(JUDGE_AT - dt.timedelta(days=1))
    with Control(own, clock=clock) as control:

        def close() -> refreshes.Refresh:
            return judge(
                control,
                whole(own),
                agent_id,
                rules=RULES,
                is_demo=False,
                person_id="priya-nair",
                keep=keep,  # type: ignore[arg-type]  # one of the two words
                reason="measured",
            )

        with pytest.raises(ReviewRefused, match="and not before"):
            close()
        clock.now = JUDGE_AT
        done = close()
        (success,) = [one for one in shown(done) if one.measure == "success"]
        assert (done.verdict, success.word) == (word, word)
        assert (success.old_count, success.new_count) == (30, 30)  # the quarter's runs are no part of it
        assert sorted((success.old or 0, success.new or 0)) == [0.6, 1.0]
        expected = 2 if keep == "new" else 3  # the old one, declared again as a version of its own
        assert control.run(control.request_run(agent_id, "Go.", "jon-vass")).agent_version == expected


def test_the_command_judges_and_ends_with_1_when_it_got_worse(
    own: Workspace, fleetbook: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETBOOK_HOME", str(own.root))
    ask = ("--as", "mara-lindt", "--reason", "measured")
    code, out, _ = fleetbook("review", "judge", "refund-agent", "--keep", "old", *ask)
    assert code == 1
    assert "success: worse · 100.0% (n 30) → 60.0% (n 30)" in out
    assert "closed: worse, the old version goes on: measured" in out
    code, out, _ = fleetbook("review", "judge", "triage-agent", "--keep", "new", *ask)
    assert (code, "success: improved" in out) == (0, True)
    assert "No refresh is open" in fleetbook("review", "refreshes")[1]
    code, out, _ = fleetbook("review", "portfolio", "--quarter", "2025Q3")
    assert (code, "support: 2 agents, 2 used" in out) == (0, True)
    code, out, _ = fleetbook("review", "idle")  # the newest event is of today, the newest run of 2025
    assert (code, "triage-agent · since 2025-10-03 · nobody expects its use" in out) == (1, True)


def test_a_decided_review_replays_to_the_same_numbers_after_later_events(own: Workspace) -> None:
    with Control(own) as control:
        before = cards(own, control)["triage-agent"]
        decide_with(
            control,
            "triage-agent",
            before,
            quarter=Quarter(2025, 4),
            rules=RULES,
            decision="keep",
            person_id="mara-lindt",
            reason="good enough",
        )
        kept = snapshot(before, RULES)
        agent_changes.set_fields(
            control, "triage-agent", {"expected_use": "At all times.", "risk.class": "high"}, by="priya-nair"
        )
    with LogWriter(own, recorded_via="runner", process_name="review tests") as writer:
        # After the quarter, and one late event of the quarter: a run that nobody had told of before.
        review_world.tell_run(writer, "triage-agent", JUDGE_AT, is_good=False)
        review_world.tell_run(writer, "triage-agent", review_world.JULY, is_good=False)
        lately = dt.datetime.now(dt.UTC) - dt.timedelta(days=5)
        review_world.tell_run(writer, "triage-agent", lately, person="eva-sol")
    build(own)
    today = cards(own)["triage-agent"]
    found = replay("triage-agent", kept, today)
    assert found.is_same
    changed = {name: (then, now) for name, then, now in found.changes}
    assert changed["2025Q3 runs"] == (40, 41)
    assert changed["2025Q3 failed"] == (10, 11)
    assert set(changed) <= {
        f"2025Q3 {name}"
        for name in ("runs", "failed", "cost_usd", "exact_cost_usd", "runs_cost_exact", "users")
    }
    # Without the late event the quarter is as it was, whatever came after it.
    assert found.again.reason == before.proposal.reason
    assert recent_users(whole(own), "triage-agent", is_demo=False) == ["eva-sol"]


def test_a_case_counts_for_the_quarters_in_which_it_was_open(own: Workspace) -> None:
    scoped = whole(own)
    findings = scoped.table("fct_check_findings", is_demo=False).drop_nulls("agent_id")
    check_id, agent_id = findings.select("check_id", "agent_id").row(0)
    month = findings["month_start_date"][0]
    quarter = Quarter.of(month)
    clock = Clock(dt.datetime.combine(quarter.last_day, dt.time(), dt.UTC))
    with Control(own, clock=clock) as control:
        failed = Failed(check_id=check_id, severity="high", title="t", detail="d")
        (case,) = cases.follow(control, f"{month:%Y-%m}", [failed])
        counted = open_cases(control, scoped, quarter, is_demo=False)
        assert counted is not None
        assert counted[agent_id] == 1
        assert open_cases(control, scoped, quarter.back(1), is_demo=False) == {}
        assert open_cases(control, scoped, quarter, is_demo=True) is None
        clock.now += dt.timedelta(days=10)
        cases.close(control, case.case_id, "priya-nair", "seen to", evidence="ticket 7")
        after = open_cases(control, scoped, quarter, is_demo=False)
        assert after is not None
        assert after[agent_id] == 1
        assert open_cases(control, scoped, quarter.back(-1), is_demo=False) == {}


def test_a_status_of_today_does_not_take_an_agent_out_of_a_past_review(own: Workspace) -> None:
    with Control(own) as control:
        control.decide_status("refund-agent", "retired", "priya-nair", "by hand")
    now_at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    with LogWriter(own, recorded_via="otlp", process_name="review tests") as writer:
        review_world.tell_run(writer, "refund-agent", now_at)
    build(own)
    (still,) = used_after_retirement(whole(own), is_demo=False)
    assert (still.agent_id, still.recorded_via) == ("refund-agent", "otlp")
    assert "refund-agent" in cards(own)
    now = Quarter.of(dt.datetime.now(dt.UTC).date())
    later = {one.subject.agent_id for one in make_cards(whole(own), now, RULES, is_demo=False)}
    assert "refund-agent" not in later
    with Control(own) as control, control.store.read() as connection:
        assert reviews.find(connection, "refund-agent", "2025Q3") is not None
