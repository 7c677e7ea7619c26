"""Objects by name: an S3-compatible store or a shared folder; each is there whole, or not at all.

Names have ``/`` between their parts. Nothing is overwritten except what :meth:`Objects.replace` is for.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Protocol

from ingest.errors import PlaceError
from ingest.log.disk import make_folder, sync_folder, write_all

S3 = "s3://"
_HALF_MADE = ".making-"


class Objects(Protocol):
    """A place that holds objects. ``address`` is how messages name it."""

    address: str

    def read(self, name: str) -> bytes | None:
        """The object's bytes, None when it is not there. Raises PlaceError."""

    def create(self, name: str, content: bytes) -> bool:
        """Make the object unless the name is taken; True when it now has these bytes, whoever made it.

        Of several that create the same name one succeeds. An error leaves open whether it was made; doing
        it again tells. Raises PlaceError.
        """

    def replace(self, name: str, content: bytes) -> None:
        """Make the object, or put it in the place of the one before: for names that one machine owns."""

    def names(self, prefix: str, after: str = "") -> list[str]:
        """Names that begin with ``prefix`` and come after the name ``after``, in order. Raises PlaceError."""

    def delete(self, name: str) -> None:
        """Remove the object; harmless when it is not there. Raises PlaceError."""


def objects_at(address: str) -> Objects:
    """The place at ``address``: ``s3://BUCKET/PREFIX`` or the path of a folder. Raises PlaceError."""
    if address.startswith(S3):
        from ingest.shared.object_store import StoredObjects

        return StoredObjects(address)
    return FolderObjects(Path(address).expanduser())


def create_whole(objects: Objects, name: str, content: bytes) -> None:
    """Create an object whose ``name`` says what is in it (a digest); raises PlaceError.

    One that has the name and other bytes is damaged, and nobody relies on it: it is not listed. It goes.
    """
    if objects.create(name, content):
        return
    objects.delete(name)
    if not objects.create(name, content):
        raise PlaceError(
            f"Not shipped: {objects.address} keeps {name} with other bytes than were sent, twice. "
            "Check the store and the network between; then run `fleetbook machines ship` again."
        )


class FolderObjects:
    """A folder that every machine mounts: each object is a file, linked to its name when it is whole.

    ``link`` fails when the name is there, on NFS too; ``rename`` would overwrite.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.address = str(root)

    def read(self, name: str) -> bytes | None:
        """The file's bytes. Raises PlaceError."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._problem(error) from error

    def create(self, name: str, content: bytes) -> bool:
        """Write beside it, flush, link. Raises PlaceError."""
        target = self._root / name
        try:
            draft = self._draft(target, content)
            try:
                target.hardlink_to(draft)
            except FileExistsError:
                return target.read_bytes() == content
            finally:
                draft.unlink()
                sync_folder(target.parent)
        except OSError as error:
            raise self._problem(error) from error
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write beside it, flush, rename. Raises PlaceError."""
        target = self._root / name
        try:
            self._draft(target, content).rename(target)
            sync_folder(target.parent)
        except OSError as error:
            raise self._problem(error) from error

    def names(self, prefix: str, after: str = "") -> list[str]:
        """The files below the folder of ``prefix``. Raises PlaceError."""
        folder = self._root / prefix.rpartition("/")[0]
        try:
            paths = [path for path in folder.rglob("*") if not path.name.startswith(_HALF_MADE)]
            found = [path.relative_to(self._root).as_posix() for path in paths if path.is_file()]
        except OSError as error:
            raise self._problem(error) from error
        return sorted(name for name in found if name.startswith(prefix) and name > after)

    def delete(self, name: str) -> None:
        """Unlink the file durably. Raises PlaceError."""
        target = self._root / name
        try:
            target.unlink(missing_ok=True)
            if target.parent.is_dir():
                sync_folder(target.parent)
        except OSError as error:
            raise self._problem(error) from error

    def _draft(self, target: Path, content: bytes) -> Path:
        make_folder(target.parent)
        draft = target.with_name(f"{_HALF_MADE}{secrets.token_hex(8)}")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            write_all(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        return draft

    def _problem(self, error: OSError) -> PlaceError:
        return PlaceError(
            f"Shared record not reached: {self.address} ({error}). Nothing is lost, what was recorded stays "
            "on this machine. Mount the folder, or correct its rights; the next round ships it."
        )
