"""A restore drill: a restored copy of the log is verified whole and compared with the log itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingest.log.manifest import Manifest
from ingest.log.merkle import tree_root
from ingest.log.verify import verify
from ingest.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restored copy is worth: whether it holds, in words why, and the root of its manifest in hex."""

    is_good: bool
    words: str
    root: str


def verify_copy(workspace: Workspace, copy: Path) -> Restored:
    """Verify the log in the restored workspace ``copy`` at level 2, and that this log continues it.

    Raises what opening and verifying raise: then the drill could not be made.
    """
    restored = Workspace.open(copy)
    report = verify(restored, 2)
    theirs, ours = Manifest(restored).lines(), Manifest(workspace).lines()
    root = tree_root(theirs).hex()
    if not report.ok:
        words = f"{report.findings[0].object}: {report.findings[0].detail}"
    elif not theirs or theirs != ours[: len(theirs)]:
        words = "the copy is of another log, or the log does not continue it"
    else:
        words = (
            f"{report.events} events of {len(theirs)} of {len(ours)} manifest lines verified, roots are equal"
        )
        return Restored(is_good=True, words=words, root=root)
    return Restored(is_good=False, words=words, root=root)
