"""Checkpoint sinks: where copies of signed checkpoints go, out of reach of whoever can write the log.

A place keeps what it got and is asked before it gets more: a checkpoint that does not continue its newest one
is refused, so that a place is a witness even where the notary's own memory was wiped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.errors import NotaryError, NotaryRefusal
from ingest.log.checkpoint import SUFFIX, known_verifier
from ingest.log.disk import make_folder
from ingest.log.manifest import Manifest
from ingest.log.merkle import prefix_roots
from ingest.log.note import Checkpoint
from ingest.log.sink_folder import FolderSink, Sink
from ingest.log.sink_git import git_sink
from ingest.log.sink_mail import MailSink
from ingest.log.sink_s3 import S3Sink
from ingest.log.sink_tsa import TsaSink
from ingest.workspace import Workspace

GIT, S3, MAIL, TSA = "git:", "s3://", "mailto:", "tsa:"
FORMS = "a folder, git:URL#BRANCH, s3://BUCKET/PREFIX, mailto:ADDRESS or tsa:URL"


def keep_checkpoint(workspace: Workspace, note: str, name: str, place: str) -> str:
    """Keep ``note`` as the file ``name`` in ``place`` (one of FORMS); returns where it is.

    Keeping the same note again changes nothing. Raises NotaryRefusal when the place holds another note of
    this name or a checkpoint that the log does not continue, NotaryError when it does not take it, OSError.
    """
    with _opened(workspace, place) as sink:
        _insist_on_continuation(workspace, note, sink, place)
        return sink.keep(name, note)


@contextmanager
def _opened(workspace: Workspace, place: str) -> Iterator[Sink]:
    kind = next((prefix for prefix in (GIT, S3, MAIL, TSA) if place.startswith(prefix)), "")
    rest = place.removeprefix(kind)
    # What cannot be read back is remembered beside the checkpoints.
    memory = workspace.checkpoint_dir / "sent"
    if kind == GIT:
        with git_sink(rest) as sink:
            yield sink
    elif kind == S3:
        yield S3Sink(rest)
    elif kind == MAIL:
        yield MailSink(rest, memory)
    elif kind == TSA:
        yield TsaSink(rest, memory)
    else:
        folder = Path(place).expanduser()
        make_folder(folder.resolve())
        yield FolderSink(folder, place)


def _insist_on_continuation(workspace: Workspace, note: str, sink: Sink, place: str) -> None:
    """Raise NotaryRefusal unless the log that ``note`` states continues what the place got before."""
    verifier = known_verifier(workspace)
    # Names are sizes with leading zeros: the greatest is the newest.
    newest = max((name for name in sink.names() if name.endswith(SUFFIX)), default=None)
    if verifier is None or newest is None:
        return
    now = Checkpoint.parse(verifier.open(note))
    try:
        before = Checkpoint.parse(verifier.open(sink.read(newest)))
    except NotaryError as error:
        raise NotaryRefusal(
            f"Not kept: {place} holds another checkpoint {newest}, which this notary's key did not sign. "
            "Give each log a place of its own, or find out whose checkpoints these are."
        ) from error
    with Manifest(workspace).frozen() as lines:
        root = prefix_roots(lines, {before.size}).get(before.size)
    if before.size > now.size or root != before.root:
        raise NotaryRefusal(
            f"Not kept: the log does not continue {newest}, which {place} holds "
            f"({now.size} lines now, {before.size} then, root {before.root.hex()[:16]}…). The log was "
            "truncated or rewritten: keep everything as it is, run `fleetbook verify --against` with it."
        )
