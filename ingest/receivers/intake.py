"""From decoded records to events of the log: content taken apart, secrets masked, ids derived."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from ingest.contract import Value, derived_event_id
from ingest.dialects.assemble import run_id_of
from ingest.dialects.content import apart, labelled
from ingest.dialects.texts import MAX_STRUCTURE_CHARACTERS
from ingest.dialects.values import Attributes, first_name, object_of
from ingest.log.writer import Payload, make_payload
from ingest.masker import mask, masked_in
from ingest.payloads import commitment
from ingest.receivers.decode import Decoded, RawRecord
from ingest.receivers.tokens import Token

_ENCODER = msgspec.json.Encoder(order="sorted")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# A month is a file of texts: times that senders make up must not make a thousand of them.
_EARLIEST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(days=1)
_PAYLOAD_CHARACTERS = 1 << 20  # a trace with more than this has several payloads


class Prepared(NamedTuple):
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
    masked_count: int = 0


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
    resources: dict[int, _Resource] = {}
    for raw in decoded.records:
        key = id(raw["resource"])  # all spans of a resource share one object
        if key not in resources:
            resources[key] = _resource(object_of(raw["resource"]))
        prepared = _prepared(raw, resources[key], keeps_content=token.content_capture != "off")
        size = len(prepared.span_json) + len(prepared.content_json or "")
        if size > span_bytes:
            decoded.reject(1, f"a record of {size} bytes, the limit is {span_bytes}")
            continue
        batch.waiting_bytes += size
        batch.records.append(prepared)
    return batch


class _Resource(NamedTuple):
    """What the spans of one resource share; msgspec.Raw is encoded once and written as it is."""

    encoded: msgspec.Raw
    service_name: str | None


def _resource(attributes: Attributes) -> _Resource:
    """Without long texts: command lines and the like are nobody's business here."""
    short = {
        name: None if isinstance(value, str) and len(value) > MAX_STRUCTURE_CHARACTERS else value
        for name, value in attributes.items()
    }
    return _Resource(msgspec.Raw(_ENCODER.encode(short)), first_name(short, "service_name"))


def _prepared(raw: RawRecord, resource: _Resource, *, keeps_content: bool) -> Prepared:
    structure, content = apart(raw)
    attributes = object_of(structure["attributes"])
    moment = structure.get("start_ns") or structure.get("end_ns") or structure.get("time_ns") or 0
    return Prepared(
        event_type="otel_log" if raw["signal"] == "log" else "otel_span",
        span_json=_ENCODER.encode({**structure, "resource": resource.encoded}).decode(),
        content_json=_ENCODER.encode(labelled(content, raw)).decode() if content and keeps_content else None,
        trace_id=str(raw["trace_id"]),
        span_id=str(raw["span_id"]),
        moment_ns=moment if isinstance(moment, int) else 0,
        agent_name=first_name(attributes, "agent_name"),
        service_name=resource.service_name,
        person_id=first_name(attributes, "person_id"),
    )


def write_out(batches: Sequence[Batch], now: dt.datetime) -> Written:
    """The events and payloads of ``batches``, secrets masked first; ``now`` stands for impossible times.

    The texts of one trace in one request are one payload: they belong to one run, and are erased together.
    """
    written = Written()
    masked = iter(_masked([record for batch in batches for record in batch.records]))
    for batch in batches:
        texts: dict[str, _Texts] = {}
        for _ in batch.records:
            record = next(masked)
            event = _event(batch.token, record, now)
            written.events.append(event)
            content = record.content_json
            if content is not None and batch.token.content_capture == "on":
                gathered = texts.get(record.trace_id)
                if gathered is None or gathered.size > _PAYLOAD_CHARACTERS:
                    if gathered is not None:
                        _close(written, gathered)
                    gathered = texts[record.trace_id] = _Texts()
                gathered.add(event, content, record.person_id)
        for gathered in texts.values():
            _close(written, gathered)
    return written


@dataclass(kw_only=True, slots=True)
class _Texts:
    """Texts of one trace on their way to one payload, and the events that will name it."""

    events: list[dict[str, Value]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    size: int = 0
    person_id: str | None = None

    def add(self, event: dict[str, Value], content: str, person_id: str | None) -> None:
        self.events.append(event)
        self.parts.append(content)
        self.size += len(content)
        self.person_id = self.person_id or person_id


def _close(written: Written, texts: _Texts) -> None:
    first = texts.events[0]
    occurred_at, run_id = first["occurred_at"], first["run_id"]
    made = make_payload(
        f"[{','.join(texts.parts)}]",
        kind="message",
        occurred_at=occurred_at if isinstance(occurred_at, dt.datetime) else _EPOCH,
        run_id=run_id if isinstance(run_id, str) else None,
        subject_id=texts.person_id,
        is_masked=True,
    )
    written.payloads.append(made.payload)
    for event in texts.events:
        event |= made.columns


def _masked(records: Sequence[Prepared]) -> list[Prepared]:
    """``records`` without secrets: in their JSON, and in the names that go into columns."""
    contents = [record.content_json for record in records if record.content_json is not None]
    names = list(
        {
            name
            for record in records
            for name in (record.agent_name, record.service_name, record.person_id)
            if name
        }
    )
    # One call for all: each compiles the patterns again.
    cleaned = mask([*(record.span_json for record in records), *contents, *names])
    content = iter(cleaned[len(records) :])
    cleaned_names: dict[str | None, str | None] = {None: None}
    cleaned_names |= dict(zip(names, cleaned[len(records) + len(contents) :], strict=True))
    masked: list[Prepared] = []
    for record, span_json in zip(records, cleaned, strict=False):
        before = record.content_json
        after = None if before is None else next(content)
        masked.append(
            record._replace(
                span_json=span_json,
                content_json=after,
                agent_name=cleaned_names[record.agent_name],
                service_name=cleaned_names[record.service_name],
                person_id=cleaned_names[record.person_id],
                masked_count=masked_in(record.span_json, span_json) + masked_in(before or "", after or ""),
            )
        )
    return masked


def _event(token: Token, record: Prepared, now: dt.datetime) -> dict[str, Value]:
    content = record.content_json
    # 64 bits of nanoseconds reach to the year 2554.
    stated_at = _EPOCH + dt.timedelta(microseconds=max(record.moment_ns, 0) // 1000)
    # The whole text is part of the id: the same span is known again, a changed one is another telling of it.
    parts = (token.team_id, record.trace_id, record.span_id, record.span_json, content or "")
    event: dict[str, Value] = {
        "event_id": derived_event_id(stated_at, record.event_type, *parts),
        "event_type": record.event_type,
        "occurred_at": stated_at if _EARLIEST <= stated_at <= now + _AHEAD else now,
        "team_id": token.team_id,
        "token_id": token.token_id,
        "run_id": run_id_of(record.trace_id) if record.trace_id else None,
        "source_agent": record.agent_name,
        "source_domain": record.service_name,
        "span_json": record.span_json,
        "masked_count": record.masked_count or None,
    }
    if content is not None and token.content_capture == "hashed":
        # The salt stays with the token: equal texts look equal, and whoever has a text can prove it.
        event["payload_commit"] = commitment(bytes.fromhex(token.content_key), content)
        event["payload_bytes"] = len(content.encode())
    return event
