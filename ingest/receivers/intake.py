"""From decoded records to events of the log: content taken apart, secrets masked, ids derived.

The records of one trace in one request are one event, and their texts one payload: they belong to one run and
are erased together. An event for each span costs twice the CPU and the disk (docs/decisions/0015).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.capture import Capture, strictest
from ingest.contract import Value, derived_event_id
from ingest.dialects.aliases import names_of
from ingest.dialects.assemble import run_id_of, trace_id_of_log
from ingest.dialects.content import apart, labelled
from ingest.dialects.spans import map_span
from ingest.dialects.stored import Part, encoded, encoded_record, stored_text, with_commits
from ingest.dialects.texts import MAX_STRUCTURE_CHARACTERS
from ingest.dialects.values import Attributes, first_name, object_of
from ingest.log.writer import Payload, make_payload
from ingest.masker import mask, masked_in
from ingest.payload_rules import ContentRules
from ingest.payloads import commitment
from ingest.receivers.decode import Decoded, RawRecord
from ingest.receivers.tokens import Token

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# A month is a file of texts: times that senders make up must not make a thousand of them.
_EARLIEST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(days=1)
_GROUP_BYTES = 1 << 20  # a trace with more than this in one request has several events
_AGENT_NAMES = frozenset(names_of("agent_name", ""))
_PERSON_NAMES = frozenset(names_of("person_id", ""))


@dataclass(kw_only=True, slots=True)
class Group:
    """Records of one trace in one request: structure and contents as canonical JSON, and what they name."""

    signal: str
    trace_id: str
    run_id: str | None
    service_name: str | None
    moment_ns: int  # of the first record: start, else end, else 0
    agent_name: str | None = None
    person_id: str | None = None
    parts: list[Part] = field(default_factory=list)
    contents: list[bytes | None] = field(default_factory=list)  # one for each record; null without texts
    capture: Capture = "on"  # what becomes of the texts
    has_texts: bool = False  # kept or not
    shared: tuple[int, int] | None = None  # resource and scope of the last part, by identity
    size: int = 0


@dataclass(kw_only=True, slots=True)
class Batch:
    """The groups of one request, with the token it came with."""

    token: Token
    groups: list[Group] = field(default_factory=list)
    waiting_bytes: int = 0


@dataclass(kw_only=True, slots=True)
class Written:
    """What a number of batches become: events, their payloads, and the ids that make a repetition known."""

    events: list[dict[str, Value]] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)


def prepare(decoded: Decoded, token: Token, rules: ContentRules, *, span_bytes: int) -> Batch:
    """The records of ``decoded`` without what token and ``rules`` do not keep; it rejects too large ones."""
    batch = Batch(token=token)
    resources: dict[int, _Resource] = {}
    open_groups: dict[tuple[str, str | None], Group] = {}
    captures = _captures(decoded, token, rules)
    for raw in decoded.records:
        place = id(raw["resource"])  # all spans of a resource share one object
        resource = resources.get(place)
        if resource is None:
            resource = resources[place] = _resource(object_of(raw["resource"]))
        structure, content = apart(raw)
        attributes = object_of(structure["attributes"])
        record = encoded_record(structure)
        capture = captures.get(str(raw["trace_id"]), token.content_capture)
        is_told = bool(content) and capture != "off"
        told = encoded(labelled(content, raw) if capture == "on" else content) if is_told else None
        size = len(record) + len(told or b"")
        if size > span_bytes:
            decoded.reject(1, f"a record of {size} bytes, the limit is {span_bytes}")
            continue
        group = _group_for(raw, resource, open_groups, batch)
        _add(group, raw, resource, record, told)
        group.capture, group.has_texts = capture, group.has_texts or bool(content)
        group.size += size
        batch.waiting_bytes += size
        if group.agent_name is None and not _AGENT_NAMES.isdisjoint(attributes):
            group.agent_name = first_name(attributes, "agent_name")
        if group.person_id is None and not _PERSON_NAMES.isdisjoint(attributes):
            group.person_id = first_name(attributes, "person_id")
    return batch


def _captures(decoded: Decoded, token: Token, rules: ContentRules) -> dict[str, Capture]:
    """What becomes of the texts of each trace: the strictest word of all agents that its records name."""
    if token.content_capture == "off" or rules.keep_all():
        return {}
    found: dict[str, Capture] = {}
    for raw in decoded.records:
        trace_id = str(raw["trace_id"])
        agent_name = first_name(object_of(raw["attributes"]), "agent_name")
        service_name = first_name(object_of(raw["resource"]), "service_name")
        capture = rules.of_outside(token.team_id, agent_name, service_name)
        found[trace_id] = strictest(capture, found.get(trace_id, token.content_capture))
    return found


@dataclass(frozen=True, slots=True)
class _Resource:
    """What the spans of one resource share, encoded once."""

    encoded: bytes
    service_name: str | None


def _resource(attributes: Attributes) -> _Resource:
    """Without long texts: command lines and the like are nobody's business here."""
    short = {
        name: None if isinstance(value, str) and len(value) > MAX_STRUCTURE_CHARACTERS else value
        for name, value in attributes.items()
    }
    return _Resource(encoded(short), first_name(short, "service_name"))


def _group_for(
    raw: RawRecord,
    resource: _Resource,
    open_groups: dict[tuple[str, str | None], Group],
    batch: Batch,
) -> Group:
    """The group of the trace of ``raw`` that still has room. Log records without a trace go by their run."""
    trace_id = str(raw["trace_id"])
    named = trace_id or _trace_of_log(raw)
    group = open_groups.get((trace_id, named))
    if group is None or group.size > _GROUP_BYTES:
        moment = raw.get("start_ns") or raw.get("end_ns") or raw.get("time_ns") or 0
        group = Group(
            signal=str(raw["signal"]),
            trace_id=trace_id,
            run_id=run_id_of(named) if named else None,
            service_name=resource.service_name,
            moment_ns=moment if isinstance(moment, int) else 0,
        )
        open_groups[trace_id, named] = group
        batch.groups.append(group)
    return group


def _trace_of_log(raw: RawRecord) -> str | None:
    log = map_span(raw)
    return trace_id_of_log(log) if log.conversation_id else None


def _add(group: Group, raw: RawRecord, resource: _Resource, record: bytes, content: bytes | None) -> None:
    shared = (id(raw["resource"]), id(raw["scope"]))
    if shared != group.shared:
        group.shared = shared
        schema_url = raw.get("schema_url")
        part = Part(
            resource=resource.encoded,
            scope=encoded(raw["scope"]),
            schema_url=encoded(schema_url) if schema_url else None,
        )
        group.parts.append(part)
    group.parts[-1].records.append(record)
    group.contents.append(content)


def write_out(batches: Sequence[Batch], now: dt.datetime) -> Written:
    """The events and payloads of ``batches``, secrets masked first; ``now`` stands for impossible times."""
    written = Written()
    groups = [(batch.token, group) for batch in batches for group in batch.groups]
    before = [_texts(group) for _, group in groups]
    names = sorted({name for _, group in groups for name in _names(group)})
    # One call for all: each compiles the patterns again.
    cleaned = iter(mask([*(text for texts in before for text in texts), *names]))
    after = [[next(cleaned) for _ in texts] for texts in before]
    clean_names: dict[str | None, str | None] = {None: None}
    clean_names |= dict(zip(names, cleaned, strict=True))
    for (token, group), raw_texts, texts in zip(groups, before, after, strict=True):
        group.agent_name = clean_names[group.agent_name]
        group.service_name = clean_names[group.service_name]
        group.person_id = clean_names[group.person_id]
        event = _event(token, group, texts, now)
        event["masked_count"] = sum(map(masked_in, raw_texts, texts)) or None
        if group.has_texts and group.capture != "on":
            event["content_capture"] = group.capture
        if group.capture == "on" and len(texts) > 1:
            payload = _payload(event, group, texts[1])
            written.payloads.append(payload)
        written.events.append(event)
    return written


def _names(group: Group) -> Iterator[str]:
    return (name for name in (group.agent_name, group.service_name, group.person_id) if name)


def _texts(group: Group) -> list[str]:
    """The structure of ``group``; then all contents as one text, or each by itself when it is hashed."""
    texts = [stored_text(group.signal, group.trace_id, group.parts)]
    contents = [content for content in group.contents if content is not None]
    if contents and group.capture == "on":
        texts.append(f"[{b','.join(contents).decode()}]")
    elif contents:
        texts += [content.decode() for content in contents]
    return texts


def _event(token: Token, group: Group, texts: Sequence[str], now: dt.datetime) -> dict[str, Value]:
    # 64 bits of nanoseconds reach to the year 2554.
    stated_at = _EPOCH + dt.timedelta(microseconds=max(group.moment_ns, 0) // 1000)
    event_type = "otel_log" if group.signal == "log" else "otel_span"
    text = texts[0]
    if group.capture == "hashed" and len(texts) > 1:
        text = with_commits(text, _commits(token, group, texts[1:]))
    return {
        # All texts are part of the id: a repeated request is known again, a changed span is another telling.
        "event_id": derived_event_id(stated_at, event_type, token.team_id, *texts),
        "event_type": event_type,
        "occurred_at": stated_at if _EARLIEST <= stated_at <= now + _AHEAD else now,
        "team_id": token.team_id,
        "token_id": token.token_id,
        "run_id": group.run_id,
        "source_agent": group.agent_name,
        "source_domain": group.service_name,
        "span_json": text,
        "span_count": len(group.contents),
    }


def _commits(token: Token, group: Group, contents: Sequence[str]) -> list[str | None]:
    """The salt stays with the token: equal texts look equal, and whoever has a text can prove it."""
    salt, told = bytes.fromhex(token.content_key), iter(contents)
    return [None if content is None else commitment(salt, next(told)) for content in group.contents]


def _payload(event: dict[str, Value], group: Group, text: str) -> Payload:
    occurred_at = event["occurred_at"]
    made = make_payload(
        text,
        kind="message",
        occurred_at=occurred_at if isinstance(occurred_at, dt.datetime) else _EPOCH,
        run_id=group.run_id,
        subject_id=group.person_id,
        is_masked=True,
    )
    event |= made.columns
    return made.payload
