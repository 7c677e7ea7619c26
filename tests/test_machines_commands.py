"""The commands of several machines: shipping through a network that is cut, losses, upkeep, signing."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ingest.contract import rfc3339
from ingest.erasure import erase
from ingest.errors import MaintenanceError, PlaceError, SegmentError
from ingest.holds import add_hold
from ingest.log.compact import compact
from ingest.log.manifest import Manifest
from ingest.log.verify import verify
from ingest.log.writer import LogWriter, utc_now
from ingest.reader import payload_texts, run_events
from ingest.retention import plan_pruning, prune
from ingest.shared.adding import sweep
from ingest.shared.copying import fetch
from ingest.shared.joining import join
from ingest.shared.machines import machine_id
from ingest.shared.objects import objects_at
from ingest.shared.refreshing import refresh
from ingest.shared.shipping import Shipper
from ingest.workspace import Workspace
from tests.log_events import AT, started, write_runs
from tests.object_server import BUCKET, Proxy, object_server, use
from tests.runner_company import Command, fleetbook

__all__ = ["fleetbook"]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with object_server() as url:
        yield url


@pytest.fixture
def network(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What lies between the machines and the store."""
    use(monkeypatch, s3)
    parts = urlsplit(s3)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy((parts.hostname, parts.port))
    use(monkeypatch, f"http://127.0.0.1:{proxy.port}")
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLEETBOOK_HOME", str(tmp_path / "one"))  # --workspace sets it, and this takes it back
    for name in ("FLEETBOOK_NOTARY_KEY", "FLEETBOOK_CONTROL_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Workspace]:
    def make(name: str, place: str = "") -> Workspace:
        workspace = Workspace.create(tmp_path / name)
        join(workspace, place or str(tmp_path / "share"))
        return workspace

    return make


def codes(workspace: Workspace) -> set[str]:
    return {finding.code for finding in verify(workspace).findings} - {"checkpoint_missing"}


def at(workspace: Workspace) -> tuple[str, str]:
    return "--workspace", str(workspace.root)


def test_a_machine_that_is_cut_off_records_on_and_ships_when_the_network_is_back(
    tmp_path: Path, network: Proxy, machine: Callable[..., Workspace], fleetbook: Command
) -> None:
    place = f"s3://{BUCKET}/{tmp_path.name}"
    one, other = machine("one", place), machine("other", place)
    with LogWriter(one, recorded_via="runner", process_name="test") as writer:
        writer.append([started("r1", 1)])
        refresh(one)
        network.cut()
        for number in range(2, 6):
            writer.append([started("r1", number)])
        code, _, told = fleetbook("machines", "ship", *at(one))
        assert (code, "Nothing is lost" in told) == (2, True)
        code, _, told = fleetbook("verify", *at(one))
        assert (code, "Shared record not reached" in told) == (2, True)
        assert len(run_events(one, "r1")) == 5
        network.mend()
        code, said, _ = fleetbook("machines", "ship", *at(one))
        assert (code, "Shipped 4 events" in said) == (0, True)
        assert fleetbook("machines", "fetch", *at(other))[0] == 0
        assert len(run_events(other, "r1")) == 5
        assert codes(other.record) == set()


def test_an_upload_that_is_cut_off_is_never_seen(
    tmp_path: Path, network: Proxy, machine: Callable[..., Workspace]
) -> None:
    place = f"s3://{BUCKET}/{tmp_path.name}"
    one = machine("one", place)
    refresh(one)
    write_runs(one, "r1", 30)
    objects = objects_at(place)
    for most_bytes in (0, 700, 3_000, 6_000):
        network.cut_after(most_bytes)
        with pytest.raises(PlaceError):
            Shipper(one).ship()
        network.mend()
        assert objects.names("manifest/") == []
        assert all(len(objects.read(name) or b"") > 6_000 for name in objects.names("lake/"))
    assert Shipper(one).ship().events == 32
    fetch(one)
    assert codes(one.record) == set()


def test_a_put_whose_answer_is_lost_counts_once(
    tmp_path: Path, network: Proxy, machine: Callable[..., Workspace]
) -> None:
    place = f"s3://{BUCKET}/{tmp_path.name}"
    one = machine("one", place)
    write_runs(one, "r1", 3)
    for answers in range(30):
        network.mute_after(answers)  # the store does what it is asked, and nobody hears of it
        try:
            Shipper(one).ship()
        except PlaceError:
            network.mend()
            continue
        network.mend()
        break
    assert Shipper(one).ship().events == 0
    fetch(one)
    assert codes(one.record) == set()
    assert len(Manifest(one.record).lines()) == 1
    assert verify(one.record).events == 5


def test_what_a_silent_machine_did_not_bring_is_named_and_can_be_declared_lost(
    machine: Callable[..., Workspace], fleetbook: Command
) -> None:
    one, other = machine("one"), machine("other")
    earlier = utc_now() - dt.timedelta(hours=1)
    writer = LogWriter(one, recorded_via="runner", process_name="test", clock=lambda: earlier)
    writer.append([started("r1", 1)])
    Shipper(one, clock=lambda: earlier).ship()
    writer.append([started("r1", number) for number in range(2, 5)])
    state_of(one, writer, earlier)
    code, said, _ = fleetbook("machines", "list", *at(other))
    assert (code, "3 events that it acknowledged have not arrived" in " ".join(said.split())) == (1, True)
    code, said, _ = fleetbook("verify", "--json", *at(other))
    found = {one["code"]: one["detail"] for one in json.loads(said)["findings"]}
    assert code == 1
    assert found["not_arrived"].startswith("3 events that it acknowledged have not arrived; silent since")
    name = machine_id(one)
    words = ("--reason", "its disk burned", "--as", "ada", *at(other))
    code, said, _ = fleetbook("machines", "lost", name, *words)
    assert (code, "1 writers end where the record ends, 3 events" in said) == (0, True)
    assert codes(other.record) == set()
    writer.close()
    refresh(one)  # it comes back after all
    fetch(other)
    assert codes(other.record) == {"count_differs"}


def state_of(workspace: Workspace, writer: LogWriter, when: dt.datetime) -> None:
    """What the machine says at the beginning of a round that it does not survive."""
    (statement,) = (Path(joined_place(workspace)) / "machines").glob("*.json")
    said = json.loads(statement.read_bytes())
    said["writers"][0]["seq"] = 4
    said["stated_at"] = rfc3339(when)
    statement.write_text(json.dumps(said), encoding="utf-8")


def joined_place(workspace: Workspace) -> str:
    return str(json.loads(workspace.shared_file.read_bytes())["address"])


def test_of_two_that_compact_one_is_listed_and_old_copies_learn_of_it(
    machine: Callable[..., Workspace],
) -> None:
    one, other, third = machine("one"), machine("other"), machine("third")
    for number in range(4):
        with LogWriter(one, recorded_via="runner", process_name="test", clock=lambda: AT) as writer:
            writer.append([started(f"r{number}")])
        refresh(one)
    for reader in (other, third):
        fetch(reader)
    day_after = AT + dt.timedelta(days=1)
    assert len(compact(one.record, clock=lambda: day_after).records) == 1
    with pytest.raises(MaintenanceError, match="went on while this was decided"):
        compact(other.record, clock=lambda: day_after + dt.timedelta(seconds=1))
    assert sweep(one.record) == 4
    for reader in (other, third):
        refresh(reader)
        assert codes(reader.record) == set()
        assert len(list(reader.record.lake_dir.rglob("*.parquet"))) == 1
    late = machine("late")
    fetch(late)
    assert codes(late.record) == set()


def test_an_erased_text_goes_from_the_place_from_every_machine_and_from_copies(
    machine: Callable[..., Workspace],
) -> None:
    one, other, reader = machine("one"), machine("other"), machine("reader")
    write_runs(one, "r1", 4, payload_every=1)
    write_runs(one, "r2", 2, payload_every=1)
    for each in (one, other, reader):
        refresh(each)
    report = erase(other, reason="asked to", person_id="ada", run_id="r1")
    assert report.erased_count == 4
    refresh(other)
    for each in (one, reader):
        refresh(each)
    place = objects_at(joined_place(one))
    objects = [place.read(name) for name in place.names("payloads/")]
    assert objects
    for each in (one, other, reader):
        assert codes(each.record) == set()
        texts = {run: payload_texts(each, texts_of(each, run)).values() for run in ("r1", "r2")}
        assert set(texts["r1"]) == {None}
        assert None not in texts["r2"]
    assert codes(one) == {"payload_missing"}  # its own log alone does not hold the record of the erasure


def texts_of(workspace: Workspace, run_id: str) -> list[str]:
    started_events = [one for one in run_events(workspace, run_id) if one["event_type"] == "run_started"]
    return [str(event["payload_id"]) for event in started_events]


def test_a_hold_binds_every_machine(machine: Callable[..., Workspace]) -> None:
    one, other = machine("one"), machine("other")
    long_ago = utc_now() - dt.timedelta(days=300)
    with LogWriter(one, recorded_via="runner", process_name="test", clock=lambda: long_ago) as writer:
        writer.append([started("r1", 1)])
    refresh(one)
    refresh(other)
    hold = add_hold(other, reason="court", person_id="ada")
    with pytest.raises(MaintenanceError, match="went on while this was decided"):
        prune(one.record, older_than_days=200, reason="retention", person_id="ada")  # its copy is older
    refresh(one)
    assert plan_pruning(one.record, 200).files == ()
    assert plan_pruning(one, 200).files == ()
    assert hold.hold_id in {getattr(entry, "hold_id", "") for entry in Manifest(one.record).entries()}


def test_a_prune_deletes_at_the_place_and_verifies_everywhere(machine: Callable[..., Workspace]) -> None:
    one, other = machine("one"), machine("other")
    long_ago = utc_now() - dt.timedelta(days=300)
    with LogWriter(one, recorded_via="runner", process_name="test", clock=lambda: long_ago) as writer:
        writer.append([started("r1", 1)])
    write_runs(one, "r2", 3)
    refresh(one)
    refresh(other)
    report = prune(other.record, older_than_days=200, reason="retention", person_id="ada")
    assert report.plan.event_count == 3
    assert len(objects_at(joined_place(one)).names("lake/")) == 1
    refresh(one)
    for each in (one, other):
        assert codes(each.record) == set()
        assert len(list(each.record.lake_dir.rglob("*.parquet"))) == 1


def test_one_notary_signs_the_record_and_any_machine_verifies_it(
    tmp_path: Path, machine: Callable[..., Workspace], fleetbook: Command
) -> None:
    one, other = machine("one"), machine("other")
    write_runs(one, "r1", 3)
    code, note, _ = fleetbook("notarise", *at(one))
    assert code == 0
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(note, encoding="utf-8")
    write_runs(other, "r2", 3)
    assert fleetbook("machines", "ship", *at(other))[0] == 0
    code, said, _ = fleetbook("verify", "--against", str(kept), *at(other))
    assert code == 0, said
    assert "10 events · 2 writers" in said
    code, _, told = fleetbook("notarise", *at(other))
    assert (code, "Sign on the notary's machine" in told) == (1, True)
    assert fleetbook("notarise", *at(one))[0] == 0
    assert len(objects_at(joined_place(one)).names("checkpoints/")) == 3


def test_the_doctor_and_the_metrics_say_how_machines_stand(
    machine: Callable[..., Workspace], fleetbook: Command
) -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    from app.upkeep.exposition import WorkspaceCollector

    one = machine("one")
    write_runs(one, "r1", 3)
    refresh(one)
    _, said, _ = fleetbook("doctor", "--json", *at(one))
    words = [each["words"] for each in json.loads(said) if each["subject"] == "shared record"]
    assert words == ["5 events of 1 machines, 0 on their way"]
    registry = CollectorRegistry()
    registry.register(WorkspaceCollector(one))
    assert "fleetbook_record_events 5.0" in generate_latest(registry).decode()


def test_rejected_input_arrives_and_goes_with_its_cause(machine: Callable[..., Workspace]) -> None:
    one, reader = machine("one"), machine("reader")
    kept = one.quarantine_dir / "runs.jsonl"
    for text in ("first", "first and second"):
        kept.write_text(text, encoding="utf-8")
        refresh(one)
        fetch(reader)
        copy = reader.record.quarantine_dir / machine_id(one) / "runs.jsonl"
        assert copy.read_text(encoding="utf-8") == text
    kept.unlink()
    refresh(one)
    fetch(reader)
    assert not copy.exists()


def test_a_name_that_leads_out_of_the_copy_is_refused(
    tmp_path: Path, network: Proxy, machine: Callable[..., Workspace]
) -> None:
    place = f"s3://{BUCKET}/{tmp_path.name}"
    one = machine("one", place)
    refresh(one)
    objects_at(place).create("quarantine/../../../stolen", b"content")
    with pytest.raises(SegmentError, match="lies outside of the copy"):
        fetch(one)
    assert not list(tmp_path.rglob("stolen"))


def test_joining_says_what_else_is_needed_and_again_changes_nothing(
    tmp_path: Path, fleetbook: Command
) -> None:
    workspace = Workspace.create(tmp_path / "one")
    code, said, told = fleetbook("machines", "join", str(tmp_path / "share"), *at(workspace))
    assert (code, "Joined:" in said, "FLEETBOOK_CONTROL_URL" in told) == (0, True, True)
    again = fleetbook("machines", "join", str(tmp_path / "share"), *at(workspace))[1]
    assert again == said
    code, _, told = fleetbook(
        "machines", "ship", "--workspace", str(Workspace.create(tmp_path / "alone").root)
    )
    assert (code, "stands alone" in told) == (2, True)
    shutil.rmtree(tmp_path / "share")
    code, _, told = fleetbook("machines", "ship", *at(workspace))
    assert (code, "holds no record" in told) == (1, True)
