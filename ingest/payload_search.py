"""Finding runs by what their texts say: a scan of the payload store, newest month first, within a time limit.

There is no index: it would hold the words of texts that were erased. 104,000 texts of 100 MB as stored take
0.5 s of processor time; what the time did not suffice for is said, never left out silently.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.payload_keys import Keyring, keyring
from ingest.payload_store import open_blocks
from ingest.payload_struck import struck_ids
from ingest.workspace import Workspace

_COLUMNS = ["payload_id", "run_id", "salt", "content", "key_id"]
_FEWEST_CHARACTERS = 3


class TextHits(NamedTuple):
    """Runs with the wanted text in one of theirs. ``unread_month`` is the newest month that the time did not
    suffice for, None when all were read; ``locked`` texts could not be read for want of their key.
    """

    run_ids: frozenset[str]
    unread_month: str | None
    locked: int


def runs_with_text(workspace: Workspace, wanted: str, *, first_month: str, seconds: float) -> TextHits:
    """Runs of which a text from ``first_month`` (2026-11) on holds ``wanted``, in whatever case.

    Less than three characters find nothing. Damaged files are left to ``fleetbook verify``. Raises OSError,
    KeyUnusable.
    """
    search = _Search(wanted)
    if len(wanted) < _FEWEST_CHARACTERS:
        return TextHits(frozenset(), None, 0)
    search.open_files(workspace)
    until = time.monotonic() + seconds
    for folder in sorted(workspace.payload_dir.glob("month=*"), reverse=True):
        month = folder.name.removeprefix("month=")
        if month < first_month:
            break
        for path in sorted(folder.glob("*.parquet"), reverse=True):
            if time.monotonic() > until:
                return TextHits(frozenset(search.run_ids), month, search.locked)
            with suppress(FileNotFoundError, pa.ArrowException):
                search.sealed_file(path)
    return TextHits(frozenset(search.run_ids), None, search.locked)


class _Search:
    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.folded = wanted.casefold()
        self.run_ids: set[str] = set()
        self.locked = 0
        self._ring: Keyring = keyring()

    def open_files(self, workspace: Workspace) -> None:
        struck = struck_ids(workspace)
        for _, block in open_blocks(workspace):
            for one in block:
                if one.run_id and one.payload_id not in struck and one.run_id not in self.run_ids:
                    self._one(one.payload_id, one.run_id, one.content, one.key_id)

    def sealed_file(self, path: Path) -> None:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            known = [name for name in _COLUMNS if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                self._table(file.read_row_group(group, columns=known))

    def _table(self, table: pa.Table) -> None:
        table = table.filter(pc.is_valid(table["run_id"]))
        if "key_id" in table.column_names:
            is_clear = pc.is_null(table["key_id"])
            for row in table.filter(pc.invert(is_clear)).to_pylist():
                self._one(row["payload_id"], row["run_id"], row["content"], row["key_id"])
            table = table.filter(is_clear)
        hits = pc.match_substring(table["content"], self.wanted, ignore_case=True)
        self.run_ids.update(table["run_id"].filter(hits).to_pylist())

    def _one(self, payload_id: str, run_id: str, content: str, key_id: str | None) -> None:
        """Look at one text, decrypted where it has to be."""
        if key_id is not None:
            if key_id not in self._ring.keys:
                self.locked += 1
                return
            opened = self._ring.opened(payload_id, key_id, content)
            content = opened[1] if opened else ""
        if self.folded in content.casefold():
            self.run_ids.add(run_id)
