"""Evidence bundles: checked in a clean process without Fleetbook, and every change to one is named."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.erasure import erase
from ingest.errors import EvidenceError
from ingest.evidence import Scope, make_bundle
from ingest.log.checkpoint import VKEY_FILE, notarise
from ingest.log.compact import compact
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.workspace import Workspace
from tests.log_events import AT, started


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)


def signed_log(workspace: Workspace) -> str:
    """Two writers with small segments, runs a and b mixed, a text each third event; returns the vkey."""
    for process in ("one", "two"):
        with LogWriter(workspace, recorded_via="runner", process_name=process, seal_bytes=4_000) as writer:
            for number in range(24):
                run = f"run-{'ab'[number % 2]}"
                if number % 3:
                    writer.append([started(run, number, agent_id=process)])
                else:
                    made = make_payload(f"{process} {number} é", kind="turn", occurred_at=AT, run_id=run)
                    writer.append([started(run, number, agent_id=process, **made.columns)], [made.payload])
    notarise(workspace)
    return (workspace.checkpoint_dir / VKEY_FILE).read_text(encoding="utf-8").strip()


def checked(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the bundle's own verifier, isolated from this checkout."""
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "verify.py"), *arguments],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": ""},
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize(
    ("scope", "events", "texts"),
    [
        (Scope(run_id="run-a"), 24, 8),
        (Scope(agent_id="one"), 24, 8),
        (Scope(month="2026-11"), 48, 16),
    ],
)
def test_a_bundle_holds_without_fleetbook(
    workspace: Workspace, tmp_path: Path, scope: Scope, events: int, texts: int, is_compacted: bool
) -> None:
    vkey = signed_log(workspace)
    if is_compacted:
        assert compact(workspace, clock=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).records
    bundle = make_bundle(workspace, scope, tmp_path / "bundle")
    # A month also has the writers' own events, when it is the month of this test run.
    assert bundle.event_count == events or (scope.month and bundle.event_count > events)
    assert (bundle.text_count, bundle.unsigned_count) == (texts, 0)
    code, out = checked(bundle.folder, "--vkey", vkey)
    assert (code, "Everything holds" in out) == (0, True), out
    code, out = checked(bundle.folder)
    assert (code, "Give --vkey" in out) == (0, True)


def test_nothing_of_ours_is_imported_by_the_verifier(repository: Path) -> None:
    text = (repository / "ingest" / "evidence_verify.py").read_text(encoding="utf-8")
    imported = {
        line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)
        workspace = Workspace.create(tmp_path_factory.mktemp("log") / "workspace")
        vkey = signed_log(workspace)
        return make_bundle(workspace, Scope(run_id="run-a"), workspace.root.parent / "bundle").folder, vkey


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def edit(file: str, change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        rows = lines(folder / file)
        change(rows)
        write_lines(folder / file, rows)

    return apply


def edit_first(rows: list[dict[str, Any]]) -> None:
    """Edit the first event."""
    rows[0]["body"] = rows[0]["body"].replace("run-a", "run-c")


def withhold_half(folder: Path) -> None:
    """Mark one event as out of scope and make the count agree."""
    edit("events.jsonl", lambda rows: rows[0].update(is_in_scope=False))(folder)
    about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    about["event_count"] -= 1
    (folder / "bundle.json").write_text(json.dumps(about), encoding="utf-8")


def sign_with_another_key(folder: Path) -> None:
    from ingest.log.note import Checkpoint, Signer

    signer = Signer.generate("fleetbook.local/0000000000000000")
    origin, size, root = (folder / "checkpoint").read_text(encoding="utf-8").split("\n")[:3]
    del origin
    note = signer.sign(f"{signer.name}\n{size}\n{root}\n")
    Checkpoint.parse(signer.verifier.open(note))
    (folder / "checkpoint").write_text(note, encoding="utf-8")
    (folder / "notary.vkey").write_text(signer.verifier.vkey, encoding="utf-8")


def state_another_size(folder: Path) -> None:
    note = (folder / "checkpoint").read_text(encoding="utf-8").split("\n")
    note[1] = str(int(note[1]) + 1)
    (folder / "checkpoint").write_text("\n".join(note), encoding="utf-8")


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "edited event": (edit("events.jsonl", edit_first), "does not have the chain value"),
    "removed event": (edit("events.jsonl", lambda rows: rows.pop(3)), "stands at seq"),
    "swapped events": (edit("events.jsonl", lambda rows: rows.insert(0, rows.pop(1))), "stands at seq"),
    "event added": (edit("events.jsonl", lambda rows: rows.append(rows[-1])), "belong to no chain"),
    "changed line": (
        edit("chains.jsonl", lambda rows: rows[0].update(line=rows[0]["line"].replace("segment", "segmenT"))),
        "not in the signed tree",
    ),
    "changed proof": (
        edit("chains.jsonl", lambda rows: rows[0].update(index=rows[0]["index"] + 1)),
        "not in the",
    ),
    "changed start": (
        edit("chains.jsonl", lambda rows: rows[0].update(hash_before="00" * 32)),
        "chain value",
    ),
    "changed text": (edit("payloads.jsonl", lambda rows: rows[0].update(content="other")), "commitment"),
    "removed text": (edit("payloads.jsonl", lambda rows: rows.pop()), "not in the bundle"),
    "hidden text": (
        edit("payloads.jsonl", lambda rows: rows[0].update(state="erased")),
        "no event records it",
    ),
    "foreign text": (
        edit("payloads.jsonl", lambda rows: rows.append({**rows[0], "payload_id": "p202611-0"})),
        "no event in the bundle names it",
    ),
    "hidden event": (withhold_half, "marked as in scope"),
    "other key": (sign_with_another_key, "not signed by this key"),
    "other checkpoint": (state_another_size, "not signed by this key"),
}


@pytest.mark.parametrize("attack", TAMPERED)
def test_a_changed_bundle_is_named(made: tuple[Path, str], tmp_path: Path, attack: str) -> None:
    folder, vkey = made
    change, sentence = TAMPERED[attack]
    shutil.copytree(folder, tmp_path / "bundle")
    change(tmp_path / "bundle")
    code, out = checked(tmp_path / "bundle", "--vkey", vkey)
    assert (code, sentence in out) == (1, True), out


@pytest.mark.parametrize(
    "file", ["events.jsonl", "chains.jsonl", "payloads.jsonl", "bundle.json", "checkpoint"]
)
def test_a_bundle_with_a_file_missing_was_not_checked(
    made: tuple[Path, str], tmp_path: Path, file: str
) -> None:
    shutil.copytree(made[0], tmp_path / "bundle")
    (tmp_path / "bundle" / file).unlink()
    code, out = checked(tmp_path / "bundle", "--vkey", made[1])
    assert (code, "Not checked" in out) == (2, True)


def test_erased_and_withheld_texts_are_told_apart(workspace: Workspace, tmp_path: Path) -> None:
    signed_log(workspace)
    withheld = make_bundle(workspace, Scope(run_id="run-a"), tmp_path / "withheld", with_texts=False)
    assert {row["state"] for row in lines(withheld.folder / "payloads.jsonl")} == {"withheld"}
    assert checked(withheld.folder)[0] == 0
    erase(workspace, run_id="run-a", reason="request", person_id="p")
    early = make_bundle(workspace, Scope(run_id="run-a"), tmp_path / "early")
    code, out = checked(early.folder)  # the record of the erasure is not signed yet, so it proves nothing
    assert (code, "no event records it" in out) == (1, True)
    notarise(workspace)
    erased = make_bundle(workspace, Scope(run_id="run-a"), tmp_path / "erased")
    assert {row["state"] for row in lines(erased.folder / "payloads.jsonl")} == {"erased"}
    assert checked(erased.folder)[0] == 0


def test_unsigned_events_are_left_out_and_counted(workspace: Workspace, tmp_path: Path) -> None:
    signed_log(workspace)
    with LogWriter(workspace, recorded_via="runner", process_name="open") as writer:
        writer.append([started("run-a", 90)])
        bundle = make_bundle(workspace, Scope(run_id="run-a"), tmp_path / "bundle")
        assert (bundle.event_count, bundle.unsigned_count) == (24, 1)
        assert checked(bundle.folder)[0] == 0


def test_no_bundle_without_a_signature_or_with_nothing_in_it(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="never signed"):
        make_bundle(workspace, Scope(run_id="run-a"), tmp_path / "bundle")
    signed_log(workspace)
    with pytest.raises(EvidenceError, match="Check the id"):
        make_bundle(workspace, Scope(run_id="run-z"), tmp_path / "bundle")
    with pytest.raises(EvidenceError, match="Choose one"):
        make_bundle(workspace, Scope(), tmp_path / "bundle")
    with pytest.raises(EvidenceError, match="no month"):
        make_bundle(workspace, Scope(month="November"), tmp_path / "bundle")
    make_bundle(workspace, Scope(run_id="run-a"), tmp_path / "bundle")
    with pytest.raises(EvidenceError, match="not empty"):
        make_bundle(workspace, Scope(run_id="run-a"), tmp_path / "bundle")
