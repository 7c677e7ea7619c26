"""The attack matrix: whatever is done to a finished log is caught, and the report names word and place."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ingest.contract import canonical_body, parse_body
from ingest.errors import NotaryError
from ingest.log.checkpoint import key_path, memory_path, notarise
from ingest.log.disk import file_sha256
from ingest.log.verify import verify
from ingest.log.wal import next_head
from ingest.workspace import Workspace
from tests.log_events import manifest_entries, rewrite_rows, write_manifest, write_runs

SEAL_BYTES = 6_000  # three segments for a writer of 40 events


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three closed writers, checkpoints after the second and the third, all signed."""
    workspace = Workspace.create(tmp_path_factory.mktemp("log") / "workspace")
    write_runs(workspace, "run-a", 40, seal_bytes=SEAL_BYTES)
    write_runs(workspace, "run-b", 40, seal_bytes=SEAL_BYTES)
    notarise(workspace)
    write_runs(workspace, "run-c", 40, seal_bytes=SEAL_BYTES)
    notarise(workspace)
    return workspace


@dataclass
class Log:
    """A copy of the finished log that a test may damage, and the checkpoints that were kept outside."""

    workspace: Workspace
    outside: list[Path]

    @property
    def entries(self) -> list[dict[str, Any]]:
        return manifest_entries(self.workspace)

    def path(self, number: int) -> Path:
        """File of the manifest's entry ``number``."""
        return self.workspace.lake_dir / self.entries[number]["file"]

    def rows(self, number: int) -> list[dict[str, Any]]:
        return pq.read_table(self.path(number)).to_pylist()

    def found(self, level: int = 2) -> dict[str, list[str]]:
        """What a verification finds: word → the objects it names."""
        against = self.outside if level == 3 else []
        found: dict[str, list[str]] = {}
        for finding in verify(self.workspace, level, against=against).findings:
            found.setdefault(finding.code, []).append(finding.object)
        return found


@pytest.fixture
def log(finished: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)
    shutil.copytree(finished.root, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    outside = tmp_path / "mail"
    shutil.copytree(workspace.checkpoint_dir, outside)
    return Log(workspace, sorted(outside.glob("*.checkpoint")))


def name(row: dict[str, Any]) -> str:
    return f"event {row['event_id']} (writer {row['writer_id']}, seq {row['seq']})"


def edited(row: dict[str, Any]) -> dict[str, Any]:
    """The row as if another agent had run: body and column say the same."""
    body = canonical_body({**parse_body(row["body"]), "agent_id": "other-agent"})
    return {**row, "agent_id": "other-agent", "body": body.decode()}


def rechained(rows: list[dict[str, Any]], prev_head: str) -> list[dict[str, Any]]:
    head = bytes.fromhex(prev_head)
    done = []
    for row in rows:
        head = next_head(head, row["body"].encode())
        done.append({**row, "hash": head.hex()})
    return done


def set_entry(log: Log, number: int, rows: list[dict[str, Any]], prev_head: str) -> str:
    """Write ``rows`` as the segment of entry ``number`` and make the manifest agree; returns the new head."""
    entries = log.entries
    path = log.path(number)
    rewrite_rows(path, rows)
    entries[number] |= {
        "count": len(rows),
        "first_seq": rows[0]["seq"],
        "last_seq": rows[-1]["seq"],
        "prev_head": prev_head,
        "head": rows[-1]["hash"],
        "file_bytes": path.stat().st_size,
        "file_sha256": file_sha256(path),
    }
    write_manifest(log.workspace, entries)
    return str(rows[-1]["hash"])


def rewrite_history(log: Log) -> None:
    """Change one event of the first writer and make everything after it agree: chain, files, manifest."""
    head = log.entries[0]["prev_head"]
    writer_id = log.entries[0]["writer_id"]
    for number, entry in enumerate(log.entries):
        if entry["writer_id"] == writer_id:
            rows = log.rows(number)
            if number == 0:
                rows[5] = edited(rows[5])
            head = set_entry(log, number, rechained(rows, head), head)


def sign_again(log: Log) -> None:
    """The thief has the notary's key: old checkpoints and the notary's memory go, a new one is signed."""
    for file in log.workspace.checkpoint_dir.glob("*.checkpoint"):
        file.unlink()
    memory_path(key_path(log.workspace)).unlink()
    notarise(log.workspace)


def drop_last_writer(log: Log) -> list[dict[str, Any]]:
    """Remove the last writer without a trace in lake and manifest; returns the entries that are left."""
    entries = log.entries
    last = entries[-1]["writer_id"]
    for entry in entries:
        if entry["writer_id"] == last:
            (log.workspace.lake_dir / entry["file"]).unlink()
    kept = [entry for entry in entries if entry["writer_id"] != last]
    write_manifest(log.workspace, kept)
    return kept


def test_an_untouched_log_has_no_findings_at_any_level(log: Log) -> None:
    assert [log.found(level) for level in (1, 2, 3)] == [{}, {}, {}]
    report = verify(log.workspace, 3, against=log.outside)
    assert (report.events, report.writers, report.segments) == (3 * 42, 3, len(log.entries))
    assert report.level == 3
    assert "accidents only" in report.notes[0]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_an_edited_row_is_named(log: Log, level: int) -> None:
    rows = log.rows(1)
    rows[3] = edited(rows[3])
    rewrite_rows(log.path(1), rows)
    found = log.found(level)
    assert found["chain_broken"] == [name(rows[3])]
    assert ("file_changed" in found) == (level >= 2)


def test_a_changed_column_beside_an_untouched_body_is_named(log: Log) -> None:
    rows = log.rows(1)
    rows[3] |= {"agent_id": "other-agent"}
    rewrite_rows(log.path(1), rows)
    assert log.found(1) == {"columns_differ": [name(rows[3])]}


def test_a_column_that_only_the_file_has_is_named(log: Log) -> None:
    rows = log.rows(1)
    rows[3] |= {"reason": "made up"}
    rewrite_rows(log.path(1), rows)
    assert log.found(1) == {"columns_differ": [name(rows[3])]}


def test_a_file_with_two_columns_of_one_name_is_named(log: Log) -> None:
    table = pq.read_table(log.path(0))
    pq.write_table(table.append_column("run_id", table["agent_id"]), log.path(0))
    assert log.found(1)["file_unreadable"] == [f"file {log.entries[0]['file']}"]


def test_a_column_emptied_for_a_whole_file_is_named(log: Log) -> None:
    rows = log.rows(1)
    rewrite_rows(log.path(1), [{**row, "agent_id": None} for row in rows])
    assert log.found(1) == {"columns_differ": [name(row) for row in rows]}


@pytest.mark.parametrize(
    "change", [{"body": None}, {"hash": None}, {"body": None, "hash": None, "seq": None}]
)
def test_a_row_without_its_proof_is_named(log: Log, change: dict[str, None]) -> None:
    rows = log.rows(1)
    rows[3] |= change
    rewrite_rows(log.path(1), rows)
    place = name({**rows[3], "seq": -1}) if "seq" in change else name(rows[3])
    assert place in log.found(1)["chain_broken"]


@pytest.mark.parametrize("body", ["", "[]", '{"seq":1}\n{"seq":2}', '{"seq":"one"}', '{"seq":1.5}'])
def test_a_body_of_another_form_is_named(log: Log, body: str) -> None:
    rows = log.rows(1)
    rows[3] |= {"body": body}
    rewrite_rows(log.path(1), rechained(rows, log.entries[1]["prev_head"]))
    assert log.found(1)["body_unreadable"] == [name(rows[3])]


def test_an_edited_and_rechained_file_is_named(log: Log) -> None:
    rows = log.rows(1)
    rows[3] = edited(rows[3])
    rewrite_rows(log.path(1), rechained(rows, log.entries[1]["prev_head"]))
    place = f"file {log.entries[1]['file']}"
    assert log.found(1) == {"head_differs": [place]}
    assert log.found(2) == {"head_differs": [place], "file_changed": [place]}


def test_a_rewritten_history_does_not_have_the_signed_root(log: Log) -> None:
    rewrite_history(log)
    assert set(log.found(1)) == {"manifest_rewritten"}


def test_a_stolen_key_does_not_help_against_a_checkpoint_kept_outside(log: Log) -> None:
    rewrite_history(log)
    sign_again(log)
    assert log.found(2) == {}
    assert set(log.found(3)) == {"manifest_rewritten"}


def test_a_removed_middle_row_is_named_by_its_place(log: Log) -> None:
    rows = log.rows(1)
    gone = rows.pop(4)
    rewrite_rows(log.path(1), rows)
    report = verify(log.workspace, 1)
    gap = next(finding for finding in report.findings if finding.code == "seq_gap")
    assert gap.object == f"writer {gone['writer_id']}"
    assert gap.detail == f"events {gone['seq']} to {gone['seq']} are missing"
    assert {"chain_broken", "count_differs"} <= {finding.code for finding in report.findings}


def test_swapped_rows_are_named(log: Log) -> None:
    rows = log.rows(1)
    rows[4], rows[5] = rows[5], rows[4]
    rewrite_rows(log.path(1), rows)
    assert {name(rows[4]), name(rows[5])} <= set(log.found(1)["chain_broken"])


def test_a_repeated_row_is_named(log: Log) -> None:
    rows = log.rows(1)
    rewrite_rows(log.path(1), [*rows[:5], rows[4], *rows[5:]])
    assert log.found(1)["seq_duplicate"] == [name(rows[4])]


def test_a_segment_cut_at_its_end_is_caught_even_with_a_matching_manifest(log: Log) -> None:
    number = len(log.entries) - 1
    writer_id = log.entries[number]["writer_id"]
    set_entry(log, number, log.rows(number)[:-2], log.entries[number]["prev_head"])
    found = log.found(1)
    assert set(found) == {"manifest_rewritten", "tail_missing"}
    assert found["tail_missing"] == [f"writer {writer_id}"]


def test_a_deleted_file_is_named(log: Log) -> None:
    place = f"file {log.entries[1]['file']}"
    log.path(1).unlink()
    assert log.found(1) == {"file_missing": [place]}


def test_a_file_deleted_with_its_manifest_line_is_caught(log: Log) -> None:
    writer_id, first, last = (log.entries[1][key] for key in ("writer_id", "first_seq", "last_seq"))
    log.path(1).unlink()
    write_manifest(log.workspace, [entry for number, entry in enumerate(log.entries) if number != 1])
    report = verify(log.workspace, 1)
    assert {finding.code for finding in report.findings} == {
        "seq_gap",
        "manifest_truncated",
        "manifest_rewritten",
    }
    gap = next(finding for finding in report.findings if finding.code == "seq_gap")
    assert (gap.object, gap.detail) == (f"writer {writer_id}", f"events {first} to {last} are missing")


def test_a_whole_writer_removed_leaves_the_manifest_short(log: Log) -> None:
    drop_last_writer(log)
    assert log.found(1) == {"manifest_truncated": ["manifest.jsonl", "manifest.jsonl"]}


def test_a_whole_writer_removed_and_signed_again_shows_only_outside(log: Log) -> None:
    drop_last_writer(log)
    sign_again(log)
    assert log.found(2) == {}
    assert log.found(3) == {"manifest_truncated": ["manifest.jsonl"], "checkpoint_missing": ["checkpoints/"]}


def test_a_rollback_to_an_older_checkpoint_contradicts_the_notarys_memory(log: Log) -> None:
    drop_last_writer(log)
    max(log.workspace.checkpoint_dir.glob("*.checkpoint")).unlink()
    assert log.found(1) == {"manifest_truncated": ["manifest.jsonl"], "checkpoint_missing": ["checkpoints/"]}
    memory_path(key_path(log.workspace)).unlink()
    assert log.found(2) == {}
    assert set(log.found(3)) == {"manifest_truncated", "checkpoint_missing"}


def test_a_forged_file_is_named(log: Log) -> None:
    forged = log.path(0).with_name("w20261104093000-0123456789abcdef-0-9.parquet")
    shutil.copy(log.path(0), forged)
    assert log.found(1) == {"file_unknown": [f"file {forged.relative_to(log.workspace.lake_dir)}"]}


def test_deleted_checkpoints_are_a_finding(log: Log) -> None:
    for file in log.workspace.checkpoint_dir.glob("*.checkpoint"):
        file.unlink()
    assert log.found(1) == {"checkpoint_missing": ["checkpoints/"]}
    shutil.rmtree(log.workspace.checkpoint_dir)
    assert log.found(1) == {"checkpoint_missing": ["checkpoints/"]}


def test_a_checkpoint_signed_by_somebody_else_is_named(log: Log) -> None:
    newest = max(log.workspace.checkpoint_dir.glob("*.checkpoint"))
    origin, size, rest = newest.read_text(encoding="utf-8").split("\n", 2)
    newest.write_text(f"{origin}\n{int(size) + 1}\n{rest}", encoding="utf-8")
    assert log.found(1)["checkpoint_invalid"] == [f"checkpoint {newest}"]


def test_a_replaced_key_does_not_open_the_checkpoint_kept_outside(log: Log) -> None:
    shutil.rmtree(log.workspace.checkpoint_dir)
    notarise(log.workspace)
    assert log.found(2) == {}
    assert set(log.found(3)) == {"checkpoint_invalid"}


def test_deleting_everything_shows_against_a_checkpoint_kept_outside(log: Log) -> None:
    vkey = (log.workspace.checkpoint_dir / "notary.vkey").read_text(encoding="utf-8")
    shutil.rmtree(log.workspace.lake_dir)
    shutil.rmtree(log.workspace.checkpoint_dir)
    log.workspace.manifest_file.unlink()
    with pytest.raises(NotaryError, match="Add --vkey"):
        log.found(3)
    report = verify(log.workspace, 3, against=log.outside, vkey=vkey)
    assert {finding.code for finding in report.findings} == {"manifest_truncated", "checkpoint_missing"}


def test_a_damaged_manifest_line_is_named(log: Log) -> None:
    lines = log.workspace.manifest_file.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace('"count":', '"coun":')
    log.workspace.manifest_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = log.found(1)
    assert found["manifest_damaged"] == ["manifest.jsonl line 2"]
    assert "manifest_rewritten" in found


def test_a_flipped_bit_in_a_sealed_file_is_caught_wherever_it_is(log: Log) -> None:
    path = log.path(1)
    content = path.read_bytes()
    place = f"file {log.entries[1]['file']}"
    for position in range(4, len(content), len(content) // 15):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :])
        assert place in log.found(2)["file_changed"]


def test_bodies_that_are_no_events_are_named_even_with_a_right_chain(log: Log) -> None:
    rows = log.rows(1)
    rows[3] |= {"body": json.dumps({"seq": rows[3]["seq"], "nothing": "known"})}
    rewrite_rows(log.path(1), rechained(rows, log.entries[1]["prev_head"]))
    assert log.found(1)["body_unreadable"] == [name(rows[3])]


def test_level_three_needs_a_checkpoint(log: Log) -> None:
    with pytest.raises(NotaryError, match=r"level 3 .* Add --against"):
        verify(log.workspace, 3)
    with pytest.raises(NotaryError, match="no level 4"):
        verify(log.workspace, 4)
