"""Erasure: text and salt are gone, the record and every proof stay, and nothing brings the text back."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest

from ingest.erasure import erase
from ingest.errors import MaintenanceError, MaintenanceRefusal
from ingest.holds import add_hold, release_hold
from ingest.log.recover import recover
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from tests.log_events import AT, started
from tests.log_kills import killed

RUNS = ("r1", "r2")


def write_texts(
    writer: LogWriter, run_id: str, *, person: str = "mara-lindt", kind: str = "task"
) -> list[str]:
    """Two events of ``run_id`` with a text each, in two months; returns the payload ids."""
    ids = []
    for number in range(2):
        at = AT + dt.timedelta(days=30 * number)
        made = make_payload(
            f"secret {number} of {run_id}", kind=kind, occurred_at=at, run_id=run_id, subject_id=person
        )
        writer.append([started(run_id, number, **made.columns)], [made.payload])
        ids.append(made.payload.payload_id)
    return ids


def closed_log(workspace: Workspace) -> dict[str, list[str]]:
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        return {run: write_texts(writer, run) for run in RUNS}


def found(workspace: Workspace) -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    for finding in verify(workspace).findings:
        if finding.code != "checkpoint_missing":
            words.setdefault(finding.code, []).append(finding.object)
    return words


def stored_bytes(workspace: Workspace) -> bytes:
    """Everything in the payload store, as an investigator with Parquet tools would read it."""
    import pyarrow.parquet as pq

    sealed = [
        str(pq.read_table(path).to_pylist()).encode() for path in workspace.payload_dir.rglob("*.parquet")
    ]
    return b"".join(sealed + [path.read_bytes() for path in workspace.payload_dir.rglob("*.wal")])


def test_the_texts_of_a_run_go_and_the_proof_stays(workspace: Workspace) -> None:
    ids = closed_log(workspace)
    report = erase(workspace, run_id="r1", reason="request 17", person_id="helena-brandt")
    assert (report.erased_count, report.finished_count, report.open_count) == (2, 0, 0)
    assert payload_texts(workspace, ids["r1"]) == dict.fromkeys(ids["r1"])
    assert None not in payload_texts(workspace, ids["r2"]).values()
    assert b"of r1" not in stored_bytes(workspace)
    assert b"of r2" in stored_bytes(workspace)
    assert found(workspace) == {}
    assert "2 of 4 payloads were erased, each on record." in verify(workspace).notes
    records = [event for event in run_events(workspace, "r1") if event["event_type"] == "payload_erased"]
    assert sorted(str(event["payload_id"]) for event in records) == sorted(ids["r1"])
    assert {(event["actor_id"], event["reason"]) for event in records} == {("helena-brandt", "request 17")}
    again = erase(workspace, run_id="r1", reason="request 17", person_id="helena-brandt")
    assert (again.erased_count, again.finished_count) == (0, 0)


def test_the_texts_about_a_person_go_but_not_the_specifications(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        hers = write_texts(writer, "r1", person="mara-lindt")
        his = write_texts(writer, "r2", person="jon-vass")
        written = write_texts(writer, "r3", person="mara-lindt", kind="specification")
    assert (
        erase(workspace, subject_id="mara-lindt", reason="left", person_id="helena-brandt").erased_count == 2
    )
    texts = payload_texts(workspace, [*hers, *his, *written])
    assert [payload_id for payload_id, text in texts.items() if text is None] == hers
    assert found(workspace) == {}


def test_erased_missing_and_changed_are_told_apart(workspace: Workspace) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = closed_log(workspace)
    erase(workspace, run_id="r1", reason="request", person_id="helena-brandt")
    first, second = sorted(workspace.payload_dir.glob("month=*/*.parquet"))
    first.unlink()
    rows = [{**row, "content": "other"} for row in pq.read_table(second).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(second)), second)
    words = found(workspace)
    assert set(words) == {"payload_missing", "payload_changed"}
    assert len(words["payload_missing"]) == 1
    assert ids["r2"][1] in words["payload_changed"][0]


def test_a_dead_writer_does_not_bring_the_text_back(workspace: Workspace) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="dies")
    ids = write_texts(writer, "r1")
    del writer
    assert erase(workspace, run_id="r1", reason="request", person_id="p").erased_count == 2
    recover(workspace)
    assert payload_texts(workspace, ids) == dict.fromkeys(ids)
    assert b"of r1" not in stored_bytes(workspace)
    assert found(workspace) == {}


@pytest.mark.parametrize("end", ["closes", "dies"])
def test_a_text_of_a_living_writer_is_hidden_at_once_and_never_sealed(workspace: Workspace, end: str) -> None:
    writer = LogWriter(workspace, recorded_via="runner", process_name="lives")
    ids = write_texts(writer, "r1")
    kept = write_texts(writer, "r2")
    report = erase(workspace, run_id="r1", reason="request", person_id="p")
    assert (report.erased_count, report.open_count) == (2, 2)
    assert payload_texts(workspace, ids) == dict.fromkeys(ids)
    assert found(workspace) == {}
    if end == "closes":
        writer.close()
    del writer
    recover(workspace)
    assert b"of r1" not in stored_bytes(workspace)
    assert payload_texts(workspace, [*ids, *kept]) == {
        **dict.fromkeys(ids),
        kept[0]: "secret 0 of r2",
        kept[1]: "secret 1 of r2",
    }
    assert found(workspace) == {}


def test_a_backup_that_brings_a_text_back_is_named_and_erased_again(
    workspace: Workspace, tmp_path: Path
) -> None:
    ids = closed_log(workspace)
    shutil.copytree(workspace.payload_dir, tmp_path / "backup")
    erase(workspace, run_id="r1", reason="request", person_id="p")
    shutil.copytree(tmp_path / "backup", workspace.payload_dir, dirs_exist_ok=True)
    assert set(found(workspace)) == {"erasure_unfinished"}
    report = erase(workspace, run_id="r1", reason="request", person_id="p")
    assert (report.erased_count, report.finished_count) == (0, 2)
    assert payload_texts(workspace, ids["r1"]) == dict.fromkeys(ids["r1"])
    assert found(workspace) == {}


def test_an_erasure_killed_at_any_step_is_finished_by_the_next(tmp_path: Path) -> None:
    template = Workspace.create(tmp_path / "template")
    ids = closed_log(template)
    for state in killed(template.root, tmp_path, "erase"):
        assert set(found(state)) <= {"erasure_unfinished"}, state.root
        erase(state, run_id="r1", reason="request", person_id="p")
        assert payload_texts(state, ids["r1"]) == dict.fromkeys(ids["r1"])
        assert None not in payload_texts(state, ids["r2"]).values()
        assert b"of r1" not in stored_bytes(state)
        assert not list(state.payload_dir.glob("*.erasing"))
        assert found(state) == {}, state.root


@pytest.mark.parametrize("scope", [{"run_id": "r1"}, {"agent_id": "refund-agent"}, {}])
def test_a_legal_hold_forbids_it(workspace: Workspace, scope: dict[str, Any]) -> None:
    ids = closed_log(workspace)
    hold = add_hold(workspace, reason="court case", person_id="p", **scope)
    with pytest.raises(MaintenanceRefusal, match=hold.hold_id):
        erase(workspace, run_id="r1", reason="request", person_id="p")
    assert None not in payload_texts(workspace, ids["r1"]).values()
    release_hold(workspace, hold.hold_id, reason="settled", person_id="p")
    assert erase(workspace, run_id="r1", reason="request", person_id="p").erased_count == 2
    assert found(workspace) == {}


def test_a_hold_on_another_run_does_not_forbid_it(workspace: Workspace) -> None:
    closed_log(workspace)
    add_hold(workspace, reason="court case", person_id="p", run_id="r2")
    assert erase(workspace, run_id="r1", reason="request", person_id="p").erased_count == 2


@pytest.mark.parametrize("what", [{}, {"run_id": "r1", "subject_id": "p"}, {"run_id": "r1", "reason": " "}])
def test_an_erasure_without_aim_or_reason_is_refused(workspace: Workspace, what: dict[str, Any]) -> None:
    with pytest.raises(MaintenanceError, match="a run or a person, not both, and a reason"):
        erase(workspace, **{"reason": "request", "person_id": "p", **what})
