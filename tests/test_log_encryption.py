"""Encrypted texts: nothing readable on the disk, every proof holds, keys change, a missing key is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.erasure import erase
from ingest.errors import KeyUnusable, PayloadLocked, SegmentError, WriterError
from ingest.evidence import Scope, make_bundle
from ingest.log.checkpoint import notarise
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payload_keys import KEY_VARIABLE, Keyring, add_key, keyring, new_key
from ingest.payload_rewrap import rewrap
from ingest.payloads import make_payload
from ingest.reader import payload_texts
from ingest.workspace import Workspace
from tests.log_events import AT, started
from tests.log_kills import killed
from tests.test_log_commands import Command, fleetbook
from tests.test_log_evidence import checked

__all__ = ["fleetbook"]

TEXTS = [f"The customer's name is Ännchen {number}" for number in range(6)]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key file with one key, in use."""
    path = tmp_path / "keys" / "texts.key"
    add_key(path)
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    return path


def write(workspace: Workspace, texts: list[str], *, run_id: str = "r1") -> list[str]:
    """One event a text; returns the payload ids."""
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        made = [make_payload(text, kind="turn", occurred_at=AT, run_id=run_id) for text in texts]
        for number, one in enumerate(made):
            writer.append([started(run_id, number, **one.columns)], [one.payload])
            if number == 1:
                on_disk = b"".join(path.read_bytes() for path in workspace.payload_dir.rglob("*.wal"))
                assert (text_bytes(texts[0]) in on_disk) == (not keyring().keys)
        return [one.payload.payload_id for one in made]


def text_bytes(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).strip('"').encode()


def rows(workspace: Workspace) -> list[dict[str, Any]]:
    files = sorted(workspace.payload_dir.rglob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def codes(workspace: Workspace) -> set[str]:
    return {finding.code for finding in verify(workspace).findings} - {"checkpoint_missing"}


def test_texts_are_written_encrypted_and_come_back(workspace: Workspace, key_file: Path) -> None:
    ids = write(workspace, TEXTS)
    assert list(payload_texts(workspace, ids).values()) == TEXTS
    (key_id,) = keyring().keys
    assert [(row["key_id"], row["salt"]) for row in rows(workspace)] == [(key_id, b"")] * len(TEXTS)
    assert not any("Ännchen" in row["content"] for row in rows(workspace))
    assert len({row["content"] for row in rows(workspace)}) == len(TEXTS)
    assert codes(workspace) == set()
    assert verify(workspace).payloads == len(TEXTS)


def test_without_the_key_reading_says_so_and_verify_checks_what_it_can(
    workspace: Workspace, key_file: Path, monkeypatch: pytest.MonkeyPatch, fleetbook: Command
) -> None:
    ids = write(workspace, TEXTS)
    (key_id,) = keyring().keys
    notarise(workspace)
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(PayloadLocked, match=key_id):
        payload_texts(workspace, ids)
    report = verify(workspace)
    assert report.ok
    assert (report.payloads, report.unchecked) == (0, len(TEXTS))
    assert any(f"6 texts are encrypted with key {key_id}" in note for note in report.notes)
    code, said, _ = fleetbook("verify")
    assert (code, "6 texts could not be checked" in " ".join(said.split())) == (2, True)
    (file,) = workspace.payload_dir.rglob("*.parquet")
    kept = pq.read_table(file)
    pq.write_table(kept.slice(1), file)
    assert codes(workspace) == {"payload_missing"}


def test_a_workspace_with_encrypted_texts_takes_no_others(
    workspace: Workspace, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, TEXTS)
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(WriterError, match="texts of this workspace are encrypted"):
        write(workspace, TEXTS, run_id="r2")
    monkeypatch.setenv(KEY_VARIABLE, str(key_file.with_name("gone")))
    with pytest.raises(WriterError, match="cannot be read"):
        write(workspace, TEXTS, run_id="r3")
    monkeypatch.setenv(KEY_VARIABLE, str(key_file))
    assert not any("Ännchen" in row["content"] for row in rows(workspace))
    assert codes(workspace) == set()


def test_a_changed_ciphertext_is_named(workspace: Workspace, key_file: Path) -> None:
    ids = write(workspace, TEXTS)
    (file,) = workspace.payload_dir.rglob("*.parquet")
    kept = pq.read_table(file).to_pylist()
    kept[0]["content"], kept[1]["content"] = kept[1]["content"], kept[0]["content"]
    pq.write_table(pa.Table.from_pylist(kept, pq.read_schema(file)), file)
    changed = {
        finding.object.split()[1] for finding in verify(workspace).findings if "payload" in finding.code
    }
    assert changed == {kept[0]["payload_id"], kept[1]["payload_id"]}
    with pytest.raises(SegmentError, match="Payload changed"):
        payload_texts(workspace, ids)


def test_a_new_key_encrypts_what_comes_and_rewrapping_the_rest(
    workspace: Workspace, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE)
    clear = write(workspace, TEXTS, run_id="r0")
    monkeypatch.setenv(KEY_VARIABLE, str(key_file))
    first = keyring().newest
    with LogWriter(workspace, recorded_via="runner", process_name="long-lived") as writer:
        one, two = (make_payload(text, kind="turn", occurred_at=AT, run_id="r1") for text in TEXTS[:2])
        writer.append([started("r1", 0, **one.columns)], [one.payload])
        second = add_key(key_file)
        writer.append([started("r1", 1, **two.columns)], [two.payload])
    assert [row["key_id"] for row in rows(workspace) if row["run_id"] == "r1"] == [first, second]
    ids = [*clear, one.payload.payload_id, two.payload.payload_id]
    report = rewrap(workspace)
    assert (report.key_id, report.rewrapped_count, report.locked_count) == (second, len(clear) + 1, 0)
    assert {row["key_id"] for row in rows(workspace)} == {second}
    assert rewrap(workspace).rewrapped_count == 0
    newest = key_file.read_text(encoding="utf-8").splitlines()[-1]
    monkeypatch.setenv(KEY_VARIABLE, newest)
    assert list(payload_texts(workspace, ids).values()) == [*TEXTS, *TEXTS[:2]]
    assert codes(workspace) == set()


def test_a_rewrapping_killed_at_any_step_loses_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = Workspace.create(tmp_path / "template")
    ids = [payload_id for run_id in ("r1", "r2") for payload_id in write(template, TEXTS[:2], run_id=run_id)]
    monkeypatch.setenv(KEY_VARIABLE, new_key())
    states = killed(template.root, tmp_path, "rewrap")
    assert len(states) > 8
    for state in states:
        assert list(payload_texts(state, ids).values()) == TEXTS[:2] * 2
        assert codes(state) == set()
        rewrap(state)
        assert {row["key_id"] for row in rows(state)} == {keyring().newest}
        assert not list(state.payload_dir.glob("*.rewrapping"))


def test_rewrapping_leaves_what_it_has_no_key_for(
    workspace: Workspace, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, TEXTS)
    before = rows(workspace)
    monkeypatch.setenv(KEY_VARIABLE, new_key())
    assert rewrap(workspace).locked_count == len(TEXTS)
    assert rows(workspace) == before


def test_rewrapping_makes_no_changed_text_look_right(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, TEXTS)
    (file,) = workspace.payload_dir.rglob("*.parquet")
    kept = pq.read_table(file).to_pylist()
    kept[2]["content"] = "something else"
    pq.write_table(pa.Table.from_pylist(kept, pq.read_schema(file)), file)
    monkeypatch.setenv(KEY_VARIABLE, new_key())
    with pytest.raises(SegmentError, match=kept[2]["payload_id"]):
        rewrap(workspace)
    assert rows(workspace) == kept


@pytest.mark.parametrize("has_key", [True, False])
def test_texts_are_erased_with_or_without_their_key(
    workspace: Workspace, key_file: Path, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    kept = write(workspace, TEXTS[:2], run_id="r2")
    gone = write(workspace, TEXTS)
    if not has_key:
        monkeypatch.delenv(KEY_VARIABLE)
    assert erase(workspace, run_id="r1", reason="asked", person_id="mara-lindt").erased_count == len(gone)
    monkeypatch.setenv(KEY_VARIABLE, str(key_file))
    assert codes(workspace) == set()
    assert list(payload_texts(workspace, [*kept, *gone]).values()) == [*TEXTS[:2], *[None] * len(gone)]


def test_a_bundle_has_the_texts_when_the_key_is_there_and_says_when_not(
    workspace: Workspace, tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, TEXTS)
    notarise(workspace)
    bundle = make_bundle(workspace, Scope(run_id="r1"), tmp_path / "with")
    assert (bundle.text_count, bundle.locked_count) == (len(TEXTS), 0)
    assert "Ännchen" in (tmp_path / "with" / "payloads.jsonl").read_text(encoding="utf-8")
    assert checked(tmp_path / "with")[0] == 0
    monkeypatch.delenv(KEY_VARIABLE)
    bundle = make_bundle(workspace, Scope(run_id="r1"), tmp_path / "without")
    assert (bundle.text_count, bundle.locked_count) == (0, len(TEXTS))
    code, said = checked(tmp_path / "without")
    assert (code, "6 texts were encrypted with a key that was not at hand" in said) == (0, True)


def test_a_key_file_that_is_none_is_named_and_never_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk\n", encoding="utf-8")
    with pytest.raises(KeyUnusable, match="a word that is none"):
        add_key(path)
    assert path.read_text(encoding="utf-8") == "remember the milk\n"
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    with pytest.raises(KeyUnusable, match=r"notes\.txt"):
        keyring()
    made = tmp_path / "texts.key"
    add_key(made)
    assert made.stat().st_mode & 0o777 == 0o600
    two = Keyring.parse(f"# ours\n{new_key()}, {new_key()}\n", "here")
    assert len(two.keys) == 2


def test_the_commands_say_what_to_do_next(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleetbook: Command
) -> None:
    write(workspace, TEXTS)
    code, _, problem = fleetbook("log", "encrypt")
    assert (code, "fleetbook log key FILE" in problem) == (2, True)
    path = tmp_path / "texts.key"
    code, said, _ = fleetbook("log", "key", str(path))
    assert (code, f"{KEY_VARIABLE}={path}" in said) == (0, True)
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    code, said, _ = fleetbook("log", "encrypt")
    assert (code, "6 texts" in said) == (0, True)
    shutil.copytree(workspace.root, tmp_path / "copy")
    assert codes(Workspace.open(tmp_path / "copy")) == set()
