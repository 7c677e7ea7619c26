"""A Git remote as a checkpoint sink: one commit for each checkpoint, pushed without force."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.errors import NotaryError
from ingest.log.sink_folder import FolderSink

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


class _Clone(FolderSink):
    """The newest commit of a branch in a folder; what it gets is pushed at once."""

    def __init__(self, folder: Path, url: str, branch: str) -> None:
        super().__init__(folder, f"{url} ({branch})")
        self._clone = folder
        self._url = url
        self._branch = branch

    def keep(self, name: str, note: str) -> str:
        """Commit and push the note unless it is there. Raises NotaryRefusal, NotaryError."""
        if not self.holds(name, note):
            super().keep(name, note)
            told, branch = f"--message=checkpoint {Path(name).stem}", f"HEAD:refs/heads/{self._branch}"
            _git(self._clone, self._url, "add", "--", name)
            _git(self._clone, self._url, *_NAME, "commit", "--quiet", told)
            _git(self._clone, self._url, "push", "--quiet", "--", self._url, branch)
        return f"{name} in {self._url} ({self._branch})"


@contextmanager
def git_sink(place: str) -> Iterator[_Clone]:
    """The remote ``URL#BRANCH``. Raises NotaryError when it cannot be read."""
    url, _, branch = place.partition("#")
    branch = branch or _BRANCH
    with tempfile.TemporaryDirectory(prefix="fleetbook-notary-") as folder:
        clone = Path(folder)
        _git(clone, url, "init", "--quiet", f"--initial-branch={branch}")
        if _git(clone, url, "ls-remote", "--heads", "--", url, f"refs/heads/{branch}"):
            _git(clone, url, "fetch", "--quiet", "--depth=1", "--", url, f"refs/heads/{branch}")
            _git(clone, url, "reset", "--quiet", "--hard", "FETCH_HEAD")
        yield _Clone(clone, url, branch)


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
