"""The OTLP receiver: what it takes, what it refuses, and that a 200 means that the log has it."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import logging
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToJson  # type: ignore[import-untyped]  # ships no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from starlette.testclient import TestClient

from ingest.capture import Capture
from ingest.dialects.content import contents_of, restored
from ingest.dialects.rows import mapped_rows
from ingest.dialects.stored import stored_spans
from ingest.dialects.values import object_of
from ingest.log.verify import verify
from ingest.log.writer import LogWriter
from ingest.payloads import commitment
from ingest.reader import payload_texts, run_events, snapshot
from ingest.receivers.decode import decode_protobuf
from ingest.receivers.decode_json import decode_json
from ingest.receivers.limits import Limits, RateLimiter
from ingest.receivers.otlp import Receiver
from ingest.receivers.tokens import create_token, read_tokens
from ingest.workspace import Workspace
from tests.log_events import stored_rows
from tests.otlp_load import RunIds, Target, request_body, running_receiver, send_from_threads

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SECRET = "sk-" + "proj-AbCd1234EfGh5678IjKl"


class Served:
    """A receiver over a workspace, and a sender with a token of team support."""

    def __init__(
        self, workspace: Workspace, *, limits: Limits | None = None, capture: Capture = "on"
    ) -> None:
        self.workspace = workspace
        self.seconds = 0.0
        self.writer = LogWriter(workspace, recorded_via="otlp", process_name="test")
        self.token = self.new_token(capture)
        receiver = Receiver(workspace, self.writer, limits=limits, clock=lambda: self.seconds)
        self.client = TestClient(receiver.application())

    def new_token(self, capture: Capture, team_id: str = "support") -> str:
        return create_token(
            self.workspace,
            self.writer,
            team_id=team_id,
            label="test",
            content_capture=capture,
            person_id=None,
            now=NOW,
        ).text

    def post(
        self, body: bytes, kind: str = PROTOBUF, path: str = "/v1/traces", **headers: str
    ) -> httpx.Response:
        sent = {"content-type": kind, "authorization": f"Bearer {self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=body, headers=sent)

    def post_json(self, value: object, path: str = "/v1/traces", **headers: str) -> httpx.Response:
        return self.post(json.dumps(value).encode(), JSON, path, **headers)

    def stored(self) -> list[dict[str, Any]]:
        """The spans and log records that the log holds now, while the receiver is running."""
        files = snapshot(self.workspace, self.workspace.root.parent / "snapshot").files
        return [row for row in stored_rows(files) if row["event_type"] in ("otel_span", "otel_log")]

    def spans(self) -> list[dict[str, Any]]:
        """The same, one by one, as they arrived but for their texts."""
        return [dict(span) for row in self.stored() for span in stored_spans(row["span_json"])]


@pytest.fixture
def served(workspace: Workspace) -> Iterator[Served]:
    one = Served(workspace)
    with one.client, one.writer:
        yield one


def trace_json(*spans: dict[str, Any], resource: dict[str, str] | None = None) -> dict[str, Any]:
    pairs = [
        {"key": k, "value": {"stringValue": v}} for k, v in (resource or {"service.name": "bot"}).items()
    ]
    scope_spans = [{"scope": {"name": "test"}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": {"attributes": pairs}, "scopeSpans": scope_spans}]}


def pair(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": text}}


def json_span(number: int = 1, texts: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    pairs = [pair(key, text) for key, text in (texts or {}).items()]
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": "chat",
        "startTimeUnixNano": "1795362492923599232",
        "endTimeUnixNano": "1795362493923599232",
        "attributes": pairs,
    } | more


def run_body(ids: RunIds | None = None) -> bytes:
    return request_body([ids or RunIds.random()], random.Random(3))


def test_a_200_means_that_the_log_has_every_span(served: Served) -> None:
    ids = RunIds.random()
    answer = served.post(run_body(ids))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    rows = served.stored()
    assert {span["span_id"] for span in served.spans()} == {one.hex() for one in ids.span_ids}
    assert {row["run_id"] for row in rows} == {f"otel-{ids.trace_id.hex()}"}
    assert {row["team_id"] for row in rows} == {"support"}
    assert {row["token_id"] for row in rows} == {read_tokens(served.workspace)[0].token_id}
    assert {row["recorded_via"] for row in rows} == {"otlp"}
    events = run_events(served.workspace, f"otel-{ids.trace_id.hex()}")
    assert [event["span_count"] for event in events] == [8]
    tables = mapped_rows(row["span_json"] for row in rows)
    assert [table.num_rows for table in tables] == [1, 4, 3, 0, 0]
    assert tables.runs["agent_id"].to_pylist() == ["refund-agent"]
    sent = decode_protobuf("traces", run_body(ids)).records
    stated = [object_of(span["attributes"]).get("gen_ai.usage.input_tokens") for span in sent]
    assert tables.turns["input_tokens"].to_pylist() == [count for count in stated if count is not None]


def test_protobuf_json_and_gzip_store_the_same(served: Served, shared: Path) -> None:
    folder = shared / "data" / "wire" / "otlp_generated"
    sent = (folder / "openinference_openai.traces.0.pb").read_bytes()
    assert served.post(gzip.compress(sent), content_encoding="gzip").status_code == 200
    first = served.stored()
    told = (folder / "openinference_openai.traces.0.otlp.json").read_bytes()
    answer = served.post(told, "application/json; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {})
    # The same spans: known, and not stored a second time.
    assert [row["event_id"] for row in served.stored()] == [row["event_id"] for row in first]
    assert len(served.spans()) == 6


def test_a_span_that_is_sent_again_is_stored_once_and_a_changed_one_again(served: Served) -> None:
    body = run_body()
    for _ in range(3):
        assert served.post(body).status_code == 200
    assert len(served.spans()) == 8
    assert served.post_json(trace_json(json_span())).status_code == 200
    assert served.post_json(trace_json(json_span(endTimeUnixNano="1795362494923599232"))).status_code == 200
    assert len(served.spans()) == 10


def test_log_records_are_taken_and_metrics_are_refused_in_part(served: Served) -> None:
    logs = {
        "resourceLogs": [
            {
                "scopeLogs": [
                    {
                        "logRecords": [
                            {
                                "traceId": TRACE,
                                "spanId": "1" * 16,
                                "eventName": "gen_ai.user.message",
                                "observedTimeUnixNano": "1795362492923599232",
                                "body": {
                                    "kvlistValue": {
                                        "values": [{"key": "content", "value": {"stringValue": "Hi"}}]
                                    }
                                },
                            }
                        ]
                    }
                ]
            }
        ]
    }
    assert served.post_json(logs, "/v1/logs").json() == {}
    (row,) = served.stored()
    assert row["event_type"] == "otel_log"
    assert [span["body"] for span in served.spans()] == [{"content": None}]
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a"}, {"name": "b"}]}]}]}
    answer = served.post_json(metrics, "/v1/metrics")
    assert answer.status_code == 200
    assert answer.json()["partialSuccess"]["rejectedDataPoints"] == "2"
    assert "OTEL_METRICS_EXPORTER=none" in answer.json()["partialSuccess"]["errorMessage"]


def test_bad_spans_are_rejected_alone_and_the_sender_is_told(served: Served) -> None:
    spans = [json_span(1), json_span(2, spanId="0" * 16), json_span(3, traceId="xyz"), json_span(4)]
    spans += [{"name": 5}, json_span(6, {"gen_ai.input.messages": "x" * (1 << 20)})]
    answer = served.post_json(trace_json(*spans))
    assert answer.status_code == 200
    partial = answer.json()["partialSuccess"]
    assert partial["rejectedSpans"] == "4"
    assert "trace id" in partial["errorMessage"]
    assert "limit" in partial["errorMessage"]
    assert {span["span_id"] for span in served.spans()} == {f"{1:016x}", f"{4:016x}"}
    body = decode_rejecting_protobuf()
    told = ExportTraceServiceResponse.FromString(served.post(body).content)
    assert (told.partial_success.rejected_spans, "trace id" in told.partial_success.error_message) == (
        1,
        True,
    )


def decode_rejecting_protobuf() -> bytes:
    ids = RunIds.random()
    body = run_body(ids)
    broken = body.replace(ids.span_ids[7], b"\0" * 8)
    assert decode_protobuf("traces", broken).rejected_count == 1
    return broken


@pytest.mark.parametrize(
    "value",
    [
        {"0": 10, **{str(place): 1 for place in range(1, 16)}},
        {"type": "Buffer", "data": list(range(1, 17))},
        "AQIDBAUGBwgJCgsMDQ4PEA==",
        "0102030405060708090A0B0C0D0E0F10",
    ],
)
def test_ids_are_read_in_all_the_ways_that_senders_write_them(served: Served, value: object) -> None:
    assert served.post_json(trace_json(json_span(traceId=value))).json() == {}
    (span,) = served.spans()
    assert len(span["trace_id"]) == 32


@pytest.mark.parametrize("keeps_names", [False, True])
@pytest.mark.parametrize("has_numbers", [False, True])
def test_what_protobufs_own_printers_write_is_read_as_the_protobuf_it_was(
    keeps_names: bool, has_numbers: bool
) -> None:
    request = ExportTraceServiceRequest.FromString(run_body())
    group = request.resource_spans[0]
    group.schema_url = "https://opentelemetry.io/schemas/1.37.0"
    span = group.scope_spans[0].spans[1]
    span.status.code, span.status.message, span.trace_state = 2, "no such order", "a=b"
    for name, value in (
        ("bytes", AnyValue(bytes_value=b"\x00\xff")),
        ("double", AnyValue(double_value=0.25)),
        ("large", AnyValue(int_value=2**62)),
        ("yes", AnyValue(bool_value=True)),
        ("list", AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="ä"), AnyValue()]))),
    ):
        span.attributes.append(KeyValue(key=name, value=value))
    span.events.add(name="retry", time_unix_nano=1_795_000_000_000_000_000).attributes.add(key="n")
    span.links.add(trace_id=b"\1" * 16, span_id=b"\2" * 8)
    printed = MessageToJson(
        request, preserving_proto_field_name=keeps_names, use_integers_for_enums=has_numbers
    )
    told, meant = (
        decode_json("traces", printed.encode()),
        decode_protobuf("traces", request.SerializeToString()),
    )
    assert told.records == meant.records
    assert len(told.records) == 8


def test_without_a_valid_token_nothing_is_read(served: Served) -> None:
    body = run_body()
    wrong = served.token[:-1] + ("a" if served.token[-1] != "a" else "b")
    for header in (
        "",
        "Bearer",
        f"Bearer {wrong}",
        "Bearer fbt_x",
        f"Basic {served.token}",
        "Bearer " + "x" * 9000,
    ):
        answer = served.post(body, authorization=header)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="fleetbook"')
    assert served.stored() == []
    assert served.post(body, authorization=f"bearer {served.token}").status_code == 200


def test_a_refused_request_has_an_id_by_which_it_is_told(served: Served) -> None:
    told: list[logging.LogRecord] = []
    listening = logging.Handler()
    listening.emit = told.append  # type: ignore[method-assign]
    log = logging.getLogger("fleetbook.receiver")
    log.addHandler(listening)
    try:
        own = served.post(run_body(), authorization="", x_request_id="order-66")
        made = served.post(b"\xff\xff\xff", x_request_id="two words")  # no id: it would forge a line
        assert "x-request-id" not in served.post(run_body()).headers
    finally:
        log.removeHandler(listening)
    assert own.headers["x-request-id"] == "order-66"
    assert made.headers["x-request-id"] != "two words"
    ids = [made.headers["x-request-id"] for made in (own, made)]
    assert [(one.__dict__["request_id"], one.__dict__["status"]) for one in told] == [
        (ids[0], 401),
        (ids[1], 400),
    ]
    assert served.token not in str([one.__dict__ for one in told])


def test_what_is_no_request_is_refused_with_the_reason(served: Served) -> None:
    assert served.post(b"\xff\xff\xff").status_code == 400
    answer = served.post(b"{", JSON)
    assert answer.status_code == 400
    assert "no OTLP traces request in JSON" in answer.json()["message"]
    assert served.post(b"[1]", JSON).status_code == 400
    assert served.post(b"[" * 100_000, JSON).status_code == 400
    assert served.post(b'{"resourceSpans": "\\ud800"}', JSON).status_code == 400
    assert served.post(b"x", "text/plain").status_code == 415
    assert served.post(b"x", content_encoding="gzip").status_code == 400
    assert served.post(gzip.compress(run_body())[:-9], content_encoding="gzip").status_code == 400
    assert served.post(b"x", content_encoding="br").status_code == 400
    assert served.client.get("/v1/traces").status_code == 405
    assert served.stored() == []


@pytest.mark.parametrize(
    "request_json",
    [
        {},
        {"resourceSpans": None},
        {"resourceSpans": [1, {"scopeSpans": [[], {"spans": [{}, 7, None]}]}]},
        {"__proto__": {"resourceSpans": []}, "resourceSpans": {"0": {}}},
        trace_json(json_span(attributes=[{"key": "__proto__", "value": {"kvlistValue": {"values": [{}]}}}])),
        trace_json(
            json_span(
                1, None, attributes=[{"key": 5}, {"value": {"intValue": "x"}}, {"key": "a", "value": 1}]
            )
        ),
        trace_json(
            json_span(startTimeUnixNano=-5, endTimeUnixNano="99999999999999999999", kind="x", events=[1])
        ),
        trace_json(json_span(attributes=[{"key": "n", "value": {"intValue": "9" * 20}}])),
    ],
)
def test_a_malformed_part_changes_nothing_else(served: Served, request_json: dict[str, Any]) -> None:
    assert served.post_json(request_json).status_code == 200
    ids = RunIds.random()
    assert served.post(run_body(ids)).status_code == 200
    assert sum(span["trace_id"] == ids.trace_id.hex() for span in served.spans()) == 8


def test_deeply_nested_values_are_cut_and_not_fatal(served: Served) -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    nested = json_span(attributes=[{"key": "a", "value": value}])
    assert served.post_json(trace_json(nested)).status_code == 200
    assert len(served.stored()) == 1


def test_texts_are_kept_apart_from_the_log_and_can_be_put_back(served: Served) -> None:
    attributes = {
        "gen_ai.input.messages": "Where is my parcel?",
        "gen_ai.request.model": "gpt-4o-mini",
        "user.id": "u7",
    }
    long = {"custom.question": "why " * 100, "custom.short": "red"}
    failed = {"status": {"code": 2, "message": "no such order: W-2211"}}
    sent = trace_json(json_span(1, attributes | long, **failed), json_span(2, {"tool_response": "Here"}))
    assert served.post_json(sent).json() == {}
    rows = served.stored()
    for row in rows:
        assert not any(text in row["body"] for text in ("parcel", "why why", "W-2211", "Here"))
    structure = served.spans()[0]
    assert structure["attributes"] == {
        "gen_ai.input.messages": None,
        "gen_ai.request.model": "gpt-4o-mini",
        "user.id": "u7",
        "custom.question": None,
        "custom.short": "red",
    }
    (payload_id,) = {row["payload_id"] for row in rows}
    text = payload_texts(served.workspace, [payload_id])[payload_id] or ""
    assert [content["span_id"] for content in contents_of(text)] == [f"{1:016x}", f"{2:016x}"]
    whole = restored(structure, text)
    assert whole["attributes"] == attributes | long
    assert whole["status"] == failed["status"]


def test_with_content_hashed_equal_texts_look_equal_and_nothing_is_kept(workspace: Workspace) -> None:
    served = Served(workspace, capture="hashed")
    with served.client, served.writer:
        for number, text in ((1, "Where?"), (2, "Where?"), (3, "When?")):
            span = json_span(number, {"gen_ai.input.messages": text}, traceId=f"{number:032x}")
            assert served.post_json(trace_json(span)).json() == {}
        rows = served.stored()
        key = bytes.fromhex(read_tokens(workspace)[0].content_key)
    content = json.dumps({"attributes": {"gen_ai.input.messages": "Where?"}}, separators=(",", ":"))
    commits = [json.loads(row["span_json"])["commits"] for row in rows]
    assert [found == [commitment(key, content)] for found in commits] == [True, True, False]
    assert [row["payload_id"] for row in rows] == [None] * 3
    assert list((workspace.root / "payloads").rglob("*.parquet")) == []
    assert all("Where" not in row["body"] for row in rows)


def test_with_content_off_texts_leave_no_trace_but_their_names(workspace: Workspace) -> None:
    served = Served(workspace, capture="off")
    with served.client, served.writer:
        assert served.post_json(trace_json(json_span(1, {"gen_ai.input.messages": "Where?"}))).json() == {}
        (row,) = served.stored()
        (span,) = served.spans()
    assert span["attributes"] == {"gen_ai.input.messages": None}
    assert (row["payload_id"], row["payload_commit"], row["payload_bytes"]) == (None, None, None)
    assert not any(b"Where?" in path.read_bytes() for path in workspace.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("capture", ["on", "hashed", "off"])
def test_secrets_never_reach_the_disk(workspace: Workspace, capture: Capture) -> None:
    served = Served(workspace, capture=capture)
    span = json_span(
        1,
        {
            "gen_ai.input.messages": f"my key is {SECRET}",
            "http.request.header.authorization": f"Bearer {SECRET}",
            "gen_ai.agent.name": f"agent {SECRET}",
            "user.id": SECRET,
        },
        name=f"call {SECRET}",
        status={"code": 2, "message": f"denied: {SECRET}"},
        events=[{"name": "e", "attributes": [{"key": "x", "value": {"stringValue": SECRET}}]}],
    )
    with served.client, served.writer:
        assert served.post_json(trace_json(span, resource={"service.name": SECRET})).json() == {}
        (row,) = served.stored()
    assert "[masked:model-api-key]" in row["span_json"]
    assert row["masked_count"] == row["span_json"].count("[masked:") + (0 if capture == "off" else 2)
    for path in workspace.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert not any(SECRET in str(value) for value in row.values())


def test_a_body_that_is_too_large_or_inflates_too_far_is_refused(workspace: Workspace) -> None:
    served = Served(workspace, limits=Limits(body_bytes=20_000, inflated_bytes=100_000))
    with served.client, served.writer:
        assert served.post(b"x" * 20_001).status_code == 413

        def chunks() -> Iterator[bytes]:
            yield from (b"x" * 5_000 for _ in range(5))

        headers = {"content-type": PROTOBUF, "authorization": f"Bearer {served.token}"}
        assert served.client.post("/v1/traces", content=chunks(), headers=headers).status_code == 413
        bomb = gzip.compress(b"\0" * 50_000_000)[:20_000]
        assert served.post(bomb, content_encoding="gzip").status_code == 413
        assert served.post(run_body()).status_code == 200


def test_a_token_that_sends_too_fast_is_told_when_to_come_again(workspace: Workspace) -> None:
    served = Served(workspace, limits=Limits(token_bytes_per_second=10_000))
    with served.client, served.writer:
        body = run_body()  # about 12,000 bytes; the bucket holds 20,000
        assert served.post(body).status_code == 200
        refusal = served.post(body)
        assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "1")
        other = served.new_token("on", team_id="finance")
        assert served.post(body, authorization=f"Bearer {other}").status_code == 200
        served.seconds += 1.0
        assert served.post(body).status_code == 200
        refused = [row for row in served.stored() if row["team_id"] == "support"]
        assert [row["span_count"] for row in refused] == [8]  # the second request is the first one again


def test_the_rate_limit_is_exact() -> None:
    now = [0.0]
    limiter = RateLimiter(100, lambda: now[0])
    assert [limiter.wait_for("a", size) for size in (150, 50, 30)] == [0.0, 0.0, 0.3]
    now[0] = 0.25
    assert limiter.wait_for("a", 30) == pytest.approx(0.05)
    now[0] = 0.3
    assert limiter.wait_for("a", 30) == 0.0
    assert limiter.wait_for("b", 10_000) == 0.0  # larger than the bucket: passes when it is full
    assert limiter.wait_for("b", 1) == pytest.approx(98.01)


def test_when_too_much_waits_for_the_disk_senders_are_told_to_wait(workspace: Workspace) -> None:
    served = Served(workspace, limits=Limits(waiting_bytes=-1))
    with served.client, served.writer:
        refusal = served.post(run_body())
        assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "1")
        assert served.stored() == []


def test_what_is_still_arriving_counts_and_is_given_up_when_it_is_refused(workspace: Workspace) -> None:
    served = Served(workspace, limits=Limits(waiting_bytes=8_000))
    with served.client, served.writer:
        for _ in range(3):
            assert served.post(run_body()).status_code == 429  # about 12,000 bytes
        assert served.post_json(trace_json(json_span())).status_code == 200
        assert len(served.spans()) == 1


FULL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
os.execv(sys.executable, [sys.executable, "-m", "app.cli", "serve-otlp", "--port", sys.argv[1]])
"""


def test_a_log_that_cannot_be_written_answers_503_and_ends_the_receiver(
    workspace: Workspace, repository: Path
) -> None:
    with LogWriter(workspace, recorded_via="app", process_name="test") as writer:
        token = create_token(
            workspace, writer, team_id="support", label="", content_capture="off", person_id=None, now=NOW
        ).text
    with running_receiver(workspace.root, launcher=FULL_DISK) as receiver:
        answers: list[httpx.Response] = []
        headers = {"content-type": PROTOBUF, "authorization": f"Bearer {token}"}
        while not answers or answers[-1].status_code == 200:
            assert len(answers) < 50
            url = f"http://127.0.0.1:{receiver.port}/v1/traces"
            answers.append(httpx.post(url, content=run_body(), headers=headers, trust_env=False))
        assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (503, "1")
        assert receiver.process.wait(30) == 2
    acknowledged = len(answers) - 1
    assert acknowledged > 0
    files = snapshot(workspace, workspace.root.parent / "snapshot").files
    stored = [row for row in stored_rows(files) if row["event_type"] == "otel_span"]
    assert len({row["run_id"] for row in stored}) >= acknowledged


def test_no_acknowledged_span_is_lost_when_the_receiver_is_killed_under_load(workspace: Workspace) -> None:
    with LogWriter(workspace, recorded_via="app", process_name="test") as writer:
        token = create_token(
            workspace, writer, team_id="support", label="", content_capture="on", person_id=None, now=NOW
        ).text
    with running_receiver(workspace.root) as receiver:
        killer = threading.Timer(4.0, receiver.kill)
        killer.start()
        target = Target(receiver.port, (("authorization", f"Bearer {token}"),))
        sent = send_from_threads(target, connections=8, runs=1, seconds=30, keep_ids=True)
        killer.join()
    assert len(sent.acknowledged) > 20
    files = snapshot(workspace, workspace.root.parent / "snapshot").files
    rows = [row for row in stored_rows(files) if row["event_type"] == "otel_span"]
    spans = {(row["run_id"], span["span_id"]) for row in rows for span in stored_spans(row["span_json"])}
    for ids in sent.acknowledged:
        for span_id in ids.span_ids:
            assert (f"otel-{ids.trace_id.hex()}", span_id.hex()) in spans
    named = {row["payload_id"] for row in rows}
    assert None not in payload_texts(workspace, named).values()
    report = verify(workspace, 2)
    assert [finding.code for finding in report.findings] == ["checkpoint_missing"]


def cli(workspace: Workspace, repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "--workspace", str(workspace.root), *words]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True)


def test_tokens_are_made_listed_and_revoked_by_command(workspace: Workspace, repository: Path) -> None:
    assert "No tokens" in cli(workspace, repository, "token", "list").stdout
    made = cli(workspace, repository, "token", "create", "--team", "support", "--label", "weather bot")
    assert made.returncode == 0, made.stderr
    header = next(line for line in made.stdout.splitlines() if "OTEL_EXPORTER_OTLP_HEADERS" in line)
    token = header.partition("Bearer%20")[2]
    token_id = token.split("_")[1]
    secret = token.split("_", 2)[2]
    kept = workspace.root / "tokens.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert secret not in kept.read_text()
    assert hashlib.sha256(secret.encode()).hexdigest() in kept.read_text()
    listed = cli(workspace, repository, "token", "list").stdout
    assert all(word in listed for word in (token_id, "support", "off", "works", "weather bot"))

    with LogWriter(workspace, recorded_via="otlp", process_name="test") as writer:
        client = TestClient(Receiver(workspace, writer).application())
        headers = {"content-type": PROTOBUF, "authorization": f"Bearer {token}"}
        with client:
            assert client.post("/v1/traces", content=run_body(), headers=headers).status_code == 200
            revoked = cli(workspace, repository, "token", "revoke", token_id, "--as", "mara-lindt")
            assert revoked.returncode == 0, revoked.stderr
            assert client.post("/v1/traces", content=run_body(), headers=headers).status_code == 401

    again = cli(workspace, repository, "token", "revoke", token_id)
    assert (again.returncode, "was revoked on" in again.stderr) == (1, True)
    rows = stored_rows(snapshot(workspace, workspace.root.parent / "snapshot").files)
    kinds = [row["event_type"] for row in rows if row["token_id"] == token_id]
    assert sorted(set(kinds)) == ["otel_span", "token_created", "token_revoked"]
    assert not any(secret in str(row) for row in rows)


def test_a_token_for_a_team_that_is_not_declared_is_refused(workspace: Workspace, repository: Path) -> None:
    assert cli(workspace, repository, "init").returncode == 0
    refused = cli(workspace, repository, "token", "create", "--team", "suport")
    assert refused.returncode == 1
    assert "support" in refused.stderr
    assert cli(workspace, repository, "token", "create", "--team", "Not A Team").returncode == 1


def test_a_taken_port_is_said_and_nothing_is_written(workspace: Workspace, repository: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = cli(workspace, repository, "serve-otlp", "--port", port)
    assert refused.returncode == 2
    assert f"127.0.0.1:{port} cannot be used" in refused.stderr
    assert list(workspace.wal_dir.iterdir()) == []


def test_the_health_answer_needs_no_token(served: Served) -> None:
    answer = served.client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_long_names_and_texts_of_links_are_content_too(served: Served) -> None:
    link = {"traceId": TRACE, "spanId": f"{9:016x}", "attributes": [pair("note", "why " * 100)]}
    assert served.post_json(trace_json(json_span(1, name="n" * 300, links=[link]))).json() == {}
    (row,) = served.stored()
    (structure,) = served.spans()
    assert (structure["name"], structure["links"][0]["attributes"]) == ("n" * 256, {"note": None})
    text = payload_texts(served.workspace, [row["payload_id"]])[row["payload_id"]] or ""
    whole = restored(structure, text)
    assert whole["name"] == "n" * 300
    assert whole["links"][0]["attributes"] == {"note": "why " * 100}  # type: ignore[index,call-overload]
