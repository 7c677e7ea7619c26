"""The monthly check: a clean company passes, each violation is found by its check and by no other."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from app.checks.catalogue import catalogue
from app.checks.decide import Check, Evidence, Found, decide
from app.checks.integrity import CHECKS, inspect_log
from app.checks.monthly import Monthly, check_month, month_end
from app.checks.parameters import FILE_NAME, own_parameters
from app.errors import CheckError
from ingest.contract import new_event_id
from ingest.log.writer import LogWriter
from ingest.workspace import Workspace
from tests import check_seeds as seeds
from tests import check_world as world

SEED = re.compile(r"seed-[a-z]+-\d\d")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Monthly]:
    workspace = world.clean(tmp_path_factory.mktemp("clean") / "workspace")
    return workspace, check_month(workspace, world.MONTH, demo=False)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Monthly:
    workspace = seeds.seeded(tmp_path_factory.mktemp("seeded") / "workspace")
    return check_month(workspace, world.MONTH, demo=False)


def test_a_clean_company_passes_every_check_that_has_something_to_look_at(
    clean: tuple[Workspace, Monthly],
) -> None:
    results = {one.check_id: one for one in clean[1].answer.results}
    assert len(results) == 43
    bad = {one.check_id: (one.status, one.detail) for one in results.values() if one.status != "PASS"}
    assert bad == {}
    assert clean[1].answer.exit_code == 0
    assert clean[1].answer.is_verified


def test_each_violation_is_found_by_its_check_and_by_no_other(seeded: Monthly) -> None:
    tripped = defaultdict(set)
    for one in seeded.answer.results:
        for name in one.first_objects if one.status == "FAIL" else ():
            for seed in SEED.findall(name):
                tripped[seed].add(one.check_id)
    wanted = {f"seed-{check.lower()}": {check} for check in seeds.IDS} | seeds.ALSO
    assert dict(tripped) == wanted


def test_each_check_finds_its_violation_and_nothing_that_was_clean(seeded: Monthly) -> None:
    found = {one.check_id: one.violations for one in seeded.answer.results if one.status == "FAIL"}
    assert found.keys() == {*seeds.IDS, *seeds.WHOLE}
    assert {check: count for check, count in found.items() if count > 1} == {"HITL-02": 2, "GOV-03": 2}
    assert seeded.answer.exit_code == 1


def test_an_answer_stays_the_same_when_more_is_recorded_later(
    clean: tuple[Workspace, Monthly], tmp_path: Path
) -> None:
    workspace = Workspace.open(shutil.copytree(clean[0].root, tmp_path / "later", symlinks=True))
    december = dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC)
    story = world.Story()
    late = story.run("late", "payer", "10-09 09:00")
    late.end(more=7)
    with LogWriter(
        workspace, recorded_via="import:tau2", process_name="test", clock=lambda: december,
        ticks=december.timestamp,
    ) as writer:  # fmt: skip
        writer.append([event for _, event in story.events], list(story.texts.values()))
        removed = {"event_type": "person_removed", "person_id": "mara", "occurred_at": december}
        writer.append([{"event_id": new_event_id(december), **removed}])
    again = check_month(workspace, world.MONTH, demo=False).answer
    assert again.late_events == 3
    before = {one.check_id: one for one in clean[1].answer.results}
    after = {one.check_id: one for one in again.results}
    assert {check for check in after if after[check] != before[check]} <= {
        *CHECKS
    }  # those count the whole log


def test_no_check_passes_when_nothing_was_looked_at(clean: tuple[Workspace, Monthly]) -> None:
    nothing = Evidence(populations={}, found={}, counts={})
    for check in catalogue(clean[1].scoped.warehouse):
        result = decide(check, nothing)
        assert result.status in ("NO_DATA", "ERROR"), check.check_id
        assert result.status == "ERROR" or result.detail.startswith("nothing checked")
        if check.severity == "critical":
            assert result.is_finding


def test_a_person_may_state_that_there_was_nothing_and_a_waiver_covers_what_it_names() -> None:
    check = Check(
        check_id="INC-01", severity="critical", title="", clauses="", remedy="", needs="incidents",
        sql_sha256="ab",
    )  # fmt: skip
    stated = Evidence(populations={}, found={}, counts={}, absences={"INC-01": "helena: there was none"})
    assert decide(check, stated).status == "MANUAL"
    two = [Found(finding_id=f"INC-01 {name}", object_id=name, detail=name) for name in ("a", "b")]
    for waived, status in ((["INC-01 a"], "FAIL"), (["INC-01 a", "INC-01 b"], "WAIVED")):
        evidence = Evidence(
            populations={"INC-01": 2}, found={"INC-01": two}, counts={}, waived={"INC-01": frozenset(waived)}
        )  # fmt: skip
        assert decide(check, evidence).status == status


@pytest.mark.parametrize(
    ("folder", "pattern", "check"),
    [
        ("lake", "**/*.parquet", "INT-03"),
        ("payloads", "**/*", "REC-07"),
        ("checkpoints", "*.checkpoint", "INT-04"),
    ],
)
def test_what_is_missing_from_the_log_fails_its_check(
    clean: tuple[Workspace, Monthly], tmp_path: Path, folder: str, pattern: str, check: str
) -> None:
    copy = Workspace.open(shutil.copytree(clean[0].root, tmp_path / "copy", symlinks=True))
    for file in (copy.root / folder).glob(pattern):
        if file.is_file():
            file.unlink()
    counts = inspect_log(copy, month_end(copy, world.MONTH), 3650).counts
    assert counts[check].violations
    assert counts[check].first_objects


def test_a_threshold_that_is_none_is_refused(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "workspace")
    assert own_parameters(workspace) == {}
    (workspace.root / FILE_NAME).write_text("min_review_s: 5\n", encoding="utf-8")
    assert own_parameters(workspace) == {"min_review_s": 5}
    for wrong in ("min_revew_s: 5\n", "min_review_s: soon\n", "- 5\n", "min_review_s: -1\n"):
        (workspace.root / FILE_NAME).write_text(wrong, encoding="utf-8")
        with pytest.raises(CheckError, match="Thresholds not read"):
            own_parameters(workspace)
