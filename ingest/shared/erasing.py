"""Erasing texts in the shared record and on every machine.

Lists of erased payload ids lie at the place, ``erasures/<time>-<random>.ids``. A machine reads the lists that
it does not know before it ships: it strikes those texts, so that it neither shows nor ships them.
"""

from __future__ import annotations

import datetime as dt
import io
import secrets
from collections.abc import Iterable, Set
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.log.disk import make_folder, sync_folder, write_file
from ingest.payload_removal import remove_texts
from ingest.payload_store import stored_texts
from ingest.payload_struck import strike, struck_ids, texts_alone
from ingest.payloads import is_payload_id
from ingest.shared.joining import opened
from ingest.shared.objects import Objects, create_whole
from ingest.shared.texts import FOLDER, object_name
from ingest.workspace import Workspace

LISTS = "erasures/"
_KNOWN = "erasures"  # folder below shipping/: the lists that were followed here


def list_erased(objects: Objects, payload_ids: Iterable[str], now: dt.datetime) -> None:
    """Tell every machine that these texts are erased. Raises PlaceError."""
    content = "".join(f"{payload_id}\n" for payload_id in sorted(payload_ids)).encode()
    if content:
        objects.create(f"{LISTS}{now:%Y%m%dT%H%M%S}-{secrets.token_hex(8)}.ids", content)


def follow_erasures(workspace: Workspace, objects: Objects) -> int:
    """Erase here what was erased elsewhere; returns how many texts went. Raises PlaceError, OSError."""
    known = workspace.shipping_dir / _KNOWN
    make_folder(known)
    removed = 0
    for name in objects.names(LISTS):
        note = known / Path(name).name
        if note.exists():
            continue
        content = (objects.read(name) or b"").decode("ascii", "replace")
        removed += erase_here(workspace, {line for line in content.splitlines() if is_payload_id(line)})
        write_file(note, b"")
    return removed


def erase_here(workspace: Workspace, payload_ids: Set[str]) -> int:
    """Strike ``payload_ids`` on this machine, and remove those that are sealed here."""
    with texts_alone(workspace):
        here = [text for text in stored_texts(workspace) if text.payload_id in payload_ids]
        strike(workspace, {text.payload_id for text in here if text.is_open} - struck_ids(workspace))
        return remove_texts(workspace, {text.payload_id for text in here if not text.is_open})


def erase_at_place(copy: Workspace, payload_ids: Set[str]) -> int:
    """Remove texts from the record that ``copy`` is of, and from the copy; returns their number.

    For each object that holds some, a new one without them is made before the old one goes: whoever dies in
    between leaves both, and the next erasure sees to it. Raises PlaceError, OSError.
    """
    objects = opened(copy).objects
    removed = 0
    with texts_alone(copy):
        for path in sorted(copy.payload_dir.glob("month=*/*.parquet")):
            removed += _rewritten(objects, copy, path, pa.array(sorted(payload_ids), pa.string()))
    return removed


def _rewritten(objects: Objects, copy: Workspace, path: Path, ids: pa.Array) -> int:
    table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
    hits = pc.is_in(table["payload_id"], value_set=ids)
    count: int = pc.sum(hits).as_py() or 0
    if not count:
        return 0
    if count < table.num_rows:
        content = _parquet(table.filter(pc.invert(hits)))
        stem = path.name.removesuffix(".parquet").rpartition(".")[0]
        name = object_name(path.parent.name.removeprefix("month="), stem, content)
        create_whole(objects, name, content)
        write_file(copy.root / name, content)
    objects.delete(f"{FOLDER}{path.parent.name}/{path.name}")
    path.unlink()
    sync_folder(path.parent)
    return count


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()
