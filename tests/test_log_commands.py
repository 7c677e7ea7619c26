"""The log's commands: what they print and how they end."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from app.cli import main
from ingest.contract import parse_body
from ingest.log.findings import FINDINGS
from ingest.log.writer import LogWriter
from ingest.reader import rows_where
from ingest.workspace import Workspace
from tests.log_events import started, write_runs

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fleetbook(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run the command as the terminal does: (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fleetbook", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, error = capsys.readouterr()
        return int(end.value.code or 0), out, error

    return run


def test_the_month_of_a_log_from_the_command_line(
    workspace: Workspace, fleetbook: Command, tmp_path: Path
) -> None:
    write_runs(workspace, "r1", 5, payload_every=2)
    code, out, _ = fleetbook("verify")
    assert code == 1
    assert "checkpoint_missing" in out
    assert "fleetbook notarise" in out

    code, note, _ = fleetbook("notarise")
    assert code == 0
    assert note.startswith("fleetbook.local/")
    kept = tmp_path / "mailbox.checkpoint"
    kept.write_text(note, encoding="utf-8")

    code, out, _ = fleetbook("verify")
    assert (code, "Nothing was found at level 2." in out) == (0, True)
    assert "accidents only" in out
    code, out, _ = fleetbook("verify", "--against", str(kept))
    assert (code, "Nothing was found at level 3." in out) == (0, True)

    dead = LogWriter(workspace, recorded_via="runner", process_name="dies")
    dead.append([started("r2")])
    writer_id = dead.writer_id
    del dead
    code, out, _ = fleetbook("log", "status")
    assert (code, "dead: run `fleetbook recover`" in out) == (0, True)
    code, out, _ = fleetbook("recover")
    assert (code, out) == (0, f"Sealed writer {writer_id}: 2 events.\n")
    code, out, _ = fleetbook("recover")
    assert (code, out) == (0, "Nothing to recover.\n")
    code, out, _ = fleetbook("log", "status")
    assert "1 of 3 manifest lines" in out
    assert "No open writers." in out


def test_findings_end_with_one_and_are_there_as_json(workspace: Workspace, fleetbook: Command) -> None:
    write_runs(workspace, "r1", 5)
    fleetbook("notarise")
    (file,) = workspace.lake_dir.rglob("*.parquet")
    file.unlink()
    code, out, _ = fleetbook("verify", "--json")
    report = json.loads(out)
    assert code == 1
    assert (report["level"], report["ok"]) == (2, False)
    (finding,) = report["findings"]
    assert finding["code"] == "file_missing"
    assert finding["object"] == f"file {file.relative_to(workspace.lake_dir)}"


def test_what_cannot_be_checked_ends_with_two(
    workspace: Workspace, fleetbook: Command, tmp_path: Path
) -> None:
    code, _, error = fleetbook("verify", "--level", "3")
    assert (code, "Add --against FILE" in error) == (2, True)
    fleetbook("notarise")
    code, _, error = fleetbook("verify", "--against", str(tmp_path / "nothing"))
    assert (code, "cannot be read" in error) == (2, True)
    workspace.manifest_file.unlink(missing_ok=True)
    workspace.manifest_file.mkdir()
    code, _, error = fleetbook("verify")
    assert (code, "Not verified: " in error) == (2, True)
    code, _, error = fleetbook("verify", "--workspace", str(tmp_path / "nowhere"))
    assert (code, "No workspace" in error) == (2, True)


def test_a_refused_signature_ends_with_one(workspace: Workspace, fleetbook: Command) -> None:
    write_runs(workspace, "r1", 5)
    fleetbook("notarise")
    workspace.manifest_file.write_text("", encoding="utf-8")
    code, out, error = fleetbook("notarise")
    assert (code, out) == (1, "")
    assert "Not signed" in error


def test_every_word_of_a_finding_is_explained(repository: Path) -> None:
    page = (repository / "docs" / "log.md").read_text(encoding="utf-8")
    for code, meaning in FINDINGS.items():
        assert f"| `{code}` | {meaning} |" in page


def test_compact_says_what_it_made(workspace: Workspace, fleetbook: Command) -> None:
    code, out, _ = fleetbook("log", "compact")
    assert (code, "Nothing to compact" in out) == (0, True)
    for number in range(33):
        write_runs(workspace, f"run-{number}", 1)
    code, out, _ = fleetbook("log", "compact")
    assert code == 0
    assert ": 99 events of 33 files" in out
    code, out, _ = fleetbook("log", "status")
    assert "99 of 33 writers" in out


def test_holds_and_erasures_from_the_command_line(workspace: Workspace, fleetbook: Command) -> None:
    write_runs(workspace, "r1", 4, payload_every=2)
    assert fleetbook("log", "hold", "list")[1] == "No legal hold is in force.\n"
    code, out, _ = fleetbook("log", "hold", "add", "--run", "r1", "--reason", "case 7", "--as", "helena")
    hold_id = out.partition(":")[0]
    assert (code, "run r1" in out) == (0, True)
    assert "helena: case 7" in fleetbook("log", "hold", "list")[1]
    erasure = ("log", "erase", "--run", "r1", "--reason", "request", "--as", "helena")
    code, _, error = fleetbook(*erasure)
    assert (code, hold_id in error) == (1, True)
    assert fleetbook("log", "hold", "release", hold_id, "--reason", "over", "--as", "helena")[0] == 0
    code, out, _ = fleetbook(*erasure)
    assert (code, out) == (0, "Erased and recorded: 2 texts.\n")
    assert fleetbook("log", "hold", "release", hold_id, "--reason", "over", "--as", "helena")[0] == 2


def test_only_who_may_sign_the_report_erases(workspace: Workspace, fleetbook: Command) -> None:
    workspace.registry_file.write_text(
        "company: {name: Northwind, time_zone: UTC}\n"
        "roles: {officer: {scope: all, may: [sign_report]}, user: {scope: own, may: [run_agent]}}\n"
        "teams: {support: {name: Support, manager: ann}}\n"
        "people:\n"
        "  ann: {name: Ann, team: support, role: officer}\n"
        "  bob: {name: Bob, team: support, role: user}\n",
        encoding="utf-8",
    )
    write_runs(workspace, "r1", 4, payload_every=2)
    code, _, error = fleetbook("log", "erase", "--run", "r1", "--reason", "request", "--as", "bob")
    assert (code, "role user may not sign_report" in error) == (1, True)
    assert fleetbook("log", "erase", "--run", "r1", "--reason", "request", "--as", "ann")[0] == 0


def test_a_pruning_is_shown_first_and_refused_below_the_floor(
    workspace: Workspace, fleetbook: Command
) -> None:
    then = dt.datetime.now(dt.UTC) - dt.timedelta(days=200)
    with LogWriter(workspace, recorded_via="runner", process_name="old", clock=lambda: then) as writer:
        writer.append([started("r1")])
    code, _, error = fleetbook("log", "prune", "--older-than-days", "90")
    assert (code, "Articles 19(1) and 26(6)" in error) == (1, True)
    code, out, _ = fleetbook("log", "prune", "--older-than-days", "184")
    assert (code, "1 files, 3 events" in out, "Nothing was deleted" in out) == (0, True, True)
    delete = ("log", "prune", "--older-than-days", "184", "--delete", "--as", "helena")
    assert fleetbook(*delete)[0] == 2
    code, out, _ = fleetbook(*delete, "--reason", "retention policy 4")
    assert (code, "Deleted and recorded, with 0 texts." in out) == (0, True)
    assert not list(workspace.lake_dir.rglob("*.parquet"))


def test_evidence_is_written_and_the_log_records_it(
    workspace: Workspace, fleetbook: Command, tmp_path: Path
) -> None:
    write_runs(workspace, "r1", 4, payload_every=2)
    fleetbook("notarise")
    code, out, _ = fleetbook("evidence", str(tmp_path / "bundle"), "--run", "r1", "--as", "helena")
    assert (code, "4 events, 2 texts, with proofs." in out) == (0, True)
    (table,) = rows_where(workspace, ["event_type", "body"], "event_type", "export_created")
    event = parse_body(table["body"][0].as_py())
    digest = sha256((tmp_path / "bundle" / "bundle.json").read_bytes()).hexdigest()
    assert (event["person_id"], event["row_count"], event["content_sha256"]) == ("helena", 4, digest)
    assert fleetbook("evidence", str(tmp_path / "b"), "--run", "r2", "--as", "helena")[0] == 2


def test_a_checkpoint_is_kept_in_the_named_places(
    workspace: Workspace, fleetbook: Command, tmp_path: Path
) -> None:
    write_runs(workspace, "r1", 2)
    code, note, error = fleetbook("notarise", "--to", str(tmp_path / "share"))
    (file,) = (tmp_path / "share").iterdir()
    assert (code, file.read_text(encoding="utf-8"), f"Kept: {file}" in error) == (0, note, True)
    assert fleetbook("verify", "--against", str(file))[0] == 0
    file.write_text("other\n", encoding="utf-8")
    assert fleetbook("notarise", "--to", str(tmp_path / "share"))[0] == 1
    assert fleetbook("notarise", "--to", f"git:{tmp_path}/none")[0] == 2
