"""Joining: a workspace becomes one machine of several, which share one record at one place."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from ingest.errors import PlaceError, PlaceRefusal
from ingest.log.disk import write_file
from ingest.shared.objects import S3, Objects, objects_at
from ingest.workspace import COPY, Workspace

LABEL = "fleetbook.json"
LAYOUT_VERSION = 1


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What ``shared.json`` of a machine says: where the record is, and which one it is."""

    address: str
    record_id: str


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What ``fleetbook.json`` at the place says: the record's id, and its layout's version."""

    record_id: str
    layout_version: int


@dataclass(frozen=True, kw_only=True)
class Record:
    """The shared record as this machine reaches it."""

    objects: Objects
    record_id: str


def join(workspace: Workspace, address: str) -> Joined:
    """Let ``workspace`` ship to the record at ``address``, which the first machine makes; again is fine.

    Raises PlaceError when the place is not reached or does not keep the promises that the record relies on,
    PlaceRefusal when the workspace belongs to another record.
    """
    address = address if address.startswith(S3) else str(objects_at(address).address)
    objects = objects_at(address)
    before = joined(workspace)
    _insist_on_conditions(objects)
    label = _label(objects)
    if before is not None and before.record_id != label.record_id:
        raise PlaceRefusal(
            f"Not joined: this workspace ships to {before.address} (record {before.record_id}), and "
            f"{address} is another record ({label.record_id}). Give each company a workspace of its own."
        )
    done = Joined(address=address, record_id=label.record_id)
    copy = Workspace.create(workspace.root / COPY)
    write_file(copy.origin_file, msgspec.json.encode(done))
    write_file(workspace.shared_file, msgspec.json.encode(done))  # last: from now on the record is there
    return done


def joined(workspace: Workspace) -> Joined | None:
    """Where ``workspace`` (or a copy of a record) belongs; None when it stands alone. Raises PlaceError."""
    file = workspace.origin_file if workspace.origin_file.exists() else workspace.shared_file
    try:
        return msgspec.json.decode(file.read_bytes(), type=Joined)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise PlaceError(
            f"Shared record unknown: {file} cannot be understood ({error}). "
            "Restore the file, or run `fleetbook machines join PLACE` again."
        ) from error


def opened(workspace: Workspace) -> Record:
    """The record that ``workspace`` joined. Raises PlaceError, and PlaceRefusal when another one is there."""
    known = joined(workspace)
    if known is None:
        raise PlaceError(
            f"No shared record: {workspace.root} stands alone. "
            "Run `fleetbook machines join PLACE`, where PLACE is s3://BUCKET/PREFIX or a shared folder."
        )
    objects = objects_at(known.address)
    content = objects.read(LABEL)
    if content is None or msgspec.json.decode(content, type=Label).record_id != known.record_id:
        state = "holds no record" if content is None else "holds another record"
        raise PlaceRefusal(
            f"Shared record refused: {known.address} {state} than {known.record_id}, which this machine "
            "ships to. Mount or name the right place; nothing was shipped."
        )
    return Record(objects=objects, record_id=known.record_id)


def _label(objects: Objects) -> Label:
    """The label at the place, made by whoever comes first."""
    fresh = Label(record_id=secrets.token_hex(8), layout_version=LAYOUT_VERSION)
    objects.create(LABEL, msgspec.json.encode(fresh))
    content = objects.read(LABEL)
    try:
        label = msgspec.json.decode(content or b"", type=Label)
    except msgspec.MsgspecError as error:
        raise PlaceError(
            f"Not joined: {objects.address}/{LABEL} is no label of a record ({error}). Name an empty place."
        ) from error
    if label.layout_version > LAYOUT_VERSION:
        raise PlaceError(
            f"Not joined: {objects.address} has layout {label.layout_version}, this release knows up to "
            f"{LAYOUT_VERSION}. Update Fleetbook."
        )
    return label


def _insist_on_conditions(objects: Objects) -> None:
    """Everything rests on it: a name that is taken must not be given again."""
    name = f"probe/{secrets.token_hex(8)}"
    one, other = (sha256(f"{name}{word}".encode()).hexdigest().encode() for word in ("one", "other"))
    try:
        is_kept = objects.create(name, one) and objects.create(name, one)
        if not is_kept or objects.create(name, other) or objects.read(name) != one:
            raise PlaceError(
                f"Not joined: {objects.address} lets an object be overwritten that is to be made once only "
                "(If-None-Match, or link). Use a store that minds conditional writes."
            )
    finally:
        with suppress(PlaceError):  # a machine need not have the right to delete
            objects.delete(name)
