"""Checkpoint sinks: a folder and a Git remote keep copies, nothing is overwritten, and they serve verify."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.errors import NotaryError, NotaryRefusal
from ingest.log.checkpoint import notarise
from ingest.log.sinks import keep_checkpoint
from ingest.log.verify import verify
from ingest.workspace import Workspace
from tests.log_events import write_runs


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
        keep_checkpoint(done.note, done.path.name, str(tmp_path / "share" / "log"))
        keep_checkpoint(done.note, done.path.name, str(tmp_path / "share" / "log"))
    files = sorted((tmp_path / "share" / "log").iterdir())
    assert len(files) == 2
    assert verify(workspace, 3, against=files).ok


def test_another_checkpoint_of_the_same_size_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    write_runs(workspace, "r1", 2)
    done = notarise(workspace)
    keep_checkpoint(done.note, done.path.name, str(tmp_path / "share"))
    with pytest.raises(NotaryRefusal, match="holds another checkpoint"):
        keep_checkpoint(done.note.replace("local", "other"), done.path.name, str(tmp_path / "share"))
    assert (tmp_path / "share" / done.path.name).read_text(encoding="utf-8") == done.note


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
            keep_checkpoint(done.note, done.path.name, f"git:{remote}#{branch}")
    assert kept(remote, branch) == notes
    count = subprocess.run(
        ["git", "--git-dir", str(remote), "rev-list", "--count", branch], check=True, capture_output=True
    )
    assert count.stdout == b"2\n"
    with pytest.raises(NotaryRefusal, match="holds another checkpoint"):
        keep_checkpoint("forged\n", done.path.name, f"git:{remote}#{branch}")
    assert kept(remote, branch) == notes


@pytest.mark.parametrize("url", ["nowhere.git", "ext::sh -c touch% broken", "--upload-pack=x"])
def test_a_remote_that_does_not_take_it_is_an_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotaryError, match="Signed, but not kept in"):
        keep_checkpoint("note\n", "1.checkpoint", f"git:{url}")
    assert not (tmp_path / "broken").exists()
