"""An S3-compatible object store as a place for objects; needs the extra ``s3`` (boto3).

Credentials, region and endpoint are those of boto3 (``AWS_PROFILE``, ``AWS_ENDPOINT_URL_S3`` and the like).
An object is one request with its whole body and its SHA-256, so a store never shows a part of one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ingest.errors import PlaceError

if TYPE_CHECKING:
    from botocore.client import BaseClient

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "412"})
# What one request may take: 10 MB over a slow line. A machine that is cut off goes on recording meanwhile.
_CONNECT_S, _READ_S, _ATTEMPTS = 5, 30, 3


class StoredObjects:
    """The objects below ``s3://BUCKET/PREFIX``. Raises PlaceError without boto3 or without a bucket."""

    def __init__(self, address: str) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not bucket:
            raise PlaceError(f"No shared record: {address} names no bucket. Write it as s3://BUCKET/PREFIX.")
        self.address = address
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = _client(address)

    def read(self, name: str) -> bytes | None:
        """The object's bytes. Raises PlaceError."""
        with self._asking():
            try:
                return bytes(self._client.get_object(**self._key(name))["Body"].read())
            except self._client.exceptions.ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise

    def create(self, name: str, content: bytes) -> bool:
        """Put with ``If-None-Match: *``, then ask the store what it keeps. Raises PlaceError."""
        with self._asking():
            try:
                self._put(name, content, IfNoneMatch="*")
            except self._client.exceptions.ClientError as error:
                if _code(error) not in _TAKEN:
                    raise
        return self._keeps(name, content)

    def replace(self, name: str, content: bytes) -> None:
        """Put without a condition. Raises PlaceError."""
        with self._asking():
            self._put(name, content)

    def names(self, prefix: str, after: str = "") -> list[str]:
        """The names below the prefix. Raises PlaceError."""
        start = {"StartAfter": self._prefix + after} if after else {}
        with self._asking():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix, **start
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [str(key).removeprefix(self._prefix) for key in keys]

    def delete(self, name: str) -> None:
        """Delete the object. Raises PlaceError."""
        with self._asking():
            self._client.delete_object(**self._key(name))

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def _put(self, name: str, content: bytes, **conditions: str) -> None:
        self._client.put_object(
            **self._key(name), Body=content, ChecksumSHA256=_checksum(content), **conditions
        )

    def _keeps(self, name: str, content: bytes) -> bool:
        """Whether the object has these bytes: by the store's own checksum, else by reading it."""
        with self._asking():
            try:
                head = self._client.head_object(**self._key(name), ChecksumMode="ENABLED")
            except self._client.exceptions.ClientError as error:
                if _code(error) in _ABSENT:
                    return False
                raise
        if head["ContentLength"] != len(content):
            return False
        if "ChecksumSHA256" in head:
            return bool(head["ChecksumSHA256"] == _checksum(content))
        return self.read(name) == content

    @contextmanager
    def _asking(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except (BotoCoreError, ClientError, HTTPClientError, OSError) as error:
            raise PlaceError(
                f"Shared record not reached: {self.address} ({error}). Nothing is lost, what was recorded "
                "stays on this machine. Check network, bucket, credentials and endpoint "
                "(AWS_ENDPOINT_URL_S3); the next round ships it."
            ) from error


def _checksum(content: bytes) -> str:
    return base64.b64encode(sha256(content).digest()).decode("ascii")


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _client(address: str) -> BaseClient:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise PlaceError(
            f"Shared record not reached: {address} is an object store, and the package boto3 is missing. "
            "Install the extra s3: pip install 'fleetbook[s3]'."
        ) from error
    config = Config(
        retries={"mode": "standard", "max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        max_pool_connections=16,
    )
    try:
        return boto3.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise PlaceError(
            f"Shared record not reached: {address} ({error}). "
            "Set AWS_DEFAULT_REGION and the credentials, then run the command again."
        ) from error
