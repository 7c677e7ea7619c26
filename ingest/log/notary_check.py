"""The manifest against the checkpoints: in the workspace, in the notary's memory, and kept outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.errors import NotaryError
from ingest.log.checkpoint import (
    HEADS_FILE,
    KEY_VARIABLE,
    checkpoint_files,
    is_key_in_workspace,
    key_path,
    known_verifiers,
    last_signed,
    memory_path,
)
from ingest.log.findings import Finding
from ingest.log.heads import heads_of, remembered_heads
from ingest.log.manifest import Head
from ingest.log.merkle import prefix_roots
from ingest.log.note import Checkpoint, Verifier, opened_by
from ingest.log.sink_tsa import TOKEN_SUFFIX, read_token
from ingest.workspace import Workspace


@dataclass
class Signed:
    """What the checkpoints say, read before the log is: a newer one would speak of lines not looked at.

    ``local`` and ``outside`` are checkpoints by where they come from, ``heads`` are those of open writers.
    """

    has_key: bool = False
    local: dict[str, Checkpoint] = field(default_factory=dict)
    outside: dict[str, Checkpoint] = field(default_factory=dict)
    remembered: Checkpoint | None = None
    heads: list[Head] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many checkpoints were compared."""
        return len(self.local) + len(self.outside)


def read_checkpoints(workspace: Workspace, against: Sequence[Path], vkey: str | None) -> Signed:
    """Read every checkpoint there is: in the workspace, in the notary's memory, and the files ``against``.

    ``vkey`` are one or more keys with a space between: then no other counts.
    Raises NotaryError when one is no key or a file of ``against`` cannot be read: it was not checked.
    """
    signed = Signed()
    verifiers = [Verifier.parse(one) for one in vkey.split()] if vkey else known_verifiers(workspace)
    if not verifiers:
        if against:
            raise NotaryError(
                f"Not verified: there is no notary key in {workspace.checkpoint_dir} to read the named "
                "checkpoints with. Add --vkey with the key that came with them."
            )
        return signed
    signed.has_key = True
    own = [path for path in (workspace.checkpoint_dir / HEADS_FILE,) if path.exists()]
    signed.local = dict(_opened([*checkpoint_files(workspace), *own], verifiers, signed))
    signed.outside = dict(_opened(against, verifiers, signed))
    signed.remembered = _remembered(workspace, verifiers[0])
    signed.heads += remembered_heads(key_path(workspace), verifiers[0])
    return signed


def check_checkpoints(workspace: Workspace, lines: Sequence[bytes], signed: Signed) -> None:
    """Compare the manifest's ``lines`` with ``signed``, and add what is found to it."""
    if not signed.has_key:
        signed.findings.append(_nothing_signed())
        return
    memory = {"the notary's memory": signed.remembered} if signed.remembered else {}
    everything = {**signed.local, **signed.outside, **memory}
    roots = prefix_roots(lines, {checkpoint.size for checkpoint in everything.values()})
    for name, checkpoint in everything.items():
        signed.findings += _compared(name, checkpoint, len(lines), roots.get(checkpoint.size))
    newest = max((checkpoint.size for checkpoint in signed.local.values()), default=-1)
    signed.findings += _newest_missing(newest, everything)
    signed.notes += _notes(workspace, len(lines), newest)


def _note_in(file: Path) -> str:
    try:
        # Bytes that are no text are a note that nobody signed, which is a finding.
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise NotaryError(
            f"Not verified: {file} cannot be read ({error}). Name a checkpoint file."
        ) from error


def _stamped(token: Path, signed: Signed) -> str | None:
    """The checkpoint beside a timestamp token; None, and a finding, when the token does not hold for it."""
    note, stamp = read_token(token)
    if stamp.seen_at is None:
        signed.findings.append(
            Finding(code="timestamp_invalid", object=f"token {token}", detail=stamp.problem)
        )
        return None
    signed.notes.append(
        f"{token.name}: its authority saw the checkpoint at {stamp.seen_at:%Y-%m-%d %H:%M:%S} UTC."
    )
    return note


def _opened(
    files: Sequence[Path], verifiers: Sequence[Verifier], signed: Signed
) -> Iterator[tuple[str, Checkpoint]]:
    for file in files:
        note = _stamped(file, signed) if file.suffix == TOKEN_SUFFIX else _note_in(file)
        if note is None:
            continue
        try:
            text = opened_by(verifiers, note)
            yield str(file), Checkpoint.parse(text)
            signed.heads += heads_of(text)
        except NotaryError as error:
            signed.findings.append(
                Finding(code="checkpoint_invalid", object=f"checkpoint {file}", detail=str(error))
            )


def _remembered(workspace: Workspace, verifier: Verifier) -> Checkpoint | None:
    try:
        return last_signed(key_path(workspace), verifier)
    except NotaryError:
        return None  # another key signed it; the notary itself refuses then


def _compared(name: str, checkpoint: Checkpoint, size: int, root: bytes | None) -> Iterator[Finding]:
    if checkpoint.size > size:
        detail = f"it has {size} lines, {name} states {checkpoint.size}"
        yield Finding(code="manifest_truncated", object="manifest.jsonl", detail=detail)
    elif root != checkpoint.root:
        detail = f"its first {checkpoint.size} lines do not have the root that {name} states"
        yield Finding(code="manifest_rewritten", object="manifest.jsonl", detail=detail)


def _nothing_signed() -> Finding:
    return Finding(
        code="checkpoint_missing",
        object="checkpoints/",
        detail="nothing was ever signed: run `fleetbook notarise`, keep a copy of the checkpoint elsewhere",
    )


def _newest_missing(newest: int, everything: dict[str, Checkpoint]) -> Iterator[Finding]:
    if not everything:
        yield _nothing_signed()
        return
    name, latest = max(everything.items(), key=lambda item: item[1].size)
    if latest.size > newest:
        detail = f"{name} states {latest.size} lines, the newest checkpoint there {max(newest, 0)}"
        yield Finding(code="checkpoint_missing", object="checkpoints/", detail=detail)


def _notes(workspace: Workspace, size: int, newest: int) -> Iterator[str]:
    if newest < size:
        yield (
            f"{size - max(newest, 0)} manifest lines are newer than the newest checkpoint: "
            "nothing signed covers them yet. Run `fleetbook notarise`."
        )
    if is_key_in_workspace(workspace) and key_path(workspace).exists():
        yield (
            "The notary's key lies in the workspace: it protects against accidents only. "
            f"Set {KEY_VARIABLE} to a file that only the notary can read, and keep checkpoints elsewhere."
        )
    elif not memory_path(key_path(workspace)).exists():
        yield "The notary's memory is not readable here: only a checkpoint from outside shows a rollback."
