"""The evidence pack of a checked month, its verifier and its signature, and the page that shows them."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from app.checks import follow
from app.checks.monthly import check_month
from app.checks.pack_report import Beside, pdf, report_json
from app.checks.pack_tables import read_tables
from app.checks.stored import load, pack_folder
from app.errors import PackRefused
from app.warehouse import Scope, Warehouse
from ingest.workspace import Workspace
from runner.control import waivers
from runner.control.months import month_text
from runner.control.plane import Control
from runner.control.registry_file import load_registry
from runner.errors import AccessRefused
from tests import pages_world
from tests.pages_world import LEAD, MANAGERS, OFFICER
from tests.runner_company import Command, fleetbook

__all__ = ["fleetbook"]

ENTRY = Path(__file__).resolve().parent.parent / "app" / "streamlit_app.py"
MONTH = (dt.datetime.now(dt.UTC).replace(day=1) - dt.timedelta(days=1)).date().replace(day=1)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The demo company with its last complete month checked, as `fleetbook check` does it."""
    copied = pages_world.copy(tmp_path_factory.mktemp("pack") / "workspace")
    before = os.environ.pop("FLEETBOOK_CONTROL_URL", None)
    monthly = check_month(copied, MONTH)
    with Control(copied, process_name="test") as control:
        follow.keep(control, monthly.answer, monthly.scoped)
        follow.make_pack(control, MONTH)
    yield copied
    if before is not None:
        os.environ["FLEETBOOK_CONTROL_URL"] = before


@pytest.fixture
def pack(workspace: Workspace, tmp_path: Path) -> Path:
    """A copy of the pack that a test may spoil."""
    return Path(shutil.copytree(pack_folder(workspace, MONTH), tmp_path / "pack"))


def verify(pack: Path, *arguments: str) -> tuple[int, str]:
    """What the pack's own verifier says, in a Python that knows no Fleetbook."""
    command = [sys.executable, "-I", "-S", str(pack / "verify.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pack.parent)
    return done.returncode, done.stdout + done.stderr


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_same_answer_gives_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    with Control(workspace, process_name="test") as control:
        follow.make_pack(control, MONTH, tmp_path / "again")
        follow.make_pack(control, MONTH, tmp_path / "one.zip")
        follow.make_pack(control, MONTH, tmp_path / "two.zip")
    kept = files(pack_folder(workspace, MONTH))
    assert files(tmp_path / "again") == kept
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == kept


def test_csv_xlsx_and_parquet_hold_the_findings_that_the_answer_counts(
    workspace: Workspace, pack: Path
) -> None:
    stored = load(workspace, MONTH)
    assert stored is not None
    by_sql = [one for one in stored.answer.results if one.sql_sha256]
    stated = {one.check_id: one.violations for one in by_sql if one.violations}
    with (pack / "findings.csv").open(encoding="utf-8", newline="") as file:
        told = Counter(row["check_id"] for row in csv.DictReader(file))
    assert {check: told[check] for check in stated} == stated
    assert pl.read_parquet(pack / "findings.parquet").height == sum(told.values())
    with zipfile.ZipFile(pack / "findings.xlsx") as book:
        assert f'ref="A1:P{sum(told.values()) + 1}"' in book.read("xl/worksheets/sheet1.xml").decode()


def test_the_pack_holds_the_query_that_each_result_names(workspace: Workspace, pack: Path) -> None:
    results = json.loads((pack / "checks.json").read_bytes())["results"]
    hashes = {one["check_id"]: one["sql_sha256"] for one in results if one["sql_sha256"]}
    there = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in (pack / "sql").iterdir()}
    assert there == hashes
    assert len(there) >= 12


def test_the_report_is_a_pdf_a_with_a_page_per_agent_at_risk(workspace: Workspace, pack: Path) -> None:
    report = PdfReader(pack / "report.pdf")
    pages = [page.extract_text() for page in report.pages]
    assert f"Monthly check of AI agents, {MONTH:%B %Y}" in pages[0]
    assert "checks" in pages[0]
    assert "Demonstration data" in pages[0]
    agents = pl.read_parquet(pack / "rows" / "agents_at_risk.parquet")
    for name in agents["agent_name"]:
        own = [page for page in pages if page.startswith(name)]
        assert len(own) == 1
        assert all(part in own[0] for part in ("Configured", "Used", "Obeyed", "Alive"))
    root = report.trailer["/Root"].get_object()
    assert b"<pdfaid:part>3</pdfaid:part>" in root["/Metadata"].get_object().get_data()  # type: ignore[index]
    assert "/StructTreeRoot" in root  # type: ignore[operator]  # tagged


@pytest.mark.parametrize(
    "name", ["findings.csv", "report.pdf", "checks.json", "sql/HITL-02.sql", "verify.py"]
)
def test_a_changed_file_is_found_by_the_packs_own_verifier(pack: Path, name: str) -> None:
    assert verify(pack)[0] == 0
    with (pack / name).open("ab") as file:
        file.write(b"\n")
    code, said = verify(pack)
    assert (code, f"{name} is not the file" in said) == (1, True)


def test_missing_and_extra_files_are_found(pack: Path) -> None:
    (pack / "report.pdf").rename(pack / "report2.pdf")
    code, said = verify(pack)
    assert code == 1
    assert "report.pdf is missing." in said
    assert "report2.pdf is not named in the manifest." in said


def test_a_pack_made_up_anew_is_found_by_the_hash_that_was_signed(pack: Path) -> None:
    signed = hashlib.sha256((pack / "manifest.json").read_bytes()).hexdigest()
    assert verify(pack, "--sha256", signed)[0] == 0
    manifest = json.loads((pack / "manifest.json").read_bytes())
    (pack / "rows" / "check_counts.csv").write_bytes(b"nothing\n")
    for entry in manifest["files"]:
        if entry["name"] == "rows/check_counts.csv":
            entry["sha256"] = hashlib.sha256(b"nothing\n").hexdigest()
    (pack / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert verify(pack)[0] == 0
    code, said = verify(pack, "--sha256", signed)
    assert (code, "was signed" in said) == (1, True)


def test_a_pass_that_looked_at_nothing_is_found(pack: Path) -> None:
    answer = json.loads((pack / "checks.json").read_bytes())
    empty = next(one for one in answer["results"] if one["status"] == "NO_DATA")
    empty["status"] = "PASS"
    (pack / "checks.json").write_text(json.dumps(answer), encoding="utf-8")
    assert f"{empty['check_id']} passes, with 0 violations of 0 objects." in verify(pack)[1]


def test_a_pack_that_was_changed_is_not_signed_and_a_signed_one_is_put_aside(
    workspace: Workspace, tmp_path: Path
) -> None:
    copied = Workspace.open(Path(shutil.copytree(workspace.root, tmp_path / "copy", symlinks=True)))
    folder = pack_folder(copied, MONTH)
    with Control(copied, process_name="test") as control:
        with (folder / "findings.csv").open("a", encoding="utf-8") as file:
            file.write("x\n")
        with pytest.raises(PackRefused, match=r"findings\.csv is not the file"):
            follow.sign_pack(control, MONTH, OFFICER, "I read it")
        made = follow.make_pack(control, MONTH)
        with pytest.raises(AccessRefused):
            follow.sign_pack(control, MONTH, LEAD, "I read it")
        done = follow.sign_pack(control, MONTH, OFFICER, "I read it")
        assert (done.content_sha256, done.check_month) == (made.content_sha256, month_text(MONTH))
        stays = follow.signed_folder(folder, made.content_sha256)
        assert follow.make_pack(control, MONTH).content_sha256 == made.content_sha256
        assert not stays.exists()  # the same pack again
        waivers.grant(control, "HITL-12", OFFICER, "two reviewers join", MONTH + dt.timedelta(days=120))
        assert follow.make_pack(control, MONTH).content_sha256 != made.content_sha256
        assert verify(stays, "--sha256", done.content_sha256)[0] == 0  # what was signed is still there
        with pytest.raises(PackRefused, match="holds something other"):
            follow.make_pack(control, MONTH, copied.wal_dir)


def test_where_two_sign_the_command_asks_for_the_second_and_the_page_waits_for_them(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleetbook: Command
) -> None:
    copied = Workspace.open(Path(shutil.copytree(workspace.root, tmp_path / "copy", symlinks=True)))
    text = copied.registry_file.read_text(encoding="utf-8")
    text = text.replace("  ai_act: {role", "  signatures_needed: 2\n  ai_act: {role")
    text = text.replace("change_people, change_schedules]", "change_people, change_schedules, sign_report]")
    copied.registry_file.write_text(text, encoding="utf-8")
    with Control(copied, process_name="test") as control:
        control.apply(load_registry(copied.registry_file))
    monkeypatch.setenv("FLEETBOOK_HOME", str(copied.root))
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    month = ("--month", month_text(MONTH))

    code, out, _ = fleetbook("sign", *month, "--as", OFFICER)
    assert (code, "A second person signs: fleetbook sign" in out) == (0, True)
    assert "waits for a second person" in fleetbook("signed")[1]
    assert "second" in said(opened(copied, monkeypatch, LEAD))
    code, _, error = fleetbook("sign", *month, "--as", OFFICER, "--second")
    assert (code, "another person" in error) == (1, True)
    with (pack_folder(copied, MONTH) / "report.pdf").open("ab") as file:
        file.write(b" ")
    code, _, error = fleetbook("sign", *month, "--as", LEAD, "--second")
    assert (code, "report.pdf is not the file" in error) == (1, True)
    assert fleetbook("check-pack", *month)[0] == 0
    assert fleetbook("sign", *month, "--as", LEAD, "--second")[0] == 0
    assert "waits for a second person" not in fleetbook("signed")[1]


@pytest.mark.parametrize(
    "name", ["日本語 😀", "#panic() $x$ [a] @b <c>", "a\x07b\u2066c\u0378", '")\\n#image("/etc/passwd")']
)
def test_whatever_an_agent_is_called_the_report_is_made_and_shows_it_as_text(
    workspace: Workspace, name: str
) -> None:
    stored = load(workspace, MONTH)
    assert stored is not None
    assert stored.tables is not None
    scope = Scope(person_id="", role_id="", team_ids=None, own_only=False)
    tables = read_tables(stored.answer, Warehouse.at(stored.tables).for_person(scope), {})
    named = tables.agents.with_columns(pl.lit(name).alias("agent_name"), pl.lit(name).alias("purpose"))
    told = report_json(stored.answer, replace(tables, agents=named), Beside(company=name))
    pages = PdfReader(io.BytesIO(pdf(told, MONTH))).pages
    text = "".join(page.extract_text() for page in pages)
    assert ("[U+65E5]" in text) == ("日" in name)
    assert ("#panic() $x$ [a]" in text) == ("panic" in name)


def opened(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, person_id: str) -> AppTest:
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(workspace.root))
    app = AppTest.from_file(ENTRY, default_timeout=60)
    app.query_params["as"] = person_id
    app.run()
    app.switch_page("views/compliance.py")
    app.query_params["month"] = month_text(MONTH)
    return app.run()


def said(app: AppTest) -> str:
    shown = (app.markdown, app.caption, app.warning, app.success, app.subheader)
    return "\n".join(str(one.value) for kind in shown for one in kind).replace("\\", "")


def buttons(app: AppTest) -> list[str]:
    """What the page itself offers; the frame of every page has a button for its PDF."""
    return [button.label for button in app.button if button.label != "PDF of this page"]


def test_the_page_says_whether_the_month_can_be_signed_to_who_may_and_who_may_not(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = opened(workspace, monkeypatch, OFFICER)
    assert not officer.exception
    assert "Of 43 checks" in said(officer)
    assert any(
        one.label.startswith("Human oversight of Refund agent: Configured") for one in officer.expander
    )
    assert buttons(officer) == [
        "Make the evidence pack again",
        f"Sign {month_text(MONTH)}",
        "Check this month",
    ]
    lead = opened(workspace, monkeypatch, LEAD)
    assert buttons(lead) == []
    assert "may not sign_report" in said(lead)
    assert "Refund agent" in said(lead)


def test_a_manager_sees_agents_of_the_own_team_only(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = said(opened(workspace, monkeypatch, MANAGERS["finance"]))
    assert "Invoice matcher" in told
    assert "Refund agent" not in told
    assert "Of 43 checks" in told


def test_who_sees_own_runs_only_is_told_whom_to_ask(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Control(workspace, process_name="test") as control:
        people = control.registry().people
    user = next(name for name, person in people.items() if person.role == "agent_user")
    told = said(opened(workspace, monkeypatch, user))
    assert "Of 43 checks" not in told
    assert "Ask your team's manager" in told


def test_the_officer_signs_on_the_page(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Workspace.open(Path(shutil.copytree(workspace.root, tmp_path / "copy", symlinks=True)))
    app = opened(copied, monkeypatch, OFFICER)
    app.text_input[0].set_value("I read every page")
    next(button for button in app.button if button.label.startswith("Sign")).click()
    app.run()
    assert not app.exception
    told = said(app)
    assert "report_signed" in told
    assert "I read every page" in told
    assert buttons(app) == ["Make the evidence pack again", "Check this month"]
