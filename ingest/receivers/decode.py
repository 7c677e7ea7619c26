"""OTLP requests in protobuf as raw spans and log records (the shape is in :mod:`ingest.dialects.spans`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.dialects.values import Json
from ingest.errors import RequestError
from ingest.receivers.wire import LogsRequest, TracesRequest, encoded

Signal: TypeAlias = Literal["traces", "logs", "metrics"]
RawRecord: TypeAlias = dict[str, Json]


@dataclass(kw_only=True, slots=True)
class Decoded:
    """The records of one request that can be kept, and why others cannot."""

    records: list[RawRecord] = field(default_factory=list)
    rejected_count: int = 0
    reasons: list[str] = field(default_factory=list)

    def reject(self, count: int, reason: str) -> None:
        """Count ``count`` records as refused; the first few reasons are told to the sender."""
        self.rejected_count += count
        if len(self.reasons) < 3 and reason not in self.reasons:
            self.reasons.append(reason)


def decode_protobuf(signal: Signal, body: bytes) -> Decoded:
    """The records of a protobuf request. Raises RequestError when ``body`` is no such request."""
    try:
        if signal == "traces":
            return _traces(TracesRequest.FromString(body))
        if signal == "logs":
            return _logs(LogsRequest.FromString(body))
        return _metrics(ExportMetricsServiceRequest.FromString(body))
    except (DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"the body is no OTLP {signal} request in protobuf ({error})") from error


def _traces(request: ExportTraceServiceRequest) -> Decoded:
    decoded = Decoded()
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = _scope(scope_spans.scope)
            schema_url = scope_spans.schema_url or resource_spans.schema_url
            for span in scope_spans.spans:
                if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.span_id):
                    decoded.reject(1, "a span without a trace id of 16 bytes and a span id of 8")
                    continue
                record = _span(span)
                record["resource"] = resource
                record["scope"] = scope
                if schema_url:
                    record["schema_url"] = schema_url
                decoded.records.append(record)
    return decoded


def _span(span: Span) -> RawRecord:
    record: RawRecord = {
        "signal": "span",
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "attributes": _attributes(span.attributes),
    }
    if span.parent_span_id:
        record["parent_span_id"] = span.parent_span_id.hex()
    if span.trace_state:
        record["trace_state"] = span.trace_state
    # Few spans have events or links: asking first saves a sixth of the time.
    if span.events:
        record["events"] = [
            {"name": event.name, "time_ns": event.time_unix_nano, "attributes": _attributes(event.attributes)}
            for event in span.events
        ]
    if span.links:
        record["links"] = [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": _attributes(link.attributes),
            }
            for link in span.links
        ]
    status = span.status
    if status.code or status.message:
        record["status"] = {"code": status.code, "message": status.message}
    return record


def _logs(request: ExportLogsServiceRequest) -> Decoded:
    decoded = Decoded()
    for resource_logs in request.resource_logs:
        resource = _attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            scope = _scope(scope_logs.scope)
            for log in scope_logs.log_records:
                record = _log(log)
                record["resource"] = resource
                record["scope"] = scope
                decoded.records.append(record)
    return decoded


def _log(log: LogRecord) -> RawRecord:
    return {
        "signal": "log",
        "trace_id": log.trace_id.hex(),
        "span_id": log.span_id.hex(),
        "event_name": log.event_name,
        "time_ns": log.time_unix_nano,
        "observed_ns": log.observed_time_unix_nano,
        "severity": log.severity_number,
        "body": _value(log.body) if log.HasField("body") else None,
        "attributes": _attributes(log.attributes),
    }


def _metrics(request: ExportMetricsServiceRequest) -> Decoded:
    decoded = Decoded()
    count = sum(
        len(scope_metrics.metrics)
        for resource_metrics in request.resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
    )
    if count:
        decoded.reject(count, METRICS_ADVICE)
    return decoded


METRICS_ADVICE = "metrics are not kept; set OTEL_METRICS_EXPORTER=none"


def _scope(scope: InstrumentationScope) -> RawRecord:
    record: RawRecord = {"name": scope.name}
    if scope.version:
        record["version"] = scope.version
    return record


# Attributes repeat: their names always, their values mostly. Short ones are remembered by their bytes.
_KNOWN: dict[bytes, tuple[str, Json]] = {}
_KNOWN_BYTES = 96
_KNOWN_COUNT = 8192


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Json]:
    attributes: dict[str, Json] = {}
    for raw in encoded(pairs):
        is_short = len(raw) <= _KNOWN_BYTES  # looking a long one up costs as much as parsing it
        known = _KNOWN.get(raw) if is_short else None
        if known is not None:
            attributes[known[0]] = known[1]
            continue
        pair = KeyValue.FromString(raw)
        key, value = pair.key, _value(pair.value)
        attributes[key] = value
        if is_short:
            if len(_KNOWN) >= _KNOWN_COUNT:
                _KNOWN.clear()
            _KNOWN[raw] = (key, value)
    return attributes


def _value(value: AnyValue) -> Json:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind == "int_value":
        return value.int_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value":
        return value.double_value
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return value.bytes_value.hex() if kind == "bytes_value" else None
