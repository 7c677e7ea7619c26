"""OTLP requests in JSON as raw spans and log records.

Ids are hex (OTLP 1.x JSON), or as some senders write them: base64, or a JavaScript buffer as an object.
Integers may be texts or numbers, members may have the names of the .proto files, and enumerations
their words: protobuf's own JSON printers write so. What has the wrong type is left out, and nothing else
changes.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ingest.dialects.values import Json, object_of
from ingest.errors import RequestError
from ingest.receivers.decode import METRICS_ADVICE, Decoded, RawRecord, Signal

# protobuf refuses messages nested deeper than this; so does the JSON way in.
MAX_DEPTH = 100


# Where a sender writes the words of an enumeration for its numbers.
_WORDS: dict[str, int] = dict(
    [*Span.SpanKind.items(), *Status.StatusCode.items(), *SeverityNumber.items()],
)


@cache
def _proto_name(name: str) -> str:
    """``resourceSpans`` as the .proto file has it: ``resource_spans``."""
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def _of(message: Mapping[str, Json], name: str) -> Json:
    """The member ``name`` of a message, under its JSON name or that of the .proto file."""
    return message[name] if name in message else message.get(_proto_name(name))


def decode_json(signal: Signal, body: bytes) -> Decoded:
    """The records of a JSON request. Raises RequestError when ``body`` is no such request."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"the body is no OTLP {signal} request in JSON ({error})") from error
    if not isinstance(request, dict):
        raise RequestError(f"the body is no OTLP {signal} request in JSON (expected an object)")
    decoded = Decoded()
    if signal == "traces":
        _traces(request, decoded)
    elif signal == "logs":
        _logs(request, decoded)
    elif groups := _objects(_of(request, "resourceMetrics")):
        scopes = [scope for group in groups for scope in _objects(_of(group, "scopeMetrics"))]
        decoded.reject(sum(len(_objects(scope.get("metrics"))) for scope in scopes) or 1, METRICS_ADVICE)
    return decoded


def _objects(value: Json) -> list[Mapping[str, Json]]:
    rows = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [row for row in rows if isinstance(row, Mapping)]


def _traces(request: Mapping[str, Json], decoded: Decoded) -> None:
    for resource_spans in _objects(_of(request, "resourceSpans")):
        resource = _attributes(object_of(resource_spans.get("resource")).get("attributes"))
        for scope_spans in _objects(_of(resource_spans, "scopeSpans")):
            scope = _scope(scope_spans.get("scope"))
            schema_url = _of(scope_spans, "schemaUrl") or _of(resource_spans, "schemaUrl")
            for span in _objects(scope_spans.get("spans")):
                record = _span(span)
                if not record["trace_id"] or not record["span_id"]:
                    decoded.reject(1, "a span without a trace id of 16 bytes and a span id of 8")
                    continue
                record |= {"resource": resource, "scope": scope}
                if isinstance(schema_url, str) and schema_url:
                    record["schema_url"] = schema_url
                decoded.records.append(record)


def _span(span: Mapping[str, Json]) -> RawRecord:
    record: RawRecord = {
        "signal": "span",
        "trace_id": _id(_of(span, "traceId"), 16),
        "span_id": _id(_of(span, "spanId"), 8),
        "name": _text(span.get("name")),
        "kind": _integer(span.get("kind")),
        "start_ns": _integer(_of(span, "startTimeUnixNano")),
        "end_ns": _integer(_of(span, "endTimeUnixNano")),
        "attributes": _attributes(span.get("attributes")),
    }
    if parent := _id(_of(span, "parentSpanId"), 8):
        record["parent_span_id"] = parent
    if trace_state := _text(_of(span, "traceState")):
        record["trace_state"] = trace_state
    if events := [_event(event) for event in _objects(span.get("events"))]:
        record["events"] = events
    if links := [_link(link) for link in _objects(span.get("links"))]:
        record["links"] = links
    status = object_of(span.get("status"))
    code, message = _integer(status.get("code")), _text(status.get("message"))
    if code or message:
        record["status"] = {"code": code, "message": message}
    return record


def _event(event: Mapping[str, Json]) -> RawRecord:
    return {
        "name": _text(event.get("name")),
        "time_ns": _integer(_of(event, "timeUnixNano")),
        "attributes": _attributes(event.get("attributes")),
    }


def _link(link: Mapping[str, Json]) -> RawRecord:
    return {
        "trace_id": _id(_of(link, "traceId"), 16),
        "span_id": _id(_of(link, "spanId"), 8),
        "attributes": _attributes(link.get("attributes")),
    }


def _logs(request: Mapping[str, Json], decoded: Decoded) -> None:
    for resource_logs in _objects(_of(request, "resourceLogs")):
        resource = _attributes(object_of(resource_logs.get("resource")).get("attributes"))
        for scope_logs in _objects(_of(resource_logs, "scopeLogs")):
            scope = _scope(scope_logs.get("scope"))
            for log in _objects(_of(scope_logs, "logRecords")):
                decoded.records.append({**_log(log), "resource": resource, "scope": scope})


def _log(log: Mapping[str, Json]) -> RawRecord:
    return {
        "signal": "log",
        "trace_id": _id(_of(log, "traceId"), 16),
        "span_id": _id(_of(log, "spanId"), 8),
        "event_name": _text(_of(log, "eventName")),
        "time_ns": _integer(_of(log, "timeUnixNano")),
        "observed_ns": _integer(_of(log, "observedTimeUnixNano")),
        "severity": _integer(_of(log, "severityNumber")),
        "body": _value(log.get("body"), 0),
        "attributes": _attributes(log.get("attributes")),
    }


def _scope(scope: Json) -> RawRecord:
    record: RawRecord = {"name": _text(object_of(scope).get("name"))}
    if version := _text(object_of(scope).get("version")):
        record["version"] = version
    return record


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: Json) -> int:
    if isinstance(value, str):
        if value.removeprefix("-").isdecimal() and len(value) <= 20:
            value = int(value)
        else:
            value = _WORDS.get(value, 0)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**64 else 0


def _id(value: Json, size: int) -> str:
    """The id of ``size`` bytes as lower-case hex; empty when it is none, or all zero."""
    raw = _id_bytes(value, size)
    return raw.hex() if raw is not None and len(raw) == size and any(raw) else ""


def _id_bytes(value: Json, size: int) -> bytes | None:
    if isinstance(value, Mapping):  # {"0": 171, "1": 205, …}, or {"type": "Buffer", "data": […]}
        data = value.get("data")
        value = data if isinstance(data, Sequence) else [value.get(str(place)) for place in range(size)]
    if isinstance(value, str):
        try:
            return bytes.fromhex(value) if len(value) == 2 * size else base64.b64decode(value, validate=True)
        except (ValueError, binascii.Error):
            return None
    if isinstance(value, Sequence):
        numbers = [number for number in value if type(number) is int and 0 <= number < 256]
        return bytes(numbers) if len(numbers) == len(value) == size else None
    return None


def _attributes(pairs: Json, depth: int = 0) -> dict[str, Json]:
    return {
        key: _value(pair.get("value"), depth)
        for pair in _objects(pairs)
        if isinstance(key := pair.get("key"), str)
    }


def _value(value: Json, depth: int) -> Json:
    """The content of an OTLP AnyValue; null for an unknown or malformed one, and below the depth limit."""
    if not isinstance(value, Mapping) or not value or depth > MAX_DEPTH:
        return None
    kind, inner = next(iter(value.items()))
    read = _READERS.get(kind)
    return read(inner, depth + 1) if read else None


def _string_value(inner: Json, _depth: int) -> Json:
    return inner if isinstance(inner, str) else None


def _int_value(inner: Json, _depth: int) -> Json:
    return _integer(inner) if isinstance(inner, str | int | float) and not isinstance(inner, bool) else None


def _double_value(inner: Json, _depth: int) -> Json:
    if isinstance(inner, str):
        try:
            number = float(inner)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return inner if isinstance(inner, int | float) and not isinstance(inner, bool) else None


def _bool_value(inner: Json, _depth: int) -> Json:
    return inner if isinstance(inner, bool | int | float) else None


def _bytes_value(inner: Json, _depth: int) -> Json:
    """As hex, like the bytes of protobuf; text that is no base64 stays as it is."""
    if not isinstance(inner, str):
        return None
    try:
        return base64.b64decode(inner, validate=True).hex()
    except (ValueError, binascii.Error):
        return inner


def _array_value(inner: Json, depth: int) -> Json:
    return [_value(item, depth) for item in _objects(object_of(inner).get("values"))]


def _kvlist_value(inner: Json, depth: int) -> Json:
    return _attributes(object_of(inner).get("values"), depth)


_BY_NAME = {
    "stringValue": _string_value,
    "intValue": _int_value,
    "doubleValue": _double_value,
    "boolValue": _bool_value,
    "arrayValue": _array_value,
    "kvlistValue": _kvlist_value,
    "bytesValue": _bytes_value,
}
_READERS = _BY_NAME | {_proto_name(name): reader for name, reader in _BY_NAME.items()}
