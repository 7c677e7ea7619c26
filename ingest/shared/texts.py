"""Texts on their way to the shared record: those that the shipped events name, one object for each month.

An object's name has the digest of its bytes, so that a half-made or changed one is known, and it is never
written twice with other bytes. Erasing makes a new object and removes the old one.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256

import pyarrow as pa

from ingest.payload_store import payload_table, payload_writer, stored_whole
from ingest.payloads import Payload, is_payload_id
from ingest.shared.objects import Objects, create_whole
from ingest.workspace import Workspace

FOLDER = "payloads/"
DIGEST_LETTERS = 16


def named_texts(tables: Iterable[pa.Table]) -> set[str]:
    """The payload ids that the events of ``tables`` name."""
    columns = [table["payload_id"].drop_null().to_pylist() for table in tables]
    return {payload_id for column in columns for payload_id in column if is_payload_id(payload_id)}


def ship_texts(objects: Objects, workspace: Workspace, payload_ids: set[str], stem: str) -> int:
    """Bring the texts ``payload_ids`` that are still in ``workspace`` to the place; returns their number.

    Texts that were erased, struck or never kept are not there. ``stem`` tells whose they are. Raises
    PlaceError, OSError, KeyUnusable.
    """
    by_month: dict[str, list[Payload]] = defaultdict(list)
    for payload in stored_whole(workspace, payload_ids):
        by_month[payload.month].append(payload)
    for month, payloads in sorted(by_month.items()):
        content = _parquet(sorted(payloads, key=lambda one: one.payload_id))
        create_whole(objects, object_name(month, stem, content), content)
    return sum(map(len, by_month.values()))


def object_name(month: str, stem: str, content: bytes) -> str:
    """The name of an object with texts of ``month`` ("2026-11")."""
    return f"{FOLDER}month={month}/{stem}.{digest(content)}.parquet"


def digest(content: bytes) -> str:
    """What the name of an object says of its bytes."""
    return sha256(content).hexdigest()[:DIGEST_LETTERS]


def is_whole(name: str, content: bytes) -> bool:
    """Whether ``content`` is what the object ``name`` was made with."""
    return name.removesuffix(".parquet").rpartition(".")[2] == digest(content)


def _parquet(payloads: Sequence[Payload]) -> bytes:
    buffer = io.BytesIO()
    with payload_writer(buffer) as writer:
        writer.write_table(payload_table(payloads))
    return buffer.getvalue()
