"""The monthly check: a clean company passes, each violation is found by its check and by no other."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.checks.catalogue import catalogue
from app.checks.decide import Check, Evidence, Found, decide
from app.checks.due import check_due
from app.checks.integrity import inspect_log
from app.checks.monthly import Monthly, Part, check_month, month_end
from app.checks.parameters import FILE_NAME, own_parameters
from app.errors import CheckError
from ingest.erasure import erase
from ingest.log.checkpoint import notarise
from ingest.log.compact import compact
from ingest.log.writer import LogWriter
from ingest.reader import rows_where
from ingest.workspace import Workspace
from tests import check_seeds as seeds
from tests import check_world as world
from tests.log_events import rewrite_rows
from tests.runner_company import Command, fleetbook

__all__ = ["fleetbook"]

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
    assert {check: count for check, count in found.items() if count > 1} == {
        "HITL-02": 3,
        "HITL-05": 3,
        "HITL-06": 2,
        "HITL-07": 2,
        "HITL-09": 2,
        "HITL-12": 2,
        "GOV-03": 2,
    }
    assert seeded.answer.exit_code == 1


def record(workspace: Workspace, moment: dt.datetime, story: world.Story, via: str = "runner") -> None:
    """The log takes in everything of ``story`` at ``moment``, is compacted and signed."""
    told = [event for _, event in story.events]
    for events, texts in ((told[:1], [*story.texts.values()]), (told[1:], [])):
        with LogWriter(
            workspace, recorded_via=via, process_name="test", clock=lambda: moment, ticks=moment.timestamp
        ) as writer:
            writer.append(events, texts)
    assert compact(workspace, clock=lambda: moment + dt.timedelta(days=2)).records
    notarise(workspace, clock=lambda: moment)


def pack_files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_pack_of_october_is_the_same_after_a_month_of_further_events(
    copied: Workspace, fleetbook: Command, tmp_path: Path
) -> None:
    def pack(name: str) -> tuple[str, dict[str, bytes]]:
        code, out, error = fleetbook("check", "--month", "2026-10", "--pack", str(tmp_path / name))
        assert code == 0, error
        return out, pack_files(tmp_path / name)

    _, november = pack("november")
    later, december = world.Story(), dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC)
    for day in range(2, 30):
        later.run(f"november-{day}", "payer", f"11-{day:02} 09:00").end(more=3)
    later.tell("person_removed", december, person_id="mara")
    record(copied, december, later)
    erase(copied, run_id="paid-3", person_id="helena", reason="Asked for.", clock=lambda: december)
    out, again = pack("december")
    assert again == november
    assert "recorded after it" not in out

    told_late = world.Story()
    told_late.run("late", "payer", "10-09 09:00").end(more=7)
    record(copied, december + dt.timedelta(days=1), told_late, via="import:tau2")
    out, again = pack("january")
    assert "3 events about the month were recorded after it and do not count." in out
    different = {name for name in november if again[name] != november[name]}
    assert (again.keys(), different) == (november.keys(), {"checks.json", "report.pdf", "manifest.json"})
    answer, before = (json.loads(files["checks.json"]) for files in (again, november))
    assert answer == {**before, "late_events": 3}


def test_what_is_broken_after_the_month_is_told_and_is_no_finding_of_the_month(
    copied: Workspace, fleetbook: Command
) -> None:
    later, december = world.Story(), dt.datetime(2026, 12, 2, 9, tzinfo=dt.UTC)
    later.run("november", "notes", "11-02 09:00").end()
    record(copied, december, later)
    file = next(copied.lake_dir.glob("recorded_date=2026-12-*/*.parquet"))
    rows = pq.read_table(file).to_pylist()
    rewrite_rows(file, [{**rows[0], "reason": "made up"}, *rows[1:]])
    counts = inspect_log(copied, month_end(copied, world.MONTH)).facts(3650)
    assert {check for check, count in counts.counts.items() if count.violations} == set()
    assert "findings are about what was recorded after the month" in counts.notes[-1]
    december_end = month_end(copied, dt.date(2026, 12, 1))
    found = inspect_log(copied, december_end).facts(3650).counts
    assert {check for check, count in found.items() if count.violations} >= {"INT-03", "INT-08"}


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
    counts = inspect_log(copy, month_end(copy, world.MONTH)).facts(3650).counts
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


@pytest.fixture
def copied(clean: tuple[Workspace, Monthly], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of the clean company that a test may write to; its tables are there already."""
    workspace = Workspace.open(Path(shutil.copytree(clean[0].root, tmp_path / "copy", symlinks=True)))
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    return workspace


@pytest.mark.parametrize(
    ("part", "run_count", "inventory"),
    [
        (("--agent", "payer"), 20, 1),
        (("--agent", "scanner"), 1, 1),
        (("--team", "support"), 21, 3),
        (("--risk", "high"), 21, 2),
        (("--risk", "minimal"), 0, 1),
    ],
)
def test_a_part_of_the_company_is_looked_at_alone(
    copied: Workspace, fleetbook: Command, part: tuple[str, str], run_count: int, inventory: int
) -> None:
    code, out, error = fleetbook("check", "--month", "2026-10", *part)
    rows = {
        line.split()[0]: line.split() for line in out.splitlines() if re.match(r"[A-Z]+-\d\d +[A-Z_]+ ", line)
    }
    assert (rows["REC-01"][3], rows["GOV-01"][3]) == (str(run_count), str(inventory)), error
    assert rows["REC-01"][1] == ("PASS" if run_count else "NO_DATA")
    assert f"Check of 2026-10 for {part[1]}" in out
    assert (rows["HITL-01"][1] == "NO_DATA") == (part[1] == "minimal")
    # The incident is of `notes`: a critical check that looked at nothing of the part is not green.
    assert (rows["INC-01"][1], code) == (
        ("NO_DATA", 1) if inventory < 3 and part[1] != "minimal" else ("PASS", code)
    )
    assert not (copied.root / "checks").exists()  # only the whole is kept


def test_what_fits_no_agent_is_refused_and_the_clean_company_ends_with_0(
    copied: Workspace, fleetbook: Command
) -> None:
    code, _, error = fleetbook("check", "--month", "2026-10", "--agent", "nobody")
    assert (code, "no agent fits" in error) == (2, True)
    code, out, error = fleetbook("check", "--month", "2026-10")
    assert (code, "43 PASS" in out) == (0, True), error
    assert "0 cases are about this month" in out
    assert (copied.root / "checks" / "2026-10" / "pack" / "report.pdf").is_file()
    shutil.rmtree(copied.lake_dir)
    copied.lake_dir.mkdir()
    code, _, error = fleetbook("check", "--month", "2026-10")
    assert code == 2


def test_an_answer_that_comes_by_itself_is_kept_and_told_once(copied: Workspace) -> None:
    for _ in range(2):
        monthly, pack = check_due(copied, world.MONTH, say=lambda text: None)
    assert monthly.answer.exit_code == 0
    assert pack.place == copied.root / "checks" / "2026-10" / "pack"
    columns = ["event_type", "notice_kind", "reason"]
    told = [
        row["reason"]
        for table in rows_where(copied, columns, "event_type", "notice_raised")
        for row in table.to_pylist()
    ]
    assert told == ["The check of 2026-10 is done: nothing to see to"]


RUN_CHECKS = (
    *(f"REC-0{number}" for number in (1, 2, 3, 4, 5)),
    *(f"HITL-{number:02}" for number in range(1, 12)),
    "GOV-02", "GOV-03", "GOV-04", "GOV-06", "GOV-08",
)  # fmt: skip


def test_what_left_no_event_in_the_month_passes_no_check_about_its_runs(copied: Workspace) -> None:
    """`notes` ran in March only: as if its events of October had never been written."""
    results = {
        one.check_id: one
        for one in check_month(copied, world.MONTH, part=Part(agent_id="notes"), demo=False).answer.results
    }
    for check in RUN_CHECKS:
        assert results[check].status == "NO_DATA", check
        assert results[check].detail.startswith("nothing checked")
    assert results["GOV-01"].status == "PASS"  # it is in the inventory
    ran = check_month(copied, world.MONTH, part=Part(agent_id="payer"), demo=False).answer.results
    passed = {one.check_id for one in ran if one.status == "PASS"}
    assert {*RUN_CHECKS} - passed <= {
        "HITL-06",
        "HITL-10",
        "HITL-11",
    }  # two are about reviewers, one about others
