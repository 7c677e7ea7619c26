"""The EU AI Act binder: evidence, gaps that cannot be hidden, owners, dates as settings, the same bytes."""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from app.binder.decide import decide
from app.binder.facts import Facts, Statement
from app.binder.make import Binder, make_binder
from app.binder.requirements import ARTICLES, Requirement, known_checks, parse, shipped
from app.checks.catalogue import check_ids
from app.checks.results import Answer, Result, Status
from app.checks.stored import store
from app.errors import BinderError, CheckError
from ingest.reader import rows_where
from ingest.workspace import Workspace
from runner.control.plane import Control
from runner.control.registry_extras import AiAct
from runner.control.risk_findings import RiskScan, tell
from tests.check_world import at
from tests.conftest import Clock
from tests.runner_company import Command, company, fleetbook

__all__ = ["fleetbook"]

MONTH = dt.date(2026, 10, 1)
PEOPLE = frozenset({"helena"})
OWNED = Facts(
    settings=AiAct(owners={"*": "helena"}),
    people=PEOPLE,
    event_counts={"risk_scanned": 30},
    statements={},
)
AI_ACT = (
    "oversight: {second_person_approves_versions: [], ai_act: {owners: {'*': priya-nair, '26': mara-lindt}, "
    "high_risk_from: 2027-12-02, high_risk_from_source: 'counsel, 3 July 2026'}}"
)
SETTINGS = ("oversight: {second_person_approves_versions: []}", AI_ACT)


def result(check_id: str, status: Status = "PASS") -> Result:
    return Result(
        check_id=check_id, severity="high", title="Asked.", clauses="AIA", remedy="Mend it.", status=status,
        population=0 if status == "NO_DATA" else 7, violations=2 if status == "FAIL" else 0, first_objects=(),
        detail="", sql_sha256=None, needs=None,
    )  # fmt: skip


def answer(**changed: Status) -> Answer:
    """All checks of October pass, but for ``changed`` (HITL_01="FAIL")."""
    return Answer(
        month=MONTH,
        results=tuple(result(one, changed.get(one.replace("-", "_"), "PASS")) for one in check_ids()),
        checkpoint_size=12,
        checkpoint_root="ab" * 32,
        is_verified=True,
        build_id="as of 2026-11-01",
        late_events=0,
    )


def requirement(name: str) -> Requirement:
    return next(one for one in shipped().requirements if one.id == name)


@pytest.fixture
def workspace(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """October with its settings, a scan, and a kept answer in which everything passes."""
    made = Workspace.create(tmp_path / "w")
    monkeypatch.setenv("FLEETBOOK_HOME", str(made.root))
    clock.now = at("10-02 09:00")
    with company(made, SETTINGS, clock=clock) as control:
        scan = RiskScan(
            scanned_at=clock(), first_date=MONTH, last_date=MONTH, is_demo=False, is_whole=True,
            rule_version=1, populations={}, unread_texts=0, new_findings=0,
        )  # fmt: skip
        tell(control, [], scan)
    store(made, answer(), at("11-02 09:00"))
    return made


def make(workspace: Workspace, place: Path | None = None) -> Binder:
    with Control(workspace, process_name="test") as control:
        return make_binder(control, MONTH, place)


def words(made: Binder) -> dict[str, str]:
    return {line.requirement.id: line.word for line in made.lines}


def test_every_article_is_asked_about_and_every_check_exists() -> None:
    asked = shipped()
    assert {one.article_number for one in asked.requirements} == set(ARTICLES)
    assert len(asked.requirements) >= 30
    for one in asked.requirements:
        assert one.cross.iso42001, one.id


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("checks: [HITL-01]", "checks: [HITL-99]", "no check 'HITL-99'"),
        ("events: [risk_scanned]", "events: [risk_smelled]", "no event type 'risk_smelled'"),
        ("- id: 73-6", "- id: 73-1", "73-1 stands twice"),
        ('article: "72(3)"', 'article: "71(3)"', "another article"),
        ("    attest: true\n    limit: No check looks at in", "    limit: No check looks in", "nothing ans"),
        ("who: deployer", "who: importer", "Input should be"),
        ("version: 1", "version: [", "is no YAML"),
    ],
)  # fmt: skip
def test_a_wrong_requirement_is_named(old: str, new: str, said: str) -> None:
    text = (Path(decide.__code__.co_filename).parent / "requirements.yaml").read_text()
    assert old in text
    with pytest.raises(BinderError, match=said):
        parse(text.replace(old, new, 1), known_checks())


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("PASS", "EVIDENCE"),
        ("MANUAL", "EVIDENCE"),
        ("FAIL", "GAP"),
        ("NO_DATA", "GAP"),
        ("ERROR", "GAP"),
        ("WAIVED", "GAP"),
    ],
)
def test_only_what_passed_or_was_stated_is_evidence(status: Status, word: str) -> None:
    line = decide(requirement("14-1"), answer(HITL_01=status), OWNED)
    assert (line.word, bool(line.gaps), line.owner_id) == (word, word == "GAP", "helena")


def test_what_is_missing_is_a_gap() -> None:
    asked = requirement("14-1")
    whole = answer()
    no_owner = replace(OWNED, settings=AiAct())
    left = replace(OWNED, people=frozenset())
    undecided = replace(whole, results=tuple(one for one in whole.results if one.check_id != "HITL-01"))
    for line, said in (
        (decide(asked, whole, no_owner), "nobody is declared"),
        (decide(asked, whole, left), "nobody is declared"),
        (decide(asked, undecided, OWNED), "HITL-01 was not decided"),
        (decide(asked, replace(whole, is_verified=False), OWNED), "did not verify"),
        (decide(requirement("72-1"), whole, replace(OWNED, event_counts={})), "0 events risk_scanned"),
        (decide(requirement("26-7"), whole, OWNED), "no person has stated it"),
    ):
        assert line.word == "GAP"
        assert said in "; ".join(line.gaps)


def test_a_statement_answers_what_no_check_can() -> None:
    said = Statement(
        requirement_id="26-7", person_id="helena", first_month="2026-10", reason="Notice of 3 May."
    )
    line = decide(requirement("26-7"), answer(), replace(OWNED, statements={"26-7": said}))
    assert (line.word, line.evidence) == ("EVIDENCE", ("stated by helena for 2026-10: Notice of 3 May.",))


def test_a_deployer_is_told_what_binds_providers_and_keeps_what_binds_both() -> None:
    deployer = replace(OWNED, settings=AiAct(role="deployer", owners={"*": "helena"}))
    assert decide(requirement("9-1"), answer(), deployer).word == "NOT OURS"
    assert decide(requirement("14-3"), answer(), deployer).word == "EVIDENCE"
    assert decide(requirement("26-1"), answer(HITL_02="FAIL"), deployer).word == "GAP"


def test_owners_are_by_requirement_then_article_then_all() -> None:
    facts = replace(
        OWNED,
        people=frozenset({"a", "b", "c"}),
        settings=AiAct(owners={"26-7": "a", "26": "b", "*": "c"}),
    )
    for name, owner in (("26-7", "a"), ("26-1", "b"), ("9-1", "c")):
        assert decide(requirement(name), answer(), facts).owner_id == owner


def test_a_date_without_its_source_is_refused() -> None:
    with pytest.raises(ValueError, match="high_risk_from_source"):
        AiAct(high_risk_from=dt.date(2027, 12, 2))


def test_the_command_ends_with_one_while_there_is_a_gap(workspace: Workspace, fleetbook: Command) -> None:
    code, out, error = fleetbook("binder", "--month", "2026-10")
    assert code == 1, error
    stated = [one.id for one in shipped().requirements if one.attest]
    assert f"{len(stated)} have a gap" in out
    assert "2027-12-02 (set by the company; counsel, 3 July 2026)" in out
    for name in stated:
        told = (
            "binder",
            "attest",
            name,
            "--month",
            "2026-10",
            "--reason",
            "See file 12.",
            "--as",
            "priya-nair",
        )
        assert fleetbook(*told)[0] == 0
    code, out, _ = fleetbook("binder", "--month", "2026-10")
    assert (code, "0 have a gap" in out) == (0, True)
    store(workspace, answer(HITL_02="NO_DATA"), at("11-02 09:00"))
    code, out, _ = fleetbook("binder", "--month", "2026-10")
    assert (code, "2 have a gap" in out) == (1, True)


def test_statements_count_for_their_month_or_until_their_day(
    workspace: Workspace, fleetbook: Command
) -> None:
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=300)).date().isoformat()
    words_ = ("--reason", "See file 12.", "--as", "priya-nair")
    assert fleetbook("binder", "attest", "26-7", "--month", "2026-08", "--until", until, *words_)[0] == 0
    assert fleetbook("binder", "attest", "26-9", "--month", "2026-09", *words_)[0] == 0
    found = words(make(workspace))
    assert (found["26-7"], found["26-9"]) == ("EVIDENCE", "GAP")
    code, _, error = fleetbook("binder", "attest", "14-1", "--month", "2026-10", *words_)
    assert (code, "no requirement that a person states" in error) == (2, True)
    refused = ("--reason", "x", "--as", "jon-vass")
    assert fleetbook("binder", "attest", "26-7", "--month", "2026-10", *refused)[0] == 1


def test_the_same_log_gives_the_same_bytes_whenever_it_is_made(
    workspace: Workspace, clock: Clock, tmp_path: Path
) -> None:
    first = make(workspace)
    clock.advance(days=60)  # what is declared in December changes nothing about October
    with company(workspace, ("oversight: {second_person_approves_versions: []}", ""), clock=clock):
        pass
    again = make(workspace, tmp_path / "again")
    assert first.content_sha256 == again.content_sha256
    files = sorted(path.name for path in first.place.iterdir())
    assert files == ["binder.json", "binder.pdf", "manifest.json", "requirements.csv", "requirements.xlsx"]
    for name in files:
        assert (first.place / name).read_bytes() == (again.place / name).read_bytes()
    manifest = json.loads((first.place / "manifest.json").read_bytes())
    assert len(manifest["files"]) == 4


def test_each_making_is_an_event_over_the_manifest(workspace: Workspace) -> None:
    made = make(workspace)
    names = ["event_type", "check_month", "content_sha256", "row_count"]
    (table,) = rows_where(workspace, names, "event_type", "binder_made")
    (event,) = table.to_pylist()
    assert (event["check_month"], event["content_sha256"]) == ("2026-10", made.content_sha256)
    assert event["row_count"] == made.gap_count


def test_the_report_and_the_table_show_every_requirement_with_its_gap(workspace: Workspace) -> None:
    made = make(workspace)
    pages = " ".join(page.extract_text() for page in PdfReader(made.place / "binder.pdf").pages)
    text = " ".join(pages.split())
    with (made.place / "requirements.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["requirement_id"]: row for row in csv.DictReader(file)}
    for line in made.lines:
        assert line.requirement.title.split(",")[0][:30] in text
        assert rows[line.requirement.id]["result"] == line.word
        assert bool(rows[line.requirement.id]["gap"]) == (line.word == "GAP")
    assert rows["26-7"]["owner_id"] == "mara-lindt"
    assert "evidence, not a certificate" in text


def test_without_a_checked_month_there_is_no_binder(workspace: Workspace, fleetbook: Command) -> None:
    with Control(workspace) as control, pytest.raises(CheckError, match="was not checked"):
        make_binder(control, dt.date(2026, 9, 1))
    assert fleetbook("binder", "--month", "2026-09")[0] == 2
    assert fleetbook("binder", "--at", "2026-11-05")[0] == 1  # October was over then
    assert fleetbook("binder", "--at", "2026-11-05", "--month", "2026-10")[0] == 2


def test_a_folder_with_something_else_is_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "letter.txt").write_text("Dear Ann")
    with pytest.raises(BinderError, match="something else"):
        make(workspace, place)
    assert (place / "letter.txt").exists()
    shutil.rmtree(place)
    make(workspace, place)


def test_the_list_of_requirements_says_what_answers_each(fleetbook: Command) -> None:
    code, out, _ = fleetbook("binder", "requirements")
    assert (code, "answered by HITL-09" in out, "a person's statement" in out) == (0, True, True)


def test_an_owner_who_is_not_declared_is_refused_by_the_registry(
    workspace: Workspace, fleetbook: Command
) -> None:
    text = workspace.registry_file.read_text().replace("'*': priya-nair", "'*': priya-nar")
    workspace.registry_file.write_text(text)
    code, _, error = fleetbook("registry", "check")
    assert (code != 0, "priya-nair" in error) == (True, True)
