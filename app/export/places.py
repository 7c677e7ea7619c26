"""Where scheduled exports go: a folder, or an object store; what is there is never overwritten."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.errors import ExportError

if TYPE_CHECKING:
    from botocore.client import BaseClient

_S3 = "s3://"
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


class Place(Protocol):
    """Files by name, with ``/`` between their parts."""

    def read(self, name: str) -> bytes | None:
        """The file's bytes, None when it is not there. Raises ExportError when the place cannot be asked."""

    def put(self, name: str, source: Path) -> None:
        """Create the file ``name`` with the bytes of ``source``, whole or not at all. Raises ExportError."""


def place(address: str) -> Place:
    """The place at ``address``: a folder's path, or ``s3://BUCKET/PREFIX`` (needs the extra ``s3``)."""
    return _Store(address) if address.startswith(_S3) else _Folder(Path(address).expanduser())


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreachable(str(self._root), error) from error

    def put(self, name: str, source: Path) -> None:
        target = self._root / name
        making = target.with_name(f".making-{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            making.write_bytes(source.read_bytes())
            with making.open("rb") as file:
                os.fsync(file.fileno())
            making.rename(target)
        except OSError as error:
            raise _unreachable(str(self._root), error) from error


class _Store:
    def __init__(self, address: str) -> None:
        self._address = address
        self._bucket, _, prefix = address.removeprefix(_S3).partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = _client(address)

    def read(self, name: str) -> bytes | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            return bytes(found["Body"].read())
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise _unreachable(self._address, error) from error
        except BotoCoreError as error:
            raise _unreachable(self._address, error) from error

    def put(self, name: str, source: Path) -> None:
        """One request with the whole body: a store shows an object when it has all of it."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + name, Body=source.read_bytes(), IfNoneMatch="*"
            )
        except (BotoCoreError, ClientError) as error:
            raise _unreachable(self._address, error) from error


def _client(address: str) -> BaseClient:
    try:
        import boto3
    except ImportError as error:
        raise ExportError(
            f"Not delivered: {address} is an object store, and the package boto3 is missing. "
            "Install the extra s3: pip install 'fleetbook[s3]'."
        ) from error
    return boto3.client("s3")


def _unreachable(address: str, error: Exception) -> ExportError:
    return ExportError(
        f"Not delivered: {address} did not take it or does not answer ({error}). "
        "Correct the address, the rights or the space, then run `fleetbook exports run` again."
    )
