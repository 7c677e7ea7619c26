"""The notary: signs checkpoints of the manifest's tree, and refuses one that does not continue the last.

What it remembers lies beside its key. A key outside the workspace, readable by the notary only, protects
against someone who can write the workspace; a key inside protects against accidents.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.contract import rfc3339
from ingest.errors import NotaryError, NotaryRefusal
from ingest.log.disk import make_folder, write_file
from ingest.log.manifest import Head, Manifest
from ingest.log.merkle import prefix_roots
from ingest.log.note import Checkpoint, Signer, Verifier
from ingest.log.segments import ROW_GROUP_ROWS
from ingest.log.view import View, look, open_readers
from ingest.log.writer import utc_now
from ingest.workspace import Workspace

KEY_VARIABLE = "FLEETBOOK_NOTARY_KEY"
VKEY_FILE = "notary.vkey"
RETIRED_FILE = "retired.vkeys"
SUFFIX = ".checkpoint"
HEADS_FILE = "open.heads"  # the newest note with heads of open writers
_SIZE_DIGITS = 12  # so that a listing of the folder is in order


@dataclass(frozen=True, kw_only=True)
class Notarised:
    """A signed checkpoint: what it states, the note itself, and the file it was written to."""

    checkpoint: Checkpoint
    note: str
    path: Path
    is_new: bool


def key_path(workspace: Workspace) -> Path:
    """The notary's key file: ``FLEETBOOK_NOTARY_KEY``, or ``checkpoints/notary.key`` in the workspace."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else workspace.checkpoint_dir / "notary.key"


def memory_path(key_file: Path) -> Path:
    """Where the notary keeps the last note it signed."""
    return key_file.with_name(key_file.name + ".signed")


def heads_memory_path(key_file: Path) -> Path:
    """Where the notary keeps the last heads it signed."""
    return key_file.with_name(key_file.name + ".open")


def is_key_in_workspace(workspace: Workspace) -> bool:
    """True when the notary's key lies where the runner can write: it then protects against accidents only."""
    return key_path(workspace).resolve().is_relative_to(workspace.root)


def checkpoint_files(workspace: Workspace) -> list[Path]:
    """The checkpoints in the workspace, smallest tree first."""
    return sorted(workspace.checkpoint_dir.glob(f"*{SUFFIX}"))


def known_verifier(workspace: Workspace) -> Verifier | None:
    """The notary's public key: from its key file if that is readable, else ``checkpoints/notary.vkey``."""
    key_file, vkey_file = key_path(workspace), workspace.checkpoint_dir / VKEY_FILE
    if os.access(key_file, os.R_OK):
        return Signer.parse(key_file.read_text(encoding="utf-8")).verifier
    if vkey_file.exists():
        return Verifier.parse(vkey_file.read_text(encoding="utf-8"))
    return None


def known_verifiers(workspace: Workspace) -> list[Verifier]:
    """The notary's public key, and those it had before: the lines of ``checkpoints/retired.vkeys``.

    Whoever could add a line there gains nothing: what its key signed must still fit the manifest.
    Raises NotaryError for a line that is no key.
    """
    known = known_verifier(workspace)
    retired = workspace.checkpoint_dir / RETIRED_FILE
    lines = retired.read_text(encoding="utf-8").split() if known and retired.exists() else []
    return [*([known] if known else []), *map(Verifier.parse, lines)]


def last_signed(key_file: Path, verifier: Verifier) -> Checkpoint | None:
    """The checkpoint that the notary remembers, or None. Raises NotaryError when it is damaged."""
    memory = memory_path(key_file)
    if not os.access(memory, os.R_OK):
        return None
    return Checkpoint.parse(verifier.open(memory.read_text(encoding="utf-8")))


def notarise(
    workspace: Workspace,
    key_file: Path | None = None,
    *,
    clock: Callable[[], dt.datetime] = utc_now,
    is_noting_heads: bool = True,
) -> Notarised:
    """Note the heads of open writers, then sign the manifest's tree and write the checkpoint.

    Without ``is_noting_heads`` only what the manifest says is signed. The key is made with the first
    checkpoint. A tree that has not grown gets its last checkpoint again. Raises NotaryRefusal when the tree
    does not continue the one signed before, NotaryError, OSError.
    """
    key_file = key_file or key_path(workspace)
    make_folder(workspace.checkpoint_dir)
    with notary_alone(key_file):
        signer = signer_of(key_file)
        write_file(workspace.checkpoint_dir / VKEY_FILE, f"{signer.verifier.vkey}\n".encode())
        before = last_signed(key_file, signer.verifier)
        if is_noting_heads:
            _note_heads(workspace, clock())
        with Manifest(workspace).frozen() as lines:
            current = len(lines)
            roots = prefix_roots(lines, [current] if before is None else [before.size, current])
        checkpoint = Checkpoint(origin=signer.name, size=current, root=roots[current])
        insist_on_continuation(workspace, before, checkpoint, roots)
        path = workspace.checkpoint_dir / f"{checkpoint.size:0{_SIZE_DIGITS}d}{SUFFIX}"
        is_new = before != checkpoint or not path.exists()
        note = signer.sign(checkpoint.text)  # Ed25519 is deterministic: signing again gives the same note
        if is_new:
            # Remembered first: the notary never forgets a tree that somebody may have seen.
            write_file(memory_path(key_file), note.encode(), mode=0o600)
            write_file(path, note.encode())
        return Notarised(checkpoint=checkpoint, note=note, path=path, is_new=is_new)


@contextmanager
def notary_alone(key_file: Path) -> Iterator[None]:
    """One notary at a time for one key."""
    try:
        make_folder(key_file.parent)
        fd = os.open(
            key_file.with_name(key_file.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise NotaryError(
            f"Not signed: the folder of {key_file} cannot be written ({error.strerror}). "
            f"Run the notary as the user who owns the key, or set {KEY_VARIABLE} to a file it may write."
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def signer_of(key_file: Path) -> Signer:
    """The notary's key, made when it signs for the first time. Raises NotaryError."""
    if not key_file.exists():
        if memory_path(key_file).exists():
            raise NotaryError(
                f"Not signed: {key_file} is missing, but a checkpoint was signed with it before. "
                "Restore the key from its backup; a new key would make every older checkpoint worthless."
            )
        signer = Signer.generate(f"fleetbook.local/{secrets.token_hex(8)}")
        write_file(key_file, f"{signer.skey}\n".encode(), mode=0o600)
    return Signer.parse(key_file.read_text(encoding="utf-8"))


def _note_heads(workspace: Workspace, now: dt.datetime) -> None:
    """Bind the events that are not sealed yet: one manifest line for each open writer that has gone on."""
    with look(workspace) as view:
        noted = {(entry.writer_id, entry.seq) for entry in view.entries if isinstance(entry, Head)}
        heads = [head for head in _open_heads(view, now) if (head.writer_id, head.seq) not in noted]
    if heads:
        Manifest(workspace).append(heads)


def _open_heads(view: View, now: dt.datetime) -> Iterator[Head]:
    for file, reader in open_readers(view):
        if reader is None:
            continue
        for _ in reader.chunks(ROW_GROUP_ROWS):
            pass
        if reader.next_seq > file.name.first_seq:
            yield Head(
                writer_id=file.name.writer_id,
                seq=reader.next_seq - 1,
                head=reader.head.hex(),
                noted_at=rfc3339(now),
            )


def insist_on_continuation(
    workspace: Workspace, before: Checkpoint | None, now: Checkpoint, roots: dict[int, bytes]
) -> None:
    """Raise NotaryRefusal unless the tree ``now`` continues ``before``; ``roots`` has both sizes."""
    if before is None or roots.get(before.size) == before.root:
        return
    what = "has fewer lines than" if now.size < before.size else "has other lines than"
    raise NotaryRefusal(
        f"Not signed: {workspace.manifest_file} {what} the log signed before "
        f"({now.size} lines now, {before.size} then, root {before.root.hex()[:16]}…). "
        "The log was truncated or rewritten: keep everything as it is, run `fleetbook verify --against` "
        "with a checkpoint kept elsewhere, and restore manifest.jsonl from a backup."
    )
