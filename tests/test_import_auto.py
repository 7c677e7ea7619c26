"""`import auto`: documents are told apart by content; folders and zips are searched, doubts are errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.commands.imports import FORMAT_NAMES
from ingest.errors import SourceError
from ingest.importers.formats import AUTO, FORMATS, all_formats
from ingest.importers.gathering import gather
from ingest.workspace import Workspace
from tests import tau2_files
from tests.imported import bring_in, of_type, told, write, write_lines, write_zip
from tests.test_import_agentdojo import document
from tests.test_import_chat_log import LOOP
from tests.test_import_claude_code import Session, text
from tests.test_import_fleetbook import line
from tests.test_import_inspect import MEMBERS, log, sample, zstd_zip
from tests.test_import_langfuse import ROOT, export
from tests.test_import_managed_agents import BEFORE
from tests.test_import_medagentbench import task
from tests.test_import_openai_run_state import WAITING
from tests.test_import_swe_agent import step, trajectory
from tests.test_import_tau_bench_v1 import trial

REVIEW = {
    "simulation_id": tau2_files.GOOD["id"],
    "judge_response": '```json\n{"verdict": "pass"}\n```',
    "judge_prompt_name": "triage",
}


def one_of_each(folder: Path) -> dict[str, str]:
    """One file per format under a name that says nothing; file name → format."""
    session = Session().user("Fix it").answer("m1", text("Done."))
    write(folder / "a", tau2_files.document(tau2_files.good()))
    write_lines(folder / "b", REVIEW, {**REVIEW, "judge_prompt_name": "second"})
    write(folder / "c", [trial()])
    write(folder / "d", document())
    write(folder / "e", task())
    zstd_zip(folder / "f", MEMBERS)
    write(folder / "g.gz", log(sample(id=2)))
    write(folder / "h", trajectory(step("submit")))
    write_lines(folder / "i", *BEFORE)
    write_lines(folder / "j", *session.lines)
    write(folder / "k", export(ROOT))
    write(folder / "l", WAITING)
    write_lines(folder / "m", *LOOP)
    write_lines(folder / "n", line())
    formats = ["tau2", "tau2_reviews", "tau_bench_v1", "agentdojo", "medagentbench", "inspect", "inspect"]
    formats += ["swe_agent", "managed_agents", "claude_code", "langfuse", "openai_run_state"]
    formats += ["chat_log", "fleetbook"]
    return dict(zip(["a", "b", "c", "d", "e", "f", "g.gz", *"hijklmn"], formats, strict=True))


def test_every_format_is_recognised_by_its_content_and_by_no_other(tmp_path: Path) -> None:
    expected = one_of_each(tmp_path / "x")
    assert set(expected.values()) == set(FORMATS)
    (part,) = gather([tmp_path / "x"], AUTO)
    assert {document.source.name: document.format.name for document in part.documents} == expected
    assert part.skipped == []


def test_a_folder_and_a_zip_of_everything_bring_in_the_same_runs(
    workspace: Workspace, tmp_path: Path
) -> None:
    one_of_each(tmp_path / "x")
    report = bring_in(workspace, "auto", tmp_path / "x")
    (file,) = report.files
    assert (file.source_name, file.seen, file.new, file.quarantined) == ("x/", 14, 14, 0)
    members = {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()}
    zipped = bring_in(workspace, "auto", write_zip(tmp_path / "x.zip", members))
    # An archive inside an archive is not opened; it is named.
    assert zipped.files[0].skipped == ["x.zip!f"]
    assert (zipped.files[0].known, zipped.files[0].new) == (13, 0)


def test_what_holds_no_runs_is_skipped_in_a_folder_and_an_error_when_it_is_named(
    workspace: Workspace, tmp_path: Path
) -> None:
    write(tmp_path / "x" / "run.json", document())
    write(tmp_path / "x" / "notes.txt", "security: true")
    write(tmp_path / "x" / "empty.json", b"")
    write(tmp_path / "x" / ".hidden.json", document())
    report = bring_in(workspace, "auto", tmp_path / "x")
    assert (report.files[0].new, report.files[0].skipped) == (1, ["empty.json", "notes.txt"])
    with pytest.raises(SourceError, match=r"notes\.txt is of no known format"):
        bring_in(workspace, "auto", tmp_path / "x" / "notes.txt")
    (tmp_path / "bare").mkdir()
    with pytest.raises(SourceError, match="holds no document of a known format"):
        bring_in(workspace, "auto", tmp_path / "bare")


def test_the_name_of_a_file_says_nothing(workspace: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / "session.eval", tau2_files.document(tau2_files.good()))
    bring_in(workspace, "auto", path)
    (requested,) = of_type(told(workspace), "run_requested")
    assert requested["recorded_via"] == "import:tau2"


def test_a_document_that_could_be_of_two_formats_is_an_error_that_names_them(
    workspace: Workspace, tmp_path: Path
) -> None:
    both = {**tau2_files.document(tau2_files.good()), **document()}
    path = write(tmp_path / "both.json", both)
    with pytest.raises(SourceError, match="could be tau2 or agentdojo"):
        bring_in(workspace, "auto", path)
    # Whoever knows better may say so.
    assert bring_in(workspace, "agentdojo", path).files[0].new == 1


def test_the_command_line_lists_the_formats_there_are() -> None:
    assert (AUTO, *FORMATS) == FORMAT_NAMES
    assert [one.name for one in all_formats()] == list(FORMATS)
    assert all(one.summary for one in all_formats())


def test_a_named_format_takes_only_its_own_out_of_a_folder(workspace: Workspace, tmp_path: Path) -> None:
    one_of_each(tmp_path / "x")
    report = bring_in(workspace, "inspect", tmp_path / "x")
    assert report.files[0].new == 2
    assert {event["recorded_via"] for event in told(workspace)} == {"import:inspect", "log"}


def test_a_damaged_file_in_a_folder_is_kept_and_the_others_come_in(
    workspace: Workspace, tmp_path: Path
) -> None:
    one_of_each(tmp_path / "x")
    whole = (tmp_path / "x" / "d").read_bytes()
    (tmp_path / "x" / "d").write_bytes(whole[: len(whole) - 40])
    packed = (tmp_path / "x" / "g.gz").read_bytes()
    (tmp_path / "x" / "g.gz").write_bytes(packed[:-30])
    report = bring_in(workspace, "auto", tmp_path / "x")
    assert (report.files[0].new, report.files[0].quarantined) == (12, 1)
    (reject,) = report.files[0].rejects
    assert reject.document == "d"
    assert "ends in the middle" in reject.reason
    # Of what does not unpack nobody knows what it was.
    assert report.files[0].skipped == ["g.gz (damaged)"]


def test_a_link_out_of_the_folder_is_a_file_like_others_and_folders_behind_links_are_not_searched(
    workspace: Workspace, tmp_path: Path
) -> None:
    one_of_each(tmp_path / "x")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "loop").symlink_to(tmp_path / "y")
    shutil.copy(tmp_path / "x" / "a", tmp_path / "y" / "a")
    assert bring_in(workspace, "auto", tmp_path / "y").files[0].new == 1
