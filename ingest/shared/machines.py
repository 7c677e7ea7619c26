"""Machines: who each one is, and what it says of itself beside the record: how far its writers have come."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket
from collections.abc import Iterable, Mapping

import msgspec

from ingest.contract import parse_rfc3339
from ingest.errors import PlaceError
from ingest.log.disk import make_folder
from ingest.workspace import Workspace

FOLDER = "machines/"
# A machine speaks each time it ships, every few seconds. After this long it is dead, or cut off.
SILENT_AFTER = dt.timedelta(minutes=15)


class OpenWriter(msgspec.Struct, frozen=True, kw_only=True):
    """A writer that is open, or not wholly shipped: its last durable event, with its chain value (hex)."""

    writer_id: str
    seq: int
    head: str


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine last said (``stated_at``, RFC 3339): its open writers as they stood then.

    What is newer in the record than ``seq`` of a writer arrived later; what is missing up to it did not.
    """

    machine_id: str
    host: str
    stated_at: str
    writers: tuple[OpenWriter, ...]


def machine_id(workspace: Workspace) -> str:
    """The name of this workspace among those that share a record; made once, left out of backups."""
    path = workspace.root / "locks" / "machine.id"
    while True:
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            make_folder(path.parent)
            draft = path.with_name(f"machine.{secrets.token_hex(4)}")
            host = "".join(letter if letter.isalnum() else "-" for letter in socket.gethostname().lower())
            draft.write_text(f"{host[:40] or 'host'}-{secrets.token_hex(4)}\n", encoding="ascii")
            try:
                os.link(draft, path)  # another process of this machine may be as quick
            except FileExistsError:
                continue
            finally:
                draft.unlink()


def name_of(machine: str) -> str:
    """The object in which ``machine`` speaks."""
    return f"{FOLDER}{machine}.json"


def read_statement(content: bytes, name: str) -> Statement:
    """The statement in an object. Raises PlaceError."""
    try:
        statement = msgspec.json.decode(content, type=Statement)
        parse_rfc3339(statement.stated_at)
    except (msgspec.MsgspecError, ValueError) as error:
        raise PlaceError(
            f"Shared record not read: {name} is no statement of a machine ({error}). Let that machine ship "
            "again, which replaces it."
        ) from error
    return statement


def statements(record: Workspace) -> list[Statement]:
    """What the machines said, as the copy ``record`` holds it, by machine. Raises PlaceError, OSError."""
    files = sorted((record.root / FOLDER).glob("*.json"))
    return [read_statement(file.read_bytes(), file.name) for file in files]


def is_silent(statement: Statement, now: dt.datetime) -> bool:
    """Whether the machine should have spoken since."""
    return now - parse_rfc3339(statement.stated_at) > SILENT_AFTER


def waiting(statement: Statement, arrived: Mapping[str, int]) -> dict[str, int]:
    """Writer → how many of its events are not in the record; ``arrived`` is writer → last event there."""
    behind = {one.writer_id: one.seq - arrived.get(one.writer_id, -1) for one in statement.writers}
    return {writer_id: count for writer_id, count in behind.items() if count > 0}


def open_writers(all_statements: Iterable[Statement]) -> set[str]:
    """Writers that their machines stated as open."""
    return {writer.writer_id for statement in all_statements for writer in statement.writers}
