"""Checkpoint sinks keep copies, overwrite nothing, refuse a log that does not continue, and serve verify."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from ingest.errors import NotaryError, NotaryRefusal
from ingest.log.checkpoint import notarise
from ingest.log.sinks import keep_checkpoint
from ingest.log.verify import verify
from ingest.workspace import Workspace
from tests.log_events import write_runs
from tests.sink_stubs import MailServer, ObjectStore, TimestampAuthority, served


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)


@pytest.fixture
def remote(tmp_path: Path, need_tool: Callable[..., str]) -> Path:
    """An empty bare repository."""
    folder = tmp_path / "remote.git"
    subprocess.run([need_tool("git"), "init", "--quiet", "--bare", str(folder)], check=True)
    return folder


def kept(remote: Path, branch: str = "main") -> dict[str, str]:
    """File name → content in the newest commit of the remote."""

    def git(*arguments: str) -> str:
        command = ["git", "--git-dir", str(remote), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return {name: git("show", f"{branch}:{name}") for name in git("ls-tree", "--name-only", branch).split()}


def test_a_folder_keeps_every_checkpoint_and_serves_a_verification(
    workspace: Workspace, tmp_path: Path
) -> None:
    for run in ("r1", "r2"):
        write_runs(workspace, run, 2)
        done = notarise(workspace)
        keep_checkpoint(workspace, done.note, done.path.name, str(tmp_path / "share" / "log"))
        keep_checkpoint(workspace, done.note, done.path.name, str(tmp_path / "share" / "log"))
    files = sorted((tmp_path / "share" / "log").iterdir())
    assert len(files) == 2
    assert verify(workspace, 3, against=files).ok


def test_another_checkpoint_of_the_same_size_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    write_runs(workspace, "r1", 2)
    done = notarise(workspace)
    other = done.note.replace("local", "other")
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / done.path.name).write_text(other, encoding="utf-8")
    with pytest.raises(NotaryRefusal, match="holds another checkpoint"):
        keep_checkpoint(workspace, done.note, done.path.name, str(tmp_path / "share"))
    assert (tmp_path / "share" / done.path.name).read_text(encoding="utf-8") == other


@pytest.mark.parametrize("branch", ["main", "checkpoints"])
def test_a_git_remote_gets_one_commit_for_each_checkpoint(
    workspace: Workspace, remote: Path, branch: str
) -> None:
    notes = {}
    for run in ("r1", "r2"):
        write_runs(workspace, run, 2)
        done = notarise(workspace)
        notes[done.path.name] = done.note
        for _ in range(2):
            keep_checkpoint(workspace, done.note, done.path.name, f"git:{remote}#{branch}")
    assert kept(remote, branch) == notes
    count = subprocess.run(
        ["git", "--git-dir", str(remote), "rev-list", "--count", branch], check=True, capture_output=True
    )
    assert count.stdout == b"2\n"


@pytest.mark.parametrize("url", ["nowhere.git", "ext::sh -c touch% broken", "--upload-pack=x"])
def test_a_remote_that_does_not_take_it_is_an_error(workspace: Workspace, tmp_path: Path, url: str) -> None:
    with pytest.raises(NotaryError, match="Signed, but not kept in"):
        keep_checkpoint(workspace, "note\n", "1.checkpoint", f"git:{url}")
    assert not (tmp_path / "broken").exists()


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch, **conditions: bool) -> Iterator[ObjectStore]:
    store = ObjectStore(**conditions)
    with served(store) as port:
        for name, said in {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",
        }.items():
            monkeypatch.setenv(name, said)
        yield store


@pytest.mark.parametrize("minds_conditions", [True, False])
def test_an_object_store_gets_each_checkpoint_once_and_is_tried_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, minds_conditions: bool
) -> None:
    with object_store(monkeypatch, minds_conditions=minds_conditions) as store:
        notes = {}
        store.failures = 1
        for run in ("r1", "r2"):
            write_runs(workspace, run, 2)
            done = notarise(workspace)
            notes[f"/b/logs/{done.path.name}"] = done.note.encode()
            for _ in range(2):
                where = keep_checkpoint(workspace, done.note, done.path.name, "s3://b/logs/")
            assert where == f"s3://b/logs/{done.path.name}"
        assert (store.objects, store.puts) == (notes, 2)
        store.objects[where.replace("s3:/", "")] = b"forged"
        with pytest.raises(NotaryRefusal, match="holds another checkpoint"):
            keep_checkpoint(workspace, done.note, done.path.name, "s3://b/logs")
        assert store.puts == 2


def test_an_object_store_that_is_not_there_is_an_error(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_store(monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
        with pytest.raises(NotaryError, match=r"not kept in s3://b/.*AWS_ENDPOINT_URL_S3"):
            keep_checkpoint(workspace, "note", "1.checkpoint", "s3://b")


def test_a_place_refuses_a_log_that_was_rolled_back_even_when_the_notary_forgot(
    workspace: Workspace, tmp_path: Path
) -> None:
    share = str(tmp_path / "share")
    write_runs(workspace, "r1", 2)
    before = workspace.manifest_file.read_bytes()
    notarise(workspace)
    write_runs(workspace, "r2", 2)
    done = notarise(workspace)
    keep_checkpoint(workspace, done.note, done.path.name, share)
    workspace.manifest_file.write_bytes(before)
    for forgotten in (*workspace.checkpoint_dir.glob("notary.key.*"), *workspace.checkpoint_dir.glob("0*")):
        forgotten.unlink()
    again = notarise(workspace)
    with pytest.raises(NotaryRefusal, match="does not continue"):
        keep_checkpoint(workspace, again.note, again.path.name, share)
    for run in ("r3", "r4"):
        write_runs(workspace, run, 2)
    grown = notarise(workspace)
    with pytest.raises(NotaryRefusal, match="does not continue"):
        keep_checkpoint(workspace, grown.note, grown.path.name, share)
    assert len(list((tmp_path / "share").iterdir())) == 1


def test_a_mailbox_gets_each_checkpoint_once_and_serves_a_verification(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETBOOK_MAIL_FROM", "notary@example.org")
    write_runs(workspace, "r1", 2)
    done = notarise(workspace)
    with served(MailServer()) as port, pytest.raises(NotaryError, match="FLEETBOOK_SMTP_URL is not set"):
        keep_checkpoint(workspace, done.note, done.path.name, "mailto:audit@example.org")
    server = MailServer()
    with served(server) as port:
        monkeypatch.setenv("FLEETBOOK_SMTP_URL", f"smtp://127.0.0.1:{port}")
        server.refusals = 1
        with pytest.raises(NotaryError, match=r"127\.0\.0\.1.*run `fleetbook notarise` again"):
            keep_checkpoint(workspace, done.note, done.path.name, "mailto:audit@example.org")
        for _ in range(2):
            keep_checkpoint(workspace, done.note, done.path.name, "mailto:audit@example.org")
    (raw,) = server.messages
    message = message_from_bytes(raw, policy=policy.default)
    assert (message["To"], message["From"]) == ("audit@example.org", "notary@example.org")
    assert message["Message-ID"].endswith("@example.org>")
    (attachment,) = message.iter_attachments()
    kept_file = tmp_path / str(attachment.get_filename())
    kept_file.write_bytes(attachment.get_content())
    assert verify(workspace, 3, against=(kept_file,)).ok


@pytest.mark.parametrize(
    "place", ["mailto:nobody", "mailto:a@b.org,c@d.org", "tsa:file:///etc/hosts", "s3:///x"]
)
def test_a_place_that_is_none_is_named(workspace: Workspace, place: str) -> None:
    with pytest.raises(NotaryError, match=r"Write it as"):
        keep_checkpoint(workspace, "note", "1.checkpoint", place)


@pytest.fixture
def authority(tmp_path: Path, need_tool: Callable[..., str]) -> TimestampAuthority:
    (tmp_path / "tsa").mkdir()
    return TimestampAuthority(tmp_path / "tsa", need_tool("openssl"))


def test_a_timestamp_authority_signs_when_it_saw_the_log_and_verify_checks_its_token(
    workspace: Workspace, tmp_path: Path, authority: TimestampAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEETBOOK_TSA_CERTS", raising=False)
    write_runs(workspace, "r1", 2)
    done = notarise(workspace)
    with served(authority) as port:
        place = f"tsa:http://127.0.0.1:{port}/tsr"
        authority.is_broken = True
        with pytest.raises(NotaryError, match="grants no timestamp"):
            keep_checkpoint(workspace, done.note, done.path.name, place)
        authority.is_broken = False
        tokens = {keep_checkpoint(workspace, done.note, done.path.name, place) for _ in range(2)}
    assert authority.requests == 2
    token = Path(tokens.pop())
    with pytest.raises(NotaryError, match="root certificate"):
        verify(workspace, 3, against=(token,))
    monkeypatch.setenv("FLEETBOOK_TSA_CERTS", str(authority.root))
    report = verify(workspace, 3, against=(token,))
    assert report.ok
    assert any("its authority saw the checkpoint at 20" in note for note in report.notes)
    copy = tmp_path / done.path.name
    copy.write_text(done.note.replace("\n\n", "\nextra\n\n"), encoding="utf-8")
    moved = tmp_path / token.name
    moved.write_bytes(token.read_bytes())
    assert [finding.code for finding in verify(workspace, 3, against=(moved,)).findings] == [
        "timestamp_invalid"
    ]
    copy.write_text(done.note, encoding="utf-8")
    (tmp_path / "other").mkdir()
    stranger = TimestampAuthority(tmp_path / "other", authority.openssl)
    stranger.server_close()
    monkeypatch.setenv("FLEETBOOK_TSA_CERTS", str(stranger.root))
    assert [finding.code for finding in verify(workspace, 3, against=(moved,)).findings] == [
        "timestamp_invalid"
    ]
