"""Quarantine: malformed runs of an otherwise good file, kept with their reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from ingest.importers.formats import Rejected
from ingest.workspace import Workspace


def put(workspace: Workspace, source_name: str, rejects: Sequence[Rejected]) -> Path:
    """Write ``rejects`` of one import argument as JSON lines and return the path; each is kept once.

    A line holds format, source_file, position (from 0), source_run_id, reason and raw (a document of the
    format with this run alone). The file is replaced in one step, so a crash leaves the old or the new one.
    """
    path = workspace.quarantine_dir / f"{_file_word(source_name)}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    lines += [_line(reject) for reject in rejects]
    _replace(path, lines)
    return path


def _replace(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(f"{line}\n" for line in dict.fromkeys(lines)), encoding="utf-8")
    temporary.replace(path)


def _line(reject: Rejected) -> str:
    return json.dumps(
        {
            "format": reject.format_name,
            "source_file": reject.document,
            "position": reject.position,
            "source_run_id": reject.source_run_id,
            "reason": reject.reason,
            "raw": reject.raw,
        },
        sort_keys=True,
    )


def _file_word(source_name: str) -> str:
    """The source's name as part of a file name; other letters become '_' and a digest keeps it unique."""
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_"
        for letter in source_name
    )
    return (
        plain[:100]
        if plain == source_name
        else f"{plain[:90]}-{hashlib.sha256(source_name.encode()).hexdigest()[:8]}"
    )
