"""Checkpoint sinks: where copies of signed checkpoints go, out of reach of whoever can write the log."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from ingest.errors import NotaryError, NotaryRefusal
from ingest.log.disk import make_folder, write_file

GIT = "git:"
_BRANCH = "main"
_TIMEOUT_S = 120
# Git's other transports can run commands that a URL names.
_PROTOCOLS = "file:ssh:https"
_NAME = (
    "-c",
    "user.name=Fleetbook notary",
    "-c",
    "user.email=notary@localhost",
    "-c",
    "commit.gpgsign=false",
)


def keep_checkpoint(note: str, name: str, place: str) -> str:
    """Keep ``note`` as the file ``name`` in ``place``, a folder or ``git:URL#BRANCH``; returns where it is.

    Keeping the same note again changes nothing. Raises NotaryRefusal when another note has this name there,
    NotaryError when a Git remote does not take it, OSError.
    """
    if place.startswith(GIT):
        url, _, branch = place.removeprefix(GIT).partition("#")
        return _push(note, name, url, branch or _BRANCH)
    folder = Path(place).expanduser()
    make_folder(folder.resolve())
    _keep(folder / name, note, place)
    return str(folder / name)


def _keep(file: Path, note: str, place: str) -> bool:
    """Write the note; False when it is there already."""
    if file.exists():
        if file.read_text(encoding="utf-8") == note:
            return False
        raise NotaryRefusal(
            f"Not kept: {place} holds another checkpoint {file.name}. Two logs were signed for one place: "
            "keep both, run `fleetbook verify --against` with each, and find out which log is the right one."
        )
    write_file(file, note.encode())
    return True


def _push(note: str, name: str, url: str, branch: str) -> str:
    with tempfile.TemporaryDirectory(prefix="fleetbook-notary-") as folder:
        clone = Path(folder)
        _git(clone, url, "init", "--quiet", f"--initial-branch={branch}")
        if _git(clone, url, "ls-remote", "--heads", "--", url, f"refs/heads/{branch}"):
            _git(clone, url, "fetch", "--quiet", "--depth=1", "--", url, f"refs/heads/{branch}")
            _git(clone, url, "reset", "--quiet", "--hard", "FETCH_HEAD")
        if _keep(clone / name, note, f"{url} ({branch})"):
            _git(clone, url, "add", "--", name)
            _git(clone, url, *_NAME, "commit", "--quiet", f"--message=checkpoint {Path(name).stem}")
            _git(clone, url, "push", "--quiet", "--", url, f"HEAD:refs/heads/{branch}")
    return f"{name} in {url} ({branch})"


def _git(folder: Path, url: str, *arguments: str) -> str:
    """Run git in ``folder``, without ever asking anybody; returns what it prints. Raises NotaryError."""
    environment = {
        **{name: text for name, text in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")},
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        problem = done.stderr.strip().replace("\n", " ") if done.returncode else ""
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise NotaryError(_advice(url, str(error))) from error
    if done.returncode:
        raise NotaryError(_advice(url, problem))
    return done.stdout


def _advice(url: str, problem: str) -> str:
    return (
        f"Signed, but not kept in {url}: {problem or 'git said nothing'}. "
        "Check that git is installed and that this user may push there, then run `fleetbook notarise` again."
    )
