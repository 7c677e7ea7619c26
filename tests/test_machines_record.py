"""Several machines share one record: what each one recorded arrives once, in order, with its proof."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from app.build import build
from ingest.errors import PlaceError, PlaceRefusal, SegmentError
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.reader import event_ids, log_state, payload_texts, run_events, snapshot
from ingest.shared.copying import fetch
from ingest.shared.joining import join
from ingest.shared.lines import add_lines, new_lines
from ingest.shared.objects import objects_at
from ingest.shared.refreshing import refresh
from ingest.shared.shipping import Shipper
from ingest.workspace import Workspace
from tests.log_events import started, stored_rows, write_runs
from tests.object_server import BUCKET, object_server, settings, use
from tests.same_tables import tables_that_differ
from tests.sink_stubs import ObjectStore, served
from tests.warehouse_world import NOW, write_world


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with object_server() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a record may lie: a shared folder, and a bucket."""
    if request.param == "folder":
        return str(tmp_path / "share")
    use(monkeypatch, s3)
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLEETBOOK_NOTARY_KEY", "FLEETBOOK_CONTROL_URL"):
        monkeypatch.delenv(name, raising=False)


def machine(tmp_path: Path, name: str, place: str) -> Workspace:
    workspace = Workspace.create(tmp_path / name)
    join(workspace, place)
    return workspace


def codes(workspace: Workspace) -> set[str]:
    return {finding.code for finding in verify(workspace).findings} - {"checkpoint_missing"}


def rows_of(workspace: Workspace, folder: Path) -> list[tuple[str, int, str]]:
    """Writer, position and body of every event that a build would read."""
    rows = stored_rows(snapshot(workspace, folder).files)
    return [(row["writer_id"], row["seq"], row["body"]) for row in rows]


def test_what_two_machines_record_is_one_log_on_a_third(tmp_path: Path, place: str) -> None:
    one, other, third = (machine(tmp_path, name, place) for name in ("one", "other", "third"))
    write_runs(one, "r1", 40, payload_every=3, seal_bytes=4_000)
    with LogWriter(other, recorded_via="runner", process_name="test") as writer:
        writer.append([started("r2", 1)])
        refresh(one)
        refresh(other)
        writer.append([started("r2", 2)])
        refresh(other)
        fetch(third)
        assert codes(third.record) == set()
        assert len(run_events(third, "r2")) == 2
    refresh(other)
    fetch(third)
    assert codes(third.record) == set()
    expected = sorted(rows_of(one, tmp_path / "a") + rows_of(other, tmp_path / "b"))
    assert sorted(set(expected)) == rows_of(third, tmp_path / "c")
    texts = payload_texts(
        third, [str(event["payload_id"]) for event in run_events(third, "r1") if "payload_id" in event]
    )
    assert sorted(texts.values()) == sorted(f"text {number} of r1" for number in range(0, 40, 3))


def test_a_build_of_the_record_equals_a_build_of_one_log_column_by_column(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, s3)
    place = f"s3://{BUCKET}/{tmp_path.name}"
    one, other, third = (machine(tmp_path, name, place) for name in ("one", "other", "third"))
    write_world(one)
    write_runs(other, "r9", 5)
    for shipping in (one, other):
        refresh(shipping)
    refresh(third)
    shutil.copy(one.registry_file, third.registry_file)
    single = in_one(tmp_path / "single", one, other)
    made = [build(workspace, now=NOW) for workspace in (third, single)]
    assert made[0].event_count == made[1].event_count > 90
    differing = tables_that_differ(*(one.path / "warehouse.duckdb" for one in made))
    assert differing <= {"build_info"}  # its moment, and how many lines the manifest has


def in_one(root: Path, *machines: Workspace) -> Workspace:
    """A workspace that holds what all of ``machines`` do, as if one machine had written it."""
    single = Workspace.create(root)
    shutil.copy(machines[0].registry_file, single.registry_file)
    for each in machines:
        shutil.copytree(each.lake_dir, single.lake_dir, dirs_exist_ok=True)
        shutil.copytree(each.payload_dir, single.payload_dir, dirs_exist_ok=True)
    single.manifest_file.write_bytes(b"".join(each.manifest_file.read_bytes() for each in machines))
    return single


def test_of_many_that_want_the_same_number_one_gets_it_and_the_others_the_next(place: str) -> None:
    objects = objects_at(place)
    wanted = [
        [b'{"from":%d,"line":%d}' % (number, line) for line in range(number % 3 + 1)] for number in range(12)
    ]

    def add(lines: list[bytes]) -> None:
        known = 0
        while not add_lines(objects, known, lines):
            known += len(new_lines(objects, known))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, wanted))
    found = new_lines(objects, 0)
    assert sorted(found) == sorted(line for lines in wanted for line in lines)
    at = {line: number for number, line in enumerate(found)}
    assert all(
        [at[line] for line in lines] == list(range(at[lines[0]], at[lines[0]] + len(lines)))
        for lines in wanted
    )


def test_a_machine_that_is_killed_while_it_ships_brings_every_event_once(tmp_path: Path, place: str) -> None:
    one, reader = machine(tmp_path, "one", place), machine(tmp_path, "reader", place)
    dice = random.Random(5)
    for round_number in range(8):
        write_runs(one, f"r{round_number}", 12, payload_every=5, seal_bytes=2_500)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, dice.uniform(0.02, 0.4))
            with suppress(BaseException):
                Shipper(one).ship()
            os._exit(0)
        dice.random()
        os.waitpid(child, 0)
        fetch(reader)
        assert codes(reader.record) <= {"tail_missing"}  # what was not listed yet
    refresh(one)
    fetch(reader)
    assert codes(reader.record) == set()
    assert rows_of(one, tmp_path / "a") == rows_of(reader, tmp_path / "b")


def test_two_machines_with_the_same_files_ship_them_once(tmp_path: Path, place: str) -> None:
    one = machine(tmp_path, "one", place)
    write_runs(one, "r1", 20, seal_bytes=2_000)
    shutil.copytree(one.root, tmp_path / "twin")
    twin = Workspace.open(tmp_path / "twin")
    (twin.root / "locks" / "machine.id").unlink(missing_ok=True)
    with ThreadPoolExecutor(2) as pool:
        shipped = list(pool.map(lambda workspace: Shipper(workspace).ship(), (one, twin)))
    assert sum(each.events for each in shipped) == 22
    fetch(one)
    assert codes(one.record) == set()


def test_a_record_that_lost_its_end_gets_nothing_more(tmp_path: Path, place: str) -> None:
    one, other = machine(tmp_path, "one", place), machine(tmp_path, "other", place)
    for run in ("r1", "r2"):
        write_runs(one, run, 3)
        refresh(one)
    refresh(other)
    objects = objects_at(place)
    for name in objects.names("manifest/"):
        objects.delete(name)
    write_runs(one, "r3", 3)
    with pytest.raises(PlaceRefusal, match="fewer than the 2 manifest lines"):
        refresh(one)
    objects.delete("fleetbook.json")
    with pytest.raises(PlaceRefusal, match="holds no record"):
        refresh(other)


def test_a_damaged_object_is_refused_and_a_half_made_one_replaced(tmp_path: Path, place: str) -> None:
    one, other = machine(tmp_path, "one", place), machine(tmp_path, "other", place)
    write_runs(one, "r1", 5)
    objects = objects_at(place)
    probe = Workspace.create(tmp_path / "probe")
    shutil.copytree(one.root, probe.root, dirs_exist_ok=True)
    join_again = tmp_path / "elsewhere"
    probe.shared_file.unlink()
    join(probe, str(join_again))
    Shipper(probe).ship()
    (file,) = objects_at(str(join_again)).names("lake/")
    objects.create(file, b"half")  # as a store that shows a part of an upload would have left it
    refresh(one)
    refresh(other)
    assert codes(other.record) == set()
    objects.delete(file)
    objects.create(file, b"other")
    shutil.rmtree(other.record.lake_dir)
    with pytest.raises(SegmentError, match="other bytes than were sealed"):
        fetch(other)
    objects.delete(file)
    with pytest.raises(SegmentError, match="it is not there"):
        fetch(other)


def test_a_store_that_does_not_mind_conditions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(minds_conditions=False)
    with served(store) as port:
        for name, value in settings(f"http://127.0.0.1:{port}").items():
            monkeypatch.setenv(name, value)
        with pytest.raises(PlaceError, match="lets an object be overwritten"):
            join(Workspace.create(tmp_path / "one"), "s3://b/x")
    assert not (tmp_path / "one" / "shared.json").exists()


def test_a_workspace_of_one_record_does_not_join_another(tmp_path: Path) -> None:
    one = machine(tmp_path, "one", str(tmp_path / "share"))
    with pytest.raises(PlaceRefusal, match="is another record"):
        join(one, str(tmp_path / "share2"))
    join(one, str(tmp_path / "share"))


def test_a_reader_sees_its_own_unshipped_events_beside_the_record(tmp_path: Path, place: str) -> None:
    one, other = machine(tmp_path, "one", place), machine(tmp_path, "other", place)
    write_runs(other, "r2", 3)
    refresh(other)
    with LogWriter(one, recorded_via="runner", process_name="test") as writer:
        writer.append([started("r1", 1)])
        refresh(one)
        before = log_state(one)
        writer.append([started("r1", 2)])
        assert len(run_events(one, "r1")) == 2
        assert len(run_events(one, "r2")) == 3
        assert len(rows_of(one, tmp_path / "a")) == 5 + 3
        unshipped = log_state(one)
        assert unshipped != before
        Shipper(one).ship()
        fetch(one)
        assert log_state(one) == unshipped  # shipping moves events; nothing came
        assert len(event_ids(one, recorded_via="runner")) == 2 + 3
