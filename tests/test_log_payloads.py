"""Payloads: texts apart from the log, provable by it, erasable without breaking it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.contract import derived_event_id
from ingest.errors import ContractError, SegmentError
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from tests.log_events import AT, started

TEXTS = ["Refund order 17, please.", "", "é\n\x00\U0001f600 =HYPERLINK(1)", "x" * 300_000]


def write_texts(workspace: Workspace, *, seal_bytes: int = 64 << 20) -> list[str]:
    """One closed writer whose events carry TEXTS, in two months; returns the payload ids."""
    ids = []
    with LogWriter(workspace, recorded_via="runner", process_name="test", seal_bytes=seal_bytes) as writer:
        for number, text in enumerate(TEXTS):
            at = AT + dt.timedelta(days=30 * (number % 2))
            made = make_payload(text, kind="task", occurred_at=at, run_id="r1", subject_id="mara-lindt")
            writer.append([started("r1", number, **made.columns)], [made.payload])
            ids.append(made.payload.payload_id)
    return ids


def payload_files(workspace: Workspace) -> list[Path]:
    return sorted(workspace.payload_dir.glob("month=*/*.parquet"))


def found(workspace: Workspace) -> dict[str, list[str]]:
    """What a verification finds, apart from the missing signature: word → objects."""
    words: dict[str, list[str]] = {}
    for finding in verify(workspace).findings:
        if finding.code != "checkpoint_missing":
            words.setdefault(finding.code, []).append(finding.object)
    return words


def test_the_commitment_is_the_hash_of_salt_and_text() -> None:
    payload, columns = make_payload("hällo", kind="answer", occurred_at=AT)
    commit = sha256(payload.salt + "hällo".encode()).hexdigest()
    assert columns == {"payload_id": f"p202611-{commit[:32]}", "payload_commit": commit, "payload_bytes": 6}
    assert len(payload.salt) == 32
    assert make_payload("hällo", kind="answer", occurred_at=AT).columns["payload_commit"] != commit


@pytest.mark.parametrize(
    ("content", "kind", "at", "problem"),
    [
        ("a", "prompt", AT, "is none of"),
        ("\ud800", "task", AT, "no UTF-8"),
        ("a", "task", dt.datetime(2026, 1, 1), "no time zone"),  # noqa: DTZ001  # the mistake under test
    ],
)
def test_a_payload_against_the_contract_is_refused(
    content: str, kind: str, at: dt.datetime, problem: str
) -> None:
    with pytest.raises(ContractError, match=problem):
        make_payload(content, kind=kind, occurred_at=at)


@pytest.mark.parametrize("seal_bytes", [100, 64 << 20])
def test_texts_come_back_exactly_sealed_by_month(workspace: Workspace, seal_bytes: int) -> None:
    ids = write_texts(workspace, seal_bytes=seal_bytes)
    assert {file.parent.name for file in payload_files(workspace)} == {"month=2026-11", "month=2026-12"}
    assert list(payload_texts(workspace, ids).items()) == list(zip(ids, TEXTS, strict=True))
    assert found(workspace) == {}


def test_texts_of_a_living_writer_are_readable_at_once(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        made = make_payload("now", kind="turn", occurred_at=AT)
        writer.append([started("r1", **made.columns)], [made.payload])
        assert payload_texts(workspace, [made.payload.payload_id]) == {made.payload.payload_id: "now"}


def test_a_text_that_was_never_kept_is_none(workspace: Workspace) -> None:
    write_texts(workspace)
    unknown = ["p202611-" + "0" * 32, "../../etc", ""]
    assert payload_texts(workspace, unknown) == dict.fromkeys(unknown)
    assert payload_texts(workspace, []) == {}


def test_no_text_and_no_salt_is_in_the_log(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="runner", process_name="test") as writer:
        made = make_payload("a very secret task", kind="task", occurred_at=AT)
        writer.append([started("r1", **made.columns)], [made.payload])
        in_flight = b"".join(path.read_bytes() for path in workspace.wal_dir.glob("*.wal"))
    assert b"secret" not in in_flight
    assert made.payload.salt.hex().encode() not in in_flight
    assert "secret" not in str(run_events(workspace, "r1"))


def change(file: Path, edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    rows = pq.read_table(file).to_pylist()
    pq.write_table(
        pa.Table.from_pylist(edit(rows), schema=pq.read_schema(file)), file, write_page_checksum=True
    )


def test_a_changed_text_is_named_and_never_shown(workspace: Workspace) -> None:
    ids = write_texts(workspace)
    change(payload_files(workspace)[0], lambda rows: [{**rows[0], "content": "Refund order 18"}, *rows[1:]])
    (place,) = found(workspace)["payload_changed"]
    assert ids[0] in place
    with pytest.raises(SegmentError, match=ids[0]):
        payload_texts(workspace, ids)


def test_a_text_changed_together_with_its_salt_is_named_too(workspace: Workspace) -> None:
    ids = write_texts(workspace)
    other = make_payload("Refund order 18", kind="task", occurred_at=AT).payload
    swap = {"content": other.content, "salt": other.salt}
    change(payload_files(workspace)[0], lambda rows: [{**rows[0], **swap}, *rows[1:]])
    assert ids[0] in found(workspace)["payload_changed"][0]


def test_a_text_that_is_gone_without_a_record_is_a_finding(workspace: Workspace) -> None:
    write_texts(workspace)
    change(payload_files(workspace)[0], lambda rows: rows[1:])
    event = run_events(workspace, "r1")[0]
    place = f"event {event['event_id']} (writer {event['writer_id']}, seq {event['seq']})"
    assert found(workspace) == {"payload_missing": [place]}


@pytest.mark.parametrize("by", ["payload_id", "run_id"])
def test_a_text_that_was_erased_on_record_is_no_finding(workspace: Workspace, by: str) -> None:
    ids = write_texts(workspace)
    change(payload_files(workspace)[0], lambda rows: rows[1:])
    with LogWriter(workspace, recorded_via="app", process_name="test") as writer:
        erasure = {
            "event_id": derived_event_id(AT, "erasure"),
            "event_type": "payload_erased",
            "occurred_at": AT,
            "row_count": 1,
            "reason": "asked for by the person",
            by: {"payload_id": ids[0], "run_id": "r1"}[by],
        }
        writer.append([erasure])
    assert found(workspace) == {}
    assert "1 of 4 payloads were erased" in " ".join(verify(workspace).notes)
    assert payload_texts(workspace, ids)[ids[0]] is None


def test_a_payload_file_that_cannot_be_read_is_named(workspace: Workspace) -> None:
    write_texts(workspace)
    file = payload_files(workspace)[0]
    file.write_bytes(file.read_bytes()[:-20])
    words = found(workspace)
    assert words["payload_unreadable"] == [f"file {file.relative_to(workspace.payload_dir)}"]
    assert len(words["payload_missing"]) == 2
