"""Append, kill, recover, seal, compact, prune, erase, sign and verify, in any order: the log stays whole."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingest.erasure import erase
from ingest.log.checkpoint import notarise
from ingest.log.compact import compact
from ingest.log.heads import HeadNotary
from ingest.log.recover import recover
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payloads import make_payload
from ingest.reader import payload_texts, snapshot
from ingest.retention import prune
from ingest.workspace import Workspace
from tests.log_events import started, stored_rows

WRITERS = st.integers(0, 2)
RUNS = st.sampled_from(["r1", "r2"])
YEAR = dt.timedelta(days=365)


class LogMachine(RuleBasedStateMachine):
    """Three places for writers, two runs; ``events`` and ``texts`` are what the log has acknowledged."""

    @initialize()
    def begin(self) -> None:
        """An empty workspace, two years ago, so that events can become old enough to prune."""
        self.folder = Path(tempfile.mkdtemp(prefix="fleetbook-machine-"))
        self.workspace = Workspace.create(self.folder / "workspace")
        self.now = dt.datetime.now(dt.UTC) - 2 * YEAR
        self.writers: dict[int, LogWriter] = {}
        self.events: dict[str, str] = {}  # event id → chain value where it ends its batch, else ""
        self.texts: dict[str, tuple[str, str]] = {}  # payload id → run, text
        self.number = 0
        self.notary: HeadNotary | None = None

    def clock(self) -> dt.datetime:
        """The time in the machine's world."""
        return self.now

    @rule(place=WRITERS, run_id=RUNS, count=st.integers(1, 3), has_text=st.booleans())
    def append(self, place: int, run_id: str, count: int, has_text: bool) -> None:
        """Append a batch; the first writer at a place is opened by this, and seals after a few events."""
        self.now += dt.timedelta(minutes=1)
        if place not in self.writers:
            self.writers[place] = LogWriter(
                self.workspace, recorded_via="runner", process_name="m", clock=self.clock, seal_bytes=1_200
            )
        events = [started(run_id, self.number + offset, occurred_at=self.now) for offset in range(count)]
        self.number += count
        made = make_payload(f"text {self.number}", kind="turn", occurred_at=self.now, run_id=run_id)
        if has_text:
            events[0].update(made.columns)
        receipt = self.writers[place].append(events, [made.payload] if has_text else [])
        self.events.update((str(event["event_id"]), "") for event in events)
        self.events[str(events[-1]["event_id"])] = receipt.head
        if has_text:
            self.texts[made.payload.payload_id] = (run_id, made.payload.content)

    @precondition(lambda self: self.writers)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        """A writer ends in order."""
        self.writers.pop(data.draw(st.sampled_from(sorted(self.writers)))).close()

    @precondition(lambda self: self.writers)
    @rule(data=st.data(), torn_bytes=st.integers(0, 40))
    def kill(self, data: st.DataObject, torn_bytes: int) -> None:
        """A writer dies in the middle of its next line."""
        writer = self.writers.pop(data.draw(st.sampled_from(sorted(self.writers))))
        writer_id = writer.writer_id
        del writer
        for path in sorted(self.workspace.wal_dir.glob(f"{writer_id}-*.wal"))[-1:]:
            with path.open("ab") as stream:
                stream.write(b"0123456789abcdef0123456789abcdef0123456789abcdef"[:torn_bytes])

    @rule()
    def recover(self) -> None:
        """What the dead left is sealed."""
        assert recover(self.workspace, clock=self.clock).problems == ()

    @rule(days=st.integers(1, 300))
    def wait(self, days: int) -> None:
        """Time passes, though not beyond today."""
        self.now = min(self.now + dt.timedelta(days=days), dt.datetime.now(dt.UTC))

    @rule()
    def compact(self) -> None:
        """Small files of finished days are put together."""
        compact(self.workspace, clock=self.clock)

    @rule()
    def prune(self) -> None:
        """What is older than the legal floor goes; what was there says what has to be left."""
        before = self._rows()
        oldest = self.now - dt.timedelta(days=184)
        prune(
            self.workspace,
            older_than_days=184,
            reason="its time is over",
            person_id="p",
            clock=self.clock,
        )
        after = {row["event_id"] for row in self._rows()}
        for row in before:
            if row["event_id"] not in after:
                assert row["recorded_at"] <= oldest
                self.events.pop(row["event_id"], None)
                self.texts.pop(row["payload_id"] or "", None)

    @rule(run_id=RUNS)
    def erase(self, run_id: str) -> None:
        """The texts of a run are erased, in open and in sealed files."""
        erase(self.workspace, run_id=run_id, reason="request", person_id="p", clock=self.clock)
        gone = [payload_id for payload_id, (run, _) in self.texts.items() if run == run_id]
        assert set(payload_texts(self.workspace, gone).values()) <= {None}
        for payload_id in gone:
            del self.texts[payload_id]

    @rule()
    def sign(self) -> None:
        """A checkpoint, and the heads of the open writers."""
        notarise(self.workspace, clock=self.clock)
        self.notary = self.notary or HeadNotary(self.workspace, clock=self.clock)
        self.notary.sign()

    def _rows(self) -> list[dict[str, object]]:
        return stored_rows(snapshot(self.workspace, self.workspace.build_dir / "snapshot").files)

    @invariant()
    def nothing_is_found(self) -> None:
        """Nobody tampered with anything."""
        if hasattr(self, "workspace"):
            found = {finding.code for finding in verify(self.workspace).findings}
            assert found <= ({"checkpoint_missing"} if self.notary is None else set())

    def teardown(self) -> None:
        """At the end every acknowledged event is there once, with its chain value, and so is every text."""
        if not hasattr(self, "workspace"):
            return
        rows = self._rows()
        hashes = {str(row["event_id"]): row["hash"] for row in rows if row["event_type"] == "run_started"}
        assert hashes.keys() == self.events.keys()
        assert len({(row["writer_id"], row["seq"]) for row in rows}) == len(rows)
        assert [one for one, head in self.events.items() if head and hashes[one] != head] == []
        wanted = {payload_id: text for payload_id, (_, text) in self.texts.items()}
        assert payload_texts(self.workspace, wanted) == wanted
        self.writers.clear()
        shutil.rmtree(self.folder)


@pytest.fixture(autouse=True)
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power is lost here: syncs cost nothing, and the notary's key is the workspace's own."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)


def test_any_order_of_work_leaves_a_log_in_which_nothing_is_lost_and_nothing_is_found() -> None:
    LogMachine.TestCase.settings = settings(
        max_examples=12,
        stateful_step_count=14,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    LogMachine.TestCase("runTest").runTest()
