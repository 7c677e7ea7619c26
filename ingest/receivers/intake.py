"""From decoded records to events of the log: content taken apart, secrets masked, ids derived."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from ingest.contract import Value, derived_event_id
from ingest.dialects.assemble import run_id_of
from ingest.dialects.content import apart
from ingest.dialects.texts import MAX_STRUCTURE_CHARACTERS
from ingest.dialects.values import Attributes, first_name, object_of
from ingest.log.writer import Payload, make_payload
from ingest.payloads import commitment
from ingest.receivers.decode import Decoded, RawRecord
from ingest.receivers.masker import mask
from ingest.receivers.tokens import Token

_ENCODER = msgspec.json.Encoder(order="sorted")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# A month is a file of texts: times that senders make up must not make a thousand of them.
_EARLIEST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """One record ready to be stored: structure and content as canonical JSON, and what its event names."""

    event_type: str
    span_json: str
    content_json: str | None
    trace_id: str
    span_id: str
    moment_ns: int  # start, else end, else 0: the part of the event id that must be the same next time
    agent_name: str | None
    service_name: str | None
    person_id: str | None


@dataclass(kw_only=True, slots=True)
class Batch:
    """The prepared records of one request, with the token it came with."""

    token: Token
    records: list[Prepared] = field(default_factory=list)
    waiting_bytes: int = 0


@dataclass(kw_only=True, slots=True)
class Written:
    """What a group of batches becomes: events, their payloads, and the ids that make a repetition known."""

    events: list[dict[str, Value]] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)


def prepare(decoded: Decoded, token: Token, *, span_bytes: int) -> Batch:
    """The records of ``decoded`` without what ``token`` may not keep; ``decoded`` rejects too large ones."""
    batch = Batch(token=token)
    resources: dict[int, tuple[msgspec.Raw, Attributes]] = {}
    for raw in decoded.records:
        key = id(raw["resource"])  # all spans of a resource share one object
        if key not in resources:
            resource = _short(object_of(raw["resource"]))
            resources[key] = (msgspec.Raw(_ENCODER.encode(resource)), resource)
        prepared = _prepared(raw, *resources[key], keeps_content=token.content_capture != "off")
        size = len(prepared.span_json) + len(prepared.content_json or "")
        if size > span_bytes:
            decoded.reject(1, f"a record of {size} bytes, the limit is {span_bytes}")
            continue
        batch.waiting_bytes += size
        batch.records.append(prepared)
    return batch


def _short(attributes: Attributes) -> Attributes:
    """Resource attributes without long texts: command lines and the like are nobody's business here."""
    return {
        name: None if isinstance(value, str) and len(value) > MAX_STRUCTURE_CHARACTERS else value
        for name, value in attributes.items()
    }


def _prepared(
    raw: RawRecord, resource_json: msgspec.Raw, resource: Attributes, *, keeps_content: bool
) -> Prepared:
    structure, content = apart(raw)
    attributes = object_of(structure["attributes"])
    moment = structure.get("start_ns") or structure.get("end_ns") or structure.get("time_ns") or 0
    return Prepared(
        event_type="otel_log" if raw["signal"] == "log" else "otel_span",
        # msgspec.Raw is written as it is: the resource is encoded once for all its spans.
        span_json=_ENCODER.encode({**structure, "resource": resource_json}).decode(),
        content_json=_ENCODER.encode(content).decode() if content and keeps_content else None,
        trace_id=str(raw["trace_id"]),
        span_id=str(raw["span_id"]),
        moment_ns=moment if isinstance(moment, int) else 0,
        agent_name=first_name(attributes, "agent_name"),
        service_name=first_name(resource, "service_name"),
        person_id=first_name(attributes, "person_id"),
    )


def write_out(batches: Sequence[Batch], now: dt.datetime) -> Written:
    """The events and payloads of ``batches``, secrets masked first; ``now`` stands for impossible times."""
    rows = [(batch.token, record) for batch in batches for record in batch.records]
    structures = mask([record.span_json for _, record in rows])
    contents = iter(mask([record.content_json for _, record in rows if record.content_json is not None]))
    written = Written()
    for (token, record), span_json in zip(rows, structures, strict=True):
        content = next(contents) if record.content_json is not None else None
        _add(written, token, record, span_json, content, now)
    return written


def _add(
    written: Written, token: Token, record: Prepared, span_json: str, content: str | None, now: dt.datetime
) -> None:
    occurred_at = _moment(record.moment_ns, now)
    digest = blake2b(span_json.encode(), digest_size=16)
    if content is not None:
        digest.update(content.encode())
    parts = (token.team_id, record.trace_id, record.span_id, digest.hexdigest())
    run_id = run_id_of(record.trace_id) if record.trace_id else None
    event: dict[str, Value] = {
        "event_id": derived_event_id(_known_moment(record.moment_ns), record.event_type, *parts),
        "event_type": record.event_type,
        "occurred_at": occurred_at,
        "team_id": token.team_id,
        "token_id": token.token_id,
        "run_id": run_id,
        "source_agent": record.agent_name,
        "source_domain": record.service_name,
        "span_json": span_json,
    }
    if content is not None and token.content_capture == "on":
        made = make_payload(
            content, kind="message", occurred_at=occurred_at, run_id=run_id, subject_id=record.person_id
        )
        written.payloads.append(made.payload)
        event |= made.columns
    elif content is not None:
        # The salt stays with the token: equal texts look equal, and whoever has a text can prove it.
        event["payload_commit"] = commitment(bytes.fromhex(token.content_key), content)
        event["payload_bytes"] = len(content.encode())
    written.events.append(event)


def _moment(moment_ns: int, now: dt.datetime) -> dt.datetime:
    moment = _known_moment(moment_ns)
    return moment if _EARLIEST <= moment <= now + _AHEAD else now


def _known_moment(moment_ns: int) -> dt.datetime:
    """The time of ``moment_ns``: 64 bits of nanoseconds reach to the year 2554."""
    return _EPOCH + dt.timedelta(microseconds=max(moment_ns, 0) // 1000)
