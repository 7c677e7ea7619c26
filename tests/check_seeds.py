"""The company of :mod:`tests.check_world` with one violation per check, told apart by object ids."""

from __future__ import annotations

from pathlib import Path

from ingest.contract import Value
from ingest.workspace import Workspace
from tests.check_world import CENT, S, Story, at, company, export, sign, written

ALSO = {
    "seed-rec-05": {"REC-05", "GOV-03"},  # what is not in the inventory has no declared version
    "seed-hitl-08": {"HITL-08", "HITL-02"},  # executed after a rejection is executed without a yes
}
"""Violations that more than one check has to find; any other is found by its own check only."""

IDS = (
    *(f"REC-0{number}" for number in range(1, 7)),
    *(f"HITL-{number:02}" for number in range(1, 13)),
    *(f"GOV-0{number}" for number in range(1, 9)),
    "INC-01", "INC-02", "RET-03", "ACC-01", "INT-07",
)  # fmt: skip
"""Checks whose violation is an object with an id of its own."""

WHOLE = ("INT-06", "RET-04", "META-01")
"""Checks whose violation is the writer or the month."""


def seeded(root: Path) -> Workspace:
    """The company with every violation."""
    story = company()
    for seed in (_records, _oversight, _reviewers, _governance, _months):
        seed(story)
    return written(root, story)


def _records(story: Story) -> None:
    story.run("seed-rec-01", "payer", "10-06 11:00")
    story.run("seed-rec-02", "payer", "10-06 12:00").end(more=1)
    bare = story.run("seed-rec-03", "notes", "10-06 13:00")
    bare.tell("tool_call_requested", call_index=0, tool_name="look", called_by="agent", tool_effect="read")
    bare.finish("succeeded", digest=None)
    bare.end()
    story.run("seed-rec-04", "payer", "10-06 14:00", has_text=False).end()
    story.run("seed-rec-05", "shadow", "10-06 15:00").end()
    export(story, "seed-rec-06", "10-03", 5)
    story.tell(
        "log_recovered", at("10-06 16:00"), recovered_writer_id="seed-int-07", reason="It died.",
        torn_bytes=0, declared_count=0, recorded_via="log",
    )  # fmt: skip


def _oversight(story: Story) -> None:
    story.agent("seed-hitl-01", "high", rule=None)
    story.run("plain", "seed-hitl-01", "10-07 08:00").end()

    blind = story.run("seed-hitl-02", "payer", "10-07 09:00")
    blind.tell(
        "tool_call_requested", call_index=0, tool_name="pay", called_by="agent", tool_effect="consequential",
        arguments_digest="d1",
    )  # fmt: skip
    blind.finish("succeeded")
    blind.end()
    own = story.run("seed-hitl-03", "payer", "10-07 10:00", actor_id="mara")
    own.finish("succeeded", own.ask())
    own.end()
    other = story.run("seed-hitl-04", "payer", "10-07 11:00")
    other.finish("succeeded", other.ask(), digest="d2")
    other.end()
    story.person("nils", "team_manager", "team")
    untrained = story.run("seed-hitl-05", "payer", "10-07 12:00")
    untrained.finish("succeeded", untrained.ask(deciders=("nils",)))
    untrained.end()
    half = story.run("seed-hitl-05-of-two", "scanner", "10-07 12:30")  # the first of two had no training
    half.finish("succeeded", half.ask(deciders=("nils", "mara")))
    half.end()
    former = story.run("seed-hitl-05-former", "payer", "10-07 12:45")  # the role was given later
    former.finish("succeeded", former.ask(deciders=("otto",)))
    former.end()
    story.person("otto", "agent_user", "own")
    otto: dict[str, Value] = {"person_id": "otto", "role_id": "team_manager", "scope": "team"}
    story.tell("person_declared", at("10-20 08:00"), team_id="support", **otto)
    story.tell(
        "training_recorded", at("02-01 09:00"), person_id="otto", expires_at=at("12-31 00:00"),
        actor_id="helena",
    )  # fmt: skip
    during = story.run("seed-hitl-02-during", "payer", "10-07 12:50")  # decided while it ran already
    approval = during.ask(deciders=())
    during.tell("approval_consumed", approval_id=approval, arguments_digest="d1", call_index=0)
    during.tell("approval_shown", after_s=20, approval_id=approval, person_id="mara")
    during.tell(
        "approval_decided", approval_id=approval, person_id="mara", decision="approved", approved_digest="d1"
    )
    during.finish("succeeded", approval, uses=0)
    during.end()
    stale = story.run("seed-hitl-07-stale", "payer", "10-07 13:30")  # used after its time, says nothing of it
    stale.finish("succeeded", stale.ask(valid_s=21), uses=0)
    stale.end()
    twice = story.run("seed-hitl-07", "payer", "10-07 13:00")
    twice.finish("succeeded", twice.ask(), uses=2)
    twice.end()
    against = story.run("seed-hitl-08", "payer", "10-07 14:00")
    against.finish("succeeded", against.ask(decision="rejected"))
    against.end()
    story.run("seed-hitl-09", "payer", "10-07 15:00").end(halt_ns=300 * S)
    deaf = story.run("seed-hitl-09-goes-on", "payer", "10-31 15:00")
    story.tell(
        "stop_ordered", deaf.now, stop_id="stop-deaf", stop_scope="run", run_id="seed-hitl-09-goes-on",
        person_id="mara", reason="It must not.",
    )  # fmt: skip
    alone = story.run("seed-hitl-11", "scanner", "10-07 16:00")
    alone.finish("succeeded", alone.ask())
    alone.end()


def _reviewers(story: Story) -> None:
    """One reviewer decides in a second, one decides 61 times within an hour, one misses planted errors.

    Two do the same as the first of two, after whom mara and olga decide by turns.
    """
    for person in ("seed-hitl-06", "seed-hitl-12", "seed-hitl-06-first", "seed-hitl-12-first"):
        story.person(person, "team_manager", "team")
        story.tell(
            "training_recorded",
            at("02-01 09:00"),
            person_id=person,
            expires_at=at("12-31 00:00"),
            actor_id="helena",
        )
    hasty = story.run("quick", "payer", "10-12 09:00")
    for _ in range(20):
        hasty.finish("refused", hasty.ask(deciders=("seed-hitl-06",), seconds=1))
    hasty.end()
    busy = story.run("many", "payer", "10-13 09:00")
    for number in range(61):
        decision = "rejected" if number % 2 else "approved"
        busy.finish("refused", busy.ask(deciders=("seed-hitl-12",), seconds=20, decision=decision))
    busy.end()
    first = story.run("quick-first", "payer", "10-12 12:00")
    for number in range(20):
        second = "olga" if number % 2 else "mara"
        first.finish("refused", first.ask(deciders=("seed-hitl-06-first", second), seconds=1))
    first.end()
    first = story.run("many-first", "payer", "10-13 12:00")
    for number in range(61):
        decision, second = ("rejected", "olga") if number % 2 else ("approved", "mara")
        first.finish("refused", first.ask(("seed-hitl-12-first", second), decision, seconds=11))
    first.end()
    story.tell("seeded_case_recorded", at("10-08 09:00"), person_id="seed-hitl-10", is_good=False)


def _governance(story: Story) -> None:
    story.agent("seed-gov-01", owner_id=None)
    story.agent("seed-gov-02", "high", approver="ann")
    story.run("hers", "seed-gov-02", "10-14 08:00").end()
    story.run("seed-gov-03", "payer", "10-14 09:00", version_hash="another").end()
    story.person("theo", "analyst", "all")
    story.run("seed-gov-04", "payer", "10-14 10:00", actor_id="theo").end()
    story.person("seed-gov-05", "agent_user", "own")
    story.tell("person_removed", at("10-14 11:00"), person_id="seed-gov-05")
    story.run("late", "payer", "10-14 12:00", actor_id="seed-gov-05").end()
    story.agent("gone")
    story.tell("status_changed", at("10-14 13:00"), agent_id="gone", status="retired")
    story.run("seed-gov-06", "gone", "10-14 14:00").end()
    story.agent("seed-gov-07")
    story.run("spring", "seed-gov-07", "03-06 08:00").end()
    story.tell("team_declared", at("02-01 07:00"), team_id="poor", team_name="Poor", owner_id="mara")
    story.person("pia", "agent_user", "own", team="poor")
    story.agent("cheap", team_id="poor")
    story.tell(
        "budget_set", at("02-01 08:00"), wallet_id="team:poor:month", wallet_kind="team",
        wallet_window="month", team_id="poor", cap_nano_usd=5 * CENT, is_unlimited=False,
    )  # fmt: skip
    for run_id, hour in (("first", "08"), ("seed-gov-08", "09")):
        run = story.run(run_id, "cheap", f"10-15 {hour}:00", actor_id="pia", team_id="poor")
        run.turn(5)
        run.end()


def _months(story: Story) -> None:
    """Incidents, requests, access, and what was not done in the month."""
    story.tell(
        "incident_opened", at("10-02 08:00"), incident_id="seed-inc-01", agent_id="seed-gov-07",
        incident_class="serious", identified_at=at("10-02 07:00"), person_id="mara", reason="Bad.",
    )  # fmt: skip
    story.agent("risky")
    story.tell(
        "incident_opened", at("10-16 08:00"), incident_id="seed-inc-02", agent_id="risky",
        incident_class="other", identified_at=at("10-16 07:00"), person_id="mara", reason="Bad.",
    )  # fmt: skip
    story.run("meanwhile", "risky", "10-16 09:00").end()
    story.tell(
        "erasure_requested", at("09-15 08:00"), request_id="seed-ret-03", received_at=at("09-15 08:00"),
        person_id="helena",
    )  # fmt: skip
    story.tell(
        "export_created", at("10-17 08:00"), export_id="seed-acc-01", export_format="csv", row_count=3,
        content_sha256="ab", person_id="jon", scope="all",
    )  # fmt: skip
    sign(story, "2026-08", at("09-02 08:00"))
    story.tell(
        "restore_drilled", at("10-25 08:00"), person_id="helena", is_good=False, reason="Roots differ."
    )
    # told after everything else, of a moment to come
    story.events.append(
        (at("10-30 08:00"), story.event("signed_in", at("10-30 10:00"), {"person_id": "jon"}))
    )
