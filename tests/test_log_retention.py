"""Retention: what is old enough goes on record, the rest still verifies, and nothing goes too early."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ingest.erasure import erase
from ingest.errors import MaintenanceError, MaintenanceRefusal
from ingest.holds import add_hold, release_hold
from ingest.log.checkpoint import notarise
from ingest.log.compact import compact
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.reader import payload_texts, run_events, snapshot
from ingest.retention import plan_pruning, prune
from ingest.workspace import Workspace
from tests.log_events import manifest_entries, started, write_manifest
from tests.log_kills import killed

NOW = dt.datetime.now(dt.UTC)
AGES = {"old": 400, "due": 185, "young": 183}


def write(workspace: Workspace, run_id: str, days: float, *, agent: str = "refund-agent") -> str:
    """A closed writer whose four events are ``days`` old, one with a text; returns the payload id."""
    at = NOW - dt.timedelta(days=days)
    with LogWriter(workspace, recorded_via="runner", process_name=run_id, clock=lambda: at) as writer:
        made = make_payload(f"text of {run_id}", kind="task", occurred_at=at, run_id=run_id)
        writer.append([started(run_id, 0, agent_id=agent, **made.columns)], [made.payload])
        writer.append([started(run_id, 1, agent_id=agent)])
    return made.payload.payload_id


def three_ages(workspace: Workspace) -> dict[str, str]:
    return {run_id: write(workspace, run_id, days) for run_id, days in AGES.items()}


def found(workspace: Workspace, level: int = 2, against: tuple[Path, ...] = ()) -> set[str]:
    codes = {finding.code for finding in verify(workspace, level, against=against).findings}
    return codes - {"checkpoint_missing"}


def lake_files(workspace: Workspace) -> list[Path]:
    return sorted(workspace.lake_dir.rglob("*.parquet"))


def prune_due(workspace: Workspace) -> int:
    """Prune at the floor; returns the number of events."""
    return prune(
        workspace, older_than_days=184, reason="its time is over", person_id="helena"
    ).plan.event_count


def test_what_is_old_enough_goes_with_its_texts_and_the_rest_verifies(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)
    ids = three_ages(workspace)
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(notarise(workspace).note, encoding="utf-8")
    assert prune_due(workspace) == 8
    assert len(lake_files(workspace)) == 1
    assert found(workspace, 3, (kept,)) == set()
    assert "8 events of 2 files were pruned" in " ".join(verify(workspace).notes)
    assert payload_texts(workspace, ids.values()) == {
        ids["old"]: None,
        ids["due"]: None,
        ids["young"]: "text of young",
    }
    assert (run_events(workspace, "old"), len(run_events(workspace, "young"))) == ([], 2)
    assert snapshot(workspace, tmp_path / "snapshot").events == 4
    record = manifest_entries(workspace)[-1]
    assert (record["kind"], record["count"], record["pruned_by"]) == ("prune", 8, "helena")
    notarise(workspace)
    assert verify(workspace, 3, against=(kept,)).ok
    assert prune_due(workspace) == 0


def test_the_plan_deletes_nothing(workspace: Workspace) -> None:
    three_ages(workspace)
    before = lake_files(workspace)
    plan = plan_pruning(workspace, 300)
    assert (plan.event_count, len(plan.files)) == (4, 1)
    assert lake_files(workspace) == before
    assert len(manifest_entries(workspace)) == 3


@pytest.mark.parametrize("days", [183, 0, -5])
def test_less_than_six_months_is_refused_with_the_law(workspace: Workspace, days: int) -> None:
    three_ages(workspace)
    with pytest.raises(MaintenanceRefusal, match=r"Articles 19\(1\) and 26\(6\).*six months"):
        prune(workspace, older_than_days=days, reason="space", person_id="p")
    assert len(lake_files(workspace)) == 3


def test_a_pruning_needs_a_reason(workspace: Workspace) -> None:
    with pytest.raises(MaintenanceError, match="needs a reason"):
        prune(workspace, older_than_days=200, reason=" ", person_id="p")


@pytest.mark.parametrize("scope", [{"run_id": "old"}, {"agent_id": "held-agent"}])
def test_a_hold_keeps_its_files_and_lets_others_go(workspace: Workspace, scope: dict[str, Any]) -> None:
    write(workspace, "old", 400, agent="held-agent")
    write(workspace, "due", 185)
    hold = add_hold(workspace, reason="court case", person_id="p", **scope)
    plan = plan_pruning(workspace, 184)
    assert [hold.hold_id in why for _, why in plan.kept] == [True]
    assert prune_due(workspace) == 4
    assert len(run_events(workspace, "old")) == 2
    assert found(workspace) == set()
    release_hold(workspace, hold.hold_id, reason="settled", person_id="p")
    assert prune_due(workspace) == 4
    assert found(workspace) == set()


def test_a_hold_on_everything_keeps_everything(workspace: Workspace) -> None:
    three_ages(workspace)
    add_hold(workspace, reason="audit", person_id="p")
    assert prune_due(workspace) == 0
    assert len(lake_files(workspace)) == 3


def test_compacted_files_are_pruned_too(workspace: Workspace) -> None:
    for number in range(3):
        write(workspace, f"r{number}", 400)
    assert len(compact(workspace).records) == 1
    assert prune_due(workspace) == 12
    assert lake_files(workspace) == []
    assert found(workspace) == set()
    assert compact(workspace).records == ()


def test_a_writer_that_goes_on_loses_its_old_files_only(workspace: Workspace) -> None:
    at = NOW - dt.timedelta(days=400)

    def clock() -> dt.datetime:
        return at

    with LogWriter(
        workspace, recorded_via="runner", process_name="long", clock=clock, seal_bytes=1_000
    ) as writer:
        for number in range(6):
            writer.append([started("r1", number)])
        at = NOW
        writer.append([started("r1", 6)])
        assert prune_due(workspace) > 0
        assert found(workspace) == set()
        writer.append([started("r1", 7)])
    assert {started("r1", 6)["event_id"], started("r1", 7)["event_id"]} <= {
        event["event_id"] for event in run_events(workspace, "r1")
    }
    assert found(workspace) == set()


def test_a_recovered_writer_under_a_hold_stays_whole_in_the_report(workspace: Workspace) -> None:
    at = NOW - dt.timedelta(days=400)
    dead = LogWriter(workspace, recorded_via="runner", process_name="dies", clock=lambda: at)
    dead.append([started("held")])
    del dead
    from ingest.log.recover import recover

    recover(workspace, clock=lambda: NOW - dt.timedelta(days=399))
    add_hold(workspace, reason="court case", person_id="p", run_id="held")
    assert prune_due(workspace) == 3  # the recovery's own chain: opened, recovered, closed
    assert found(workspace) == set()


def test_a_record_of_an_erasure_stays_as_long_as_the_event_that_named_the_text(workspace: Workspace) -> None:
    write(workspace, "held", 400)
    erase(
        workspace, run_id="held", reason="request", person_id="p", clock=lambda: NOW - dt.timedelta(days=390)
    )
    add_hold(workspace, reason="court case", person_id="p", run_id="held")
    prune_due(workspace)
    assert found(workspace) == set()


def test_a_pruning_killed_at_any_step_is_finished_by_the_next(tmp_path: Path) -> None:
    template = Workspace.create(tmp_path / "template")
    ids = three_ages(template)
    for state in killed(template.root, tmp_path, "prune"):
        assert found(state) == set(), state.root
        prune_due(state)
        assert len(lake_files(state)) == 1
        assert payload_texts(state, ids.values())[ids["old"]] is None
        assert payload_texts(state, ids.values())[ids["young"]] == "text of young"
        assert found(state) == set()


def test_a_deletion_without_a_record_is_no_pruning(workspace: Workspace) -> None:
    three_ages(workspace)
    lake_files(workspace)[0].unlink()
    assert "file_missing" in found(workspace, 1)


@pytest.mark.parametrize("claim", ["2026-11-22T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z", "never"])
def test_a_forged_record_cannot_prune_young_events(workspace: Workspace, claim: str) -> None:
    three_ages(workspace)
    entries = manifest_entries(workspace)
    young = entries[-1]
    stretch = {name: young[name] for name in ("writer_id", "first_seq", "last_seq", "prev_head", "head")}
    record = {
        "kind": "prune",
        "files": [young["file"]],
        "count": young["count"],
        "stretches": [stretch],
        "min_recorded_at": "2020-01-01T00:00:00Z",
        "max_recorded_at": "2020-01-01T00:00:00Z",
        "retention_days": 184,
        "pruned_by": "nobody",
        "reason": "space",
        "pruned_at": claim,
    }
    write_manifest(workspace, [*entries, record])
    (workspace.lake_dir / young["file"]).unlink()
    assert found(workspace, 1) == {"pruned_too_early"}


def test_a_forged_record_of_files_that_are_not_there_is_named(workspace: Workspace) -> None:
    three_ages(workspace)
    prune_due(workspace)
    entries = manifest_entries(workspace)
    write_manifest(workspace, [*entries[:-1], {**entries[-1], "files": ["recorded_date=x/none.parquet"]}])
    assert {"record_contradicts", "file_missing"} <= found(workspace, 1)
