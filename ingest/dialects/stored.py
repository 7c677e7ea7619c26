"""The form in which the log holds spans and log records: those of one trace in one request, as one JSON text.

``{"commits": […], "parts": [{"records": […], "resource": {…}, "schema_url": …, "scope": {…}}], "signal": …,
"trace_id": hex}``, canonical JSON. What records share stands once. ``commits`` is there when texts are kept
as hashes: one salted commitment for each record, null where it had no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ingest.dialects.values import Json

_ENCODER = msgspec.json.Encoder(order="sorted")
_SHARED = ("resource", "scope", "schema_url", "signal", "trace_id")


@dataclass(kw_only=True, slots=True)
class Part:
    """Records of one resource and scope, as canonical JSON each."""

    resource: bytes
    scope: bytes
    schema_url: bytes | None
    records: list[bytes] = field(default_factory=list)


def encoded(value: Json) -> bytes:
    """Canonical JSON of ``value``."""
    return _ENCODER.encode(value)


def encoded_record(record: dict[str, Json]) -> bytes:
    """Canonical JSON of ``record`` without what its part and its trace say; ``record`` loses that."""
    for name in _SHARED:
        record.pop(name, None)
    return _ENCODER.encode(record)


def stored_text(signal: str, trace_id: str, parts: Sequence[Part]) -> str:
    """The stored form of ``parts``."""
    told = b",".join(_part(part) for part in parts)
    return f'{{"parts":[{told.decode()}],"signal":"{signal}","trace_id":"{trace_id}"}}'


def _part(part: Part) -> bytes:
    schema = b"" if part.schema_url is None else b'"schema_url":' + part.schema_url + b","
    return b'{"records":[%b],"resource":%b,%b"scope":%b}' % (
        b",".join(part.records),
        part.resource,
        schema,
        part.scope,
    )


def with_commits(text: str, commits: Sequence[str | None]) -> str:
    """A stored ``text`` with the commitments to its records' contents."""
    return f'{{"commits":{_ENCODER.encode(commits).decode()},{text[1:]}'


def stored_spans(text: str) -> Iterator[Mapping[str, Json]]:
    """The raw spans and log records in ``text``, whole again; none when it is nothing of the kind.

    A text that is one raw span itself is that span.
    """
    try:
        stored = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return
    if not isinstance(stored, dict):
        return
    parts = stored.get("parts")
    if not isinstance(parts, list):
        yield stored
        return
    trace = {"signal": stored.get("signal"), "trace_id": stored.get("trace_id")}
    for part in parts:
        shared = {name: value for name, value in part.items() if name != "records"} | trace
        for record in part["records"]:
            yield {**shared, **record}
