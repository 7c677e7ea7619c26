"""Quarantine: kept with a reason, listed, counted, and read again after a fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.errors import SourceError
from ingest.importers import quarantine
from ingest.importers.replay import replay
from ingest.workspace import Workspace
from tests import tau2_files
from tests.imported import bring_in, of_type, told, write, write_lines, write_zip
from tests.test_import_agentdojo import document
from tests.test_import_files import fleetbook
from tests.test_import_fleetbook import line
from tests.test_import_swe_agent import step, trajectory


def fix(workspace: Workspace, wrong: str, right: str) -> None:
    """Correct the kept text, as a person would with an editor."""
    for path in quarantine.files(workspace):
        kept = path.read_text()
        assert wrong in kept
        path.write_text(kept.replace(wrong, right))


@pytest.mark.parametrize("kind", ["tau2", "fleetbook", "zip", "gz"])
def test_what_was_refused_comes_in_after_a_fix_under_its_old_source(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    if kind == "tau2":
        bad = tau2_files.good(start_time="yesterday")
        path, wrong, right = (
            write(tmp_path / "r.json.gz", tau2_files.document(bad)),
            "yesterday",
            "2026-03-01T10:00",
        )
    elif kind == "fleetbook":
        path, wrong, right = write_lines(tmp_path / "r.jsonl", line(stepz=[])), "stepz", "verdicts"
    elif kind == "zip":
        bad = document(duration=-1)
        path, wrong, right = write_zip(tmp_path / "r.zip", {"runs/a.json": bad}), "-1", "10"
    else:
        bad = trajectory(step("submit"), exit_status=5)
        path, wrong, right = (
            write(tmp_path / "bug.traj.gz", bad),
            '\\"exit_status\\": 5',
            '\\"exit_status\\": null',
        )
    report = bring_in(workspace, "auto", path)
    assert (report.files[0].new, report.files[0].quarantined) == (0, 1)
    assert quarantine.count(workspace) == 1
    first = replay(workspace)
    assert (first.tried, first.taken, len(first.left)) == (1, 0, 1)
    fix(workspace, wrong, right)
    second = replay(workspace)
    assert (second.tried, second.taken, second.left) == (1, 1, ())
    assert quarantine.files(workspace) == []
    (requested,) = of_type(told(workspace), "run_requested")
    assert requested["source_file"] == path.name
    # Importing the corrected source adds nothing: the run is the same run.
    assert len(of_type(told(workspace), "source_scanned")) == 1


def test_a_reject_is_kept_once_with_its_newest_reason(workspace: Workspace, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "r.jsonl", line(stepz=[]), line(run_id="r-2", agentz=1), line(run_id="r-3"))
    for _ in range(3):
        bring_in(workspace, "fleetbook", path)
    (file,) = quarantine.files(workspace)
    kept = quarantine.read(file)
    assert [(one.format, one.source_file, one.position, one.source_run_id) for one in kept] == [
        ("fleetbook", "r.jsonl", 1, "r-1"),
        ("fleetbook", "r.jsonl", 2, "r-2"),
    ]
    fix(workspace, "stepz", "step_s")
    (left, *_) = replay(workspace).left
    assert "step_s" in left.reason


def test_the_commands_list_what_is_kept_without_obeying_it(workspace: Workspace, tmp_path: Path) -> None:
    hostile = line(run_id="\x1b[2J[bold]r-1", stepz=[])
    bring_in(workspace, "fleetbook", write_lines(tmp_path / "r.jsonl", hostile))
    listed = fleetbook("quarantine", "list")
    assert listed.returncode == 1
    assert "\x1b" not in listed.stdout
    assert "[bold]r-1" in listed.stdout
    assert "unknown field `stepz`" in listed.stdout
    fix(workspace, '\\"stepz\\": []', '\\"steps\\": []')
    replayed = fleetbook("quarantine", "replay")
    assert replayed.returncode == 0
    assert "1 read again, 1 taken in, 0 still refused" in replayed.stdout
    assert "quarantine is empty" in fleetbook("quarantine", "list").stdout


def test_a_damaged_quarantine_file_is_named_and_nothing_is_lost(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, "fleetbook", write_lines(tmp_path / "r.jsonl", line(stepz=[])))
    (file,) = quarantine.files(workspace)
    file.write_text(file.read_text() + "{cut")
    with pytest.raises(SourceError, match="line 2 is damaged"):
        replay(workspace)
    assert file.read_text().endswith("{cut")


def test_a_mapping_given_at_the_replay_decides_where_the_runs_belong(
    workspace: Workspace, tmp_path: Path
) -> None:
    bring_in(workspace, "fleetbook", write_lines(tmp_path / "r.jsonl", line(stepz=[])))
    fix(workspace, '\\"stepz\\": []', '\\"steps\\": []')
    mapping = write(
        tmp_path / "m.yaml", "mappings:\n  - source_agent: billing bot\n    team: support\n    agent: desk\n"
    )
    replay(workspace, mapping_file=mapping)
    (requested,) = of_type(told(workspace), "run_requested")
    assert (requested["team_id"], requested["agent_id"]) == ("support", "desk")
    assert json.loads(json.dumps(requested))["source_agent"] == "billing bot"
