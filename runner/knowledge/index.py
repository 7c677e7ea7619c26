"""The index of one knowledge source: SQLite with full-text search, in the workspace, made again at will.

A source is a folder of people who add, change and remove files: what the index holds is compared with the
folder before each search, by size and time of change.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runner.errors import KnowledgeUnreadable
from runner.knowledge.documents import Reading, read

MOST_DOCUMENTS = 20_000
_MOST_WORDS = 32
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    document TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    passage_count INTEGER NOT NULL, problem TEXT
);
CREATE VIRTUAL TABLE IF NOT EXISTS passages USING fts5(
    text, document UNINDEXED, place UNINDEXED, chunk_sha256 UNINDEXED,
    tokenize = 'unicode61 remove_diacritics 2'
);
"""
_FIND = """
SELECT text, document, place, chunk_sha256 FROM passages
WHERE passages MATCH ? ORDER BY bm25(passages), document, rowid LIMIT ?
"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A passage that answers a query: its text, document (path below the folder), place and SHA256."""

    text: str
    document: str
    place: str
    chunk_sha256: str


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """What the index holds of one document; ``problem`` says what could not be read of it."""

    document: str
    size_bytes: int
    passage_count: int
    problem: str | None


class Index:
    """The index in ``file`` of the documents below ``folder``. One object per search; no state between."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._file = file
        self._folder = folder

    def refresh(self) -> int:
        """Bring the index to what the folder holds now; returns how many documents were read or dropped.

        Raises KnowledgeUnreadable.
        """
        there = dict(self._walk())
        with closing(self._open()) as connection:
            rows = connection.execute("SELECT document, size_bytes, changed_ns FROM documents")
            known = {document: (size, changed) for document, size, changed in rows}
            stale = [name for name, stamp in there.items() if known.get(name) != stamp]
            gone = [name for name in known if name not in there]
            for name in stale:
                _put(connection, name, there[name], self._read(name))
            for name in gone:
                _put(connection, name, None, Reading())
        return len(stale) + len(gone)

    def find(self, query: str, limit: int) -> list[Found]:
        """The passages that answer ``query`` best, best first. Raises KnowledgeUnreadable."""
        match = _match(query)
        if not match:
            return []
        with closing(self._open()) as connection:
            rows = connection.execute(_FIND, (match, limit)).fetchall()
        return [
            Found(text=text, document=document, place=place, chunk_sha256=sha256)
            for text, document, place, sha256 in rows
        ]

    def documents(self) -> list[Indexed]:
        """What the index holds, by path. Raises KnowledgeUnreadable."""
        query = "SELECT document, size_bytes, passage_count, problem FROM documents ORDER BY document"
        with closing(self._open()) as connection:
            rows = connection.execute(query).fetchall()
        return [
            Indexed(document=document, size_bytes=size, passage_count=count, problem=problem)
            for document, size, count, problem in rows
        ]

    def _open(self) -> sqlite3.Connection:
        try:
            self._file.parent.mkdir(exist_ok=True)
            # Autocommit: _put says where a transaction begins.
            connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise KnowledgeUnreadable(self._file, f"its index cannot be opened ({error})") from error
        return connection

    def _walk(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Each file below the folder with its size and time of change; links are not followed."""
        if not self._folder.is_dir():
            raise KnowledgeUnreadable(self._folder, "there is no such folder")
        count = 0
        for root, folders, files in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(root, name)
                if name.startswith(".") or path.is_symlink() or not path.is_file():
                    continue
                count += 1
                if count > MOST_DOCUMENTS:
                    raise KnowledgeUnreadable(
                        self._folder, f"it holds more than {MOST_DOCUMENTS:,} documents"
                    )
                stamp = path.stat()
                document = path.relative_to(self._folder).as_posix().encode("utf-8", "replace").decode()
                yield document, (stamp.st_size, stamp.st_mtime_ns)

    def _read(self, document: str) -> Reading:
        return read(self._folder / document)


def _put(
    connection: sqlite3.Connection, document: str, stamp: tuple[int, int] | None, reading: Reading
) -> None:
    """One document in one transaction: readers see all of it or what was there before."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.execute("DELETE FROM passages WHERE document = ?", (document,))
        connection.execute("DELETE FROM documents WHERE document = ?", (document,))
        if stamp is None:
            return
        connection.executemany(
            "INSERT INTO passages (text, document, place, chunk_sha256) VALUES (?, ?, ?, ?)",
            [(_clean(one.text), document, one.place, one.sha256) for one in reading.passages],
        )
        connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?)",
            (document, *stamp, len(reading.passages), reading.problem),
        )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _match(query: str) -> str:
    """An FTS5 query for any of the words: quoted, so that no word is taken for its syntax."""
    words = re.findall(r"\w+", query)[:_MOST_WORDS]
    # The longer ones find their inflections as well: refund, refunds, refunded.
    return " OR ".join(f'"{word}"{"*" if len(word) > 3 else ""}' for word in words)
