"""An object store (S3 and what speaks like it) as a checkpoint sink; needs the extra ``s3`` (boto3).

Credentials, region and endpoint are those of boto3 (``AWS_PROFILE``, ``AWS_ENDPOINT_URL_S3`` and the like).
Objects are created, never overwritten: with object lock on the bucket nobody else can either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.errors import NotaryError
from ingest.log.sink_folder import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class S3Sink:
    """The objects below ``BUCKET/PREFIX``. Raises NotaryError without boto3 or without a bucket."""

    def __init__(self, place: str) -> None:
        self._bucket, _, prefix = place.partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        if not self._bucket:
            raise NotaryError("Not kept: s3:// names no bucket. Write it as s3://BUCKET/PREFIX.")
        self._client = _client()

    @property
    def _place(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def names(self) -> list[str]:
        """The objects' names below the prefix. Raises NotaryError."""
        from botocore.exceptions import BotoCoreError, ClientError

        found: list[str] = []
        try:
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                found += [item["Key"].removeprefix(self._prefix) for item in page.get("Contents", [])]
        except (BotoCoreError, ClientError) as error:
            raise self._problem(error) from error
        return [name for name in found if "/" not in name]

    def read(self, name: str) -> str:
        """The text of an object. Raises NotaryError."""
        text = self._text(name)
        if text is None:
            raise self._problem(f"{name} is gone")
        return text

    def keep(self, name: str, note: str) -> str:
        """Create the object unless it is there. Raises NotaryRefusal, NotaryError."""
        from botocore.exceptions import BotoCoreError, ClientError

        there = self._text(name)
        if there is None:
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + name,
                    Body=note.encode(),
                    ContentType="text/plain; charset=utf-8",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _TAKEN:
                    raise self._problem(error) from error
            except BotoCoreError as error:
                raise self._problem(error) from error
            # Read back: not every store minds If-None-Match, and another notary may have been quicker.
            there = self.read(name)
        if there != note:
            raise refusal(self._place, name)
        return self._place + name

    def _text(self, name: str) -> str | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            return str(answer["Body"].read().decode("utf-8", "replace"))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise self._problem(error) from error
        except BotoCoreError as error:
            raise self._problem(error) from error

    def _problem(self, problem: object) -> NotaryError:
        return NotaryError(
            f"Signed, but not kept in {self._place}: {problem}. Check bucket, credentials and endpoint "
            "(AWS_ENDPOINT_URL_S3), then run `fleetbook notarise` again."
        )


def _client() -> BaseClient:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise NotaryError(
            "Signed, but not kept: object stores need the package boto3. "
            "Install it with `pip install 'fleetbook[s3]'`, then run `fleetbook notarise` again."
        ) from error
    try:
        retries = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=10, read_timeout=30)
        return boto3.client("s3", config=retries)
    except (BotoCoreError, ValueError) as error:
        raise NotaryError(
            f"Signed, but not kept: the object store cannot be used ({error}). "
            "Set AWS_DEFAULT_REGION and the credentials, then run `fleetbook notarise` again."
        ) from error
