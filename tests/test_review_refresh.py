"""A refresh: its task, its trial on a share of the runs, its verdict on the day, and the way back."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from ingest.workspace import Workspace
from runner.control import agent_changes, refreshes, retiring, reviews
from runner.control.plane import Control
from runner.control.refreshes import Outcome, Refresh
from runner.control.registry_extras import Schedule
from runner.control.reviews import Wish
from runner.control.schedule_changes import add_schedule
from runner.control.schedules import run_now
from runner.control.trials import bucket
from runner.errors import AccessRefused, NotFound, ReviewRefused
from tests.log_told import told_of
from tests.runner_company import Command, company, fleetbook, play

__all__ = ["fleetbook"]

START = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)
JUDGE_AT = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
EVIDENCE = {"failures": [{"kind": "run", "name": "failed: Timeout", "count": 7, "of": 40}], "worst_runs": []}
# Changing agents is what a platform lead does.
MORE_RIGHTS = (
    "export_data, apply_registry]",
    "export_data, apply_registry, change_agents, change_people, change_schedules]",
)
BETTER = "You sort tickets, and say why."


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def control(workspace: Workspace, clock: Clock) -> Iterator[Control]:
    with company(workspace, MORE_RIGHTS, clock=clock) as opened:
        yield opened


def decide_refresh(control: Control, agent_id: str = "triage-agent") -> None:
    wish = Wish(
        agent_id=agent_id,
        review_period="2026Q3",
        decision="refresh",
        person_id="mara-lindt",
        reason="it times out",
        evidence=EVIDENCE,
    )
    reviews.decide(control, wish)


def renew(control: Control, agent_id: str = "triage-agent") -> None:
    """Declare and apply a new version."""
    agent_changes.set_fields(control, agent_id, {"instructions": BETTER}, by="priya-nair")


def start(control: Control, share: int, agent_id: str = "triage-agent") -> Refresh:
    return refreshes.start(control, agent_id, "mara-lindt", share_percent=share, judge_at=JUDGE_AT)


def version_of(control: Control, run_id: str) -> int:
    return control.run(run_id).agent_version


def asked(control: Control, workspace: Workspace, count: int) -> Counter[tuple[int, object]]:
    """Versions and arms of ``count`` requested runs."""
    ids = {control.request_run("triage-agent", "Sort.", "jon-vass") for _ in range(count)}
    control.relay.flush()
    told = [event for event in told_of(workspace, "run_requested") if event["run_id"] in ids]
    assert all(event["agent_version"] == version_of(control, str(event["run_id"])) for event in told)
    return Counter((version_of(control, str(event["run_id"])), event.get("trial_arm")) for event in told)


def test_a_decision_to_refresh_opens_a_task_with_its_evidence(control: Control, workspace: Workspace) -> None:
    decide_refresh(control)
    with control.store.read() as connection:
        (task,) = refreshes.listed(connection, only_open=True)
    assert (task.status, task.old_version, task.trial_id) == ("open", 1, "triage-agent/2026Q3")
    assert json.loads(task.evidence) == EVIDENCE
    (event,) = told_of(workspace, "refresh_opened")
    assert (event["agent_id"], event["old_version"], event["reason"]) == ("triage-agent", 1, "it times out")


def test_a_second_refresh_waits_until_the_first_is_closed(control: Control) -> None:
    decide_refresh(control)
    wish = Wish(
        agent_id="triage-agent",
        review_period="2026Q4",
        decision="refresh",
        person_id="mara-lindt",
        reason="again",
    )
    with pytest.raises(ReviewRefused, match="its refresh of 2026Q3 is not closed yet"):
        reviews.decide(control, wish)
    with control.store.read() as connection:
        assert reviews.find(connection, "triage-agent", "2026Q4") is None


def test_a_share_of_conversations_is_kept_for_ever() -> None:
    buckets = [bucket("triage-agent/2026Q3", f"run-{number}") for number in range(4000)]
    assert buckets == [bucket("triage-agent/2026Q3", f"run-{number}") for number in range(4000)]
    # 30 % of 4000 is 1200, with a standard deviation of 29: five of them are allowed.
    assert abs(sum(one < 3000 for one in buckets) - 1200) < 145
    assert buckets != [bucket("triage-agent/2026Q4", f"run-{number}") for number in range(4000)]


def test_each_run_says_on_which_side_of_the_trial_it_was(control: Control, workspace: Workspace) -> None:
    decide_refresh(control)
    start(control, 50)
    assert asked(control, workspace, 3) == {(1, None): 3}  # no new version yet
    renew(control)
    found = asked(control, workspace, 40)
    assert set(found) == {(1, "old"), (2, "new")}
    assert found.total() == 40
    (event,) = told_of(workspace, "trial_started")
    assert (event["share_percent"], event["old_version"], event["judge_at"]) == (50, 1, JUDGE_AT)


def test_a_replacement_gives_every_run_to_the_new_version(control: Control, workspace: Workspace) -> None:
    decide_refresh(control)
    renew(control)
    start(control, 100)
    assert asked(control, workspace, 5) == {(2, "new"): 5}


def test_schedules_obey_the_trial(control: Control, workspace: Workspace) -> None:
    declared = Schedule(agent="triage-agent", cron="0 6 * * *", task="Sort.", run_as="mara-lindt")
    add_schedule(control, "daily", declared, by="priya-nair")
    decide_refresh(control)
    renew(control)
    start(control, 50)
    runs = [run_now(control, "daily", "priya-nair") for _ in range(30)]
    found = {version_of(control, run_id) for run_id in runs}
    assert found == {1, 2}


def test_delegated_runs_are_on_the_side_of_their_conversation(workspace: Workspace, clock: Clock) -> None:
    asks = ("model: sim:refund\n", "model: sim:refund\n    delegates: [triage-agent]\n")
    with company(workspace, MORE_RIGHTS, asks, clock=clock) as control:
        decide_refresh(control)
        renew(control)
        start(control, 50)
        from runner.control.requests import Wish as RunWish
        from runner.control.requests import admit

        for _ in range(12):
            parent = control.request_run("refund-agent", "Refund.", "jon-vass")
            wish = RunWish(
                agent_id="triage-agent",
                task="Sort.",
                person_id="jon-vass",
                trigger_kind="delegate",
                parent_run_id=parent,
            )
            with control.store.write() as tx:
                versions = {admit(control, tx, wish).run.agent_version for _ in range(3)}
            is_new = bucket("triage-agent/2026Q3", parent) < 5000
            assert versions == {2 if is_new else 1}


OUTCOME = Outcome(verdict="improved", measures=[{"measure": "success", "word": "improved"}])


def test_there_is_no_verdict_before_its_day(control: Control, clock: Clock) -> None:
    decide_refresh(control)
    renew(control)
    with pytest.raises(ReviewRefused, match="not on trial"):
        refreshes.close(control, "triage-agent", "mara-lindt", outcome=OUTCOME, keep="new", reason="x")
    start(control, 50)
    with pytest.raises(ReviewRefused, match="the verdict is due on 2026-12-01 00:00 UTC, and not before"):
        refreshes.close(control, "triage-agent", "mara-lindt", outcome=OUTCOME, keep="new", reason="x")
    clock.now = JUDGE_AT
    done = refreshes.close(
        control, "triage-agent", "mara-lindt", outcome=OUTCOME, keep="new", reason="faster"
    )
    assert (done.status, done.verdict, done.kept_arm, done.new_version) == ("closed", "improved", "new", 2)
    assert version_of(control, control.request_run("triage-agent", "Sort.", "jon-vass")) == 2


def test_what_is_judged_and_not_kept_does_not_run_again(control: Control, clock: Clock) -> None:
    decide_refresh(control)
    renew(control)
    start(control, 50)
    clock.now = JUDGE_AT
    worse = Outcome(verdict="worse", measures=[])
    refreshes.close(control, "triage-agent", "mara-lindt", outcome=worse, keep="old", reason="slower")
    assert control.agent_states()["triage-agent"].agent_version == 2
    assert version_of(control, control.request_run("triage-agent", "Sort.", "jon-vass")) == 1
    agent_changes.set_fields(control, "triage-agent", {"instructions": "Third try."}, by="priya-nair")
    assert version_of(control, control.request_run("triage-agent", "Sort.", "jon-vass")) == 3


def test_rolling_back_is_one_step(control: Control, workspace: Workspace, fleetbook: Command) -> None:
    decide_refresh(control)
    renew(control)
    start(control, 50)
    code, out, _ = fleetbook(
        "review", "rollback", "triage-agent", "--as", "priya-nair", "--reason", "it is rude"
    )
    assert code == 0
    assert "closed: no verdict, the old version goes on: it is rude" in out
    assert "instructions: You sort tickets.\n" in workspace.registry_file.read_text()
    run = control.request_run("triage-agent", "Sort.", "jon-vass")
    assert version_of(control, run) == 3
    with control.store.read() as connection:
        assert refreshes.listed(connection, only_open=True) == []


def test_an_owner_rolls_back_though_the_file_is_not_theirs(control: Control) -> None:
    decide_refresh(control)
    renew(control)
    start(control, 50)
    refreshes.roll_back(control, "triage-agent", "mara-lindt", "it is rude")
    assert control.agent_states()["triage-agent"].agent_version == 2
    versions = {
        version_of(control, control.request_run("triage-agent", "Sort.", "jon-vass")) for _ in range(10)
    }
    assert versions == {1}


def test_a_version_that_waits_for_approval_takes_no_part(workspace: Workspace, clock: Clock) -> None:
    watched = ("second_person_approves_versions: []", "second_person_approves_versions: [limited]")
    with company(workspace, MORE_RIGHTS, clock=clock) as control:
        decide_refresh(control)
        workspace.registry_file.write_text(
            workspace.registry_file.read_text().replace(*watched), encoding="utf-8"
        )
        from runner.control.registry_file import load_registry

        control.apply(load_registry(workspace.registry_file))
        renew(control)
        start(control, 100)
        assert version_of(control, control.request_run("triage-agent", "Sort.", "jon-vass")) == 1


@pytest.mark.parametrize(
    ("share", "judge_at", "why"),
    [
        (0, JUDGE_AT, "a share of 0 %"),
        (101, JUDGE_AT, "a share of 101 %"),
        (50, START, "the day of the verdict, 2026-11-02 09:00 UTC, is over"),
    ],
)
def test_a_trial_that_cannot_be_is_refused(
    control: Control, share: int, judge_at: dt.datetime, why: str
) -> None:
    decide_refresh(control)
    with pytest.raises(ReviewRefused, match=why):
        refreshes.start(control, "triage-agent", "mara-lindt", share_percent=share, judge_at=judge_at)


def test_only_who_answers_for_the_agent_tries_judges_and_rolls_back(control: Control) -> None:
    decide_refresh(control)
    with pytest.raises(AccessRefused):
        refreshes.start(control, "triage-agent", "otto-klein", share_percent=50, judge_at=JUDGE_AT)
    with pytest.raises(AccessRefused):
        refreshes.roll_back(control, "triage-agent", "otto-klein", "no")
    with pytest.raises(NotFound):
        refreshes.roll_back(control, "refund-agent", "mara-lindt", "no")
    with pytest.raises(ReviewRefused, match="there is nothing to roll back"):
        refreshes.roll_back(control, "triage-agent", "mara-lindt", "no")


def test_a_retirement_closes_the_refresh(control: Control) -> None:
    decide_refresh(control)
    assert retiring.impact(control, "triage-agent").open_refresh == "2026Q3"
    wish = Wish(
        agent_id="triage-agent",
        review_period="2026Q4",
        decision="retire",
        person_id="mara-lindt",
        reason="gone",
    )
    reviews.decide(control, wish)
    with control.store.read() as connection:
        (task,) = refreshes.listed(connection)
    assert (task.status, task.closed_reason) == ("closed", "review 2026Q4: gone")


def test_the_tasks_are_listed_on_the_command_line(control: Control, fleetbook: Command, clock: Clock) -> None:
    assert "No refresh is open" in fleetbook("review", "refreshes")[1]
    decide_refresh(control)
    out = fleetbook("review", "refreshes")[1]
    assert "refresh triage-agent · 2026Q3 · v1 is to be mended" in out
    assert "7 of 40 runs: failed: Timeout" in out
    code, out, _ = fleetbook(
        "review", "trial", "triage-agent", "--share", "20", "--until", "2030-01-01", "--as", "mara-lindt"
    )
    assert (code, "gets 20 % of the runs, verdict due 2030-01-01" in out) == (0, True)
    assert play(control, "triage-agent", "Sort.").end_state == "completed"
