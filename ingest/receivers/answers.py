"""Answers of the OTLP protocol: full and partial success, and refusals that say when to come again."""

from __future__ import annotations

import math

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.responses import Response

from ingest.receivers.decode import Decoded, Signal

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_REJECTED_NAME = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}
# google.rpc.Code, which the body of a refusal carries.
_RPC_CODES = {400: 3, 401: 16, 413: 8, 415: 3, 429: 8, 503: 14}


def accepted(signal: Signal, media_type: str, decoded: Decoded) -> Response:
    """200: everything that can be kept is durable; the body says how many records cannot be kept, and why."""
    reason = "; ".join(decoded.reasons)
    if media_type == JSON:
        partial = {_REJECTED_NAME[signal]: str(decoded.rejected_count), "errorMessage": reason}
        body = msgspec.json.encode({"partialSuccess": partial} if decoded.rejected_count else {})
        return Response(body, media_type=JSON)
    if not decoded.rejected_count:
        return Response(b"", media_type=PROTOBUF)
    return Response(_partial(signal, decoded.rejected_count, reason), media_type=PROTOBUF)


def _partial(signal: Signal, rejected_count: int, reason: str) -> bytes:
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        traces.partial_success.rejected_spans = rejected_count
        traces.partial_success.error_message = reason
        return bytes(traces.SerializeToString())
    if signal == "logs":
        logs = ExportLogsServiceResponse()
        logs.partial_success.rejected_log_records = rejected_count
        logs.partial_success.error_message = reason
        return bytes(logs.SerializeToString())
    metrics = ExportMetricsServiceResponse()
    metrics.partial_success.rejected_data_points = rejected_count
    metrics.partial_success.error_message = reason
    return bytes(metrics.SerializeToString())


def refused(status: int, message: str, media_type: str, *, retry_after: float | None = None) -> Response:
    """A refusal with a google.rpc.Status body; ``retry_after`` in seconds tells the sender to come again."""
    headers = {} if retry_after is None else {"retry-after": str(max(1, math.ceil(retry_after)))}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="fleetbook"'
    code = _RPC_CODES[status]
    if media_type == JSON:
        body = msgspec.json.encode({"code": code, "message": message})
        return Response(body, status, headers, media_type=JSON)
    text = message.encode()
    return Response(
        b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text, status, headers, media_type=PROTOBUF
    )


def _varint(number: int) -> bytes:
    """A protobuf varint; googleapis is not worth a dependency for one message of two fields."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
