"""Load for the OTLP receiver: realistic runs as requests, a receiver in a process of its own, and senders."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

ROOT = Path(__file__).resolve().parent.parent
SPANS_PER_RUN = 8  # one root, four model turns, three tools
START_NS = 1_795_362_492_923_599_232
RUN_NS = 10**10
SENTENCE = (
    "the order was paid on Monday and the customer asks for a refund because the parcel came damaged please "
    "check the stock level of item and tell them when a new one can be sent the invoice shows two positions"
)
WORDS = SENTENCE.split(" ")
DIFFERENT_RUNS = 512  # the same texts again and again would be compressed away


@dataclass(frozen=True)
class RunIds:
    """The ids of one run: a trace, its root span and seven more."""

    trace_id: bytes
    span_ids: tuple[bytes, ...]

    @classmethod
    def random(cls) -> RunIds:
        """Fresh ids, none of them zero."""
        blob = os.urandom(16 + 8 * SPANS_PER_RUN)
        starts = range(16, len(blob), 8)
        return cls(blob[:15] + b"\1", tuple(blob[place : place + 7] + b"\1" for place in starts))


def text(characters: int, source: random.Random) -> str:
    """Words of about ``characters`` characters."""
    words: list[str] = []
    length = 0
    while length < characters:
        words.append(source.choice(WORDS))
        length += len(words[-1]) + 1
    return " ".join(words)


def _attribute(key: str, value: str | int | list[str]) -> KeyValue:
    pair = KeyValue(key=key)
    if isinstance(value, int):
        pair.value.int_value = value
    elif isinstance(value, list):
        for item in value:
            pair.value.array_value.values.add(string_value=item)
    else:
        pair.value.string_value = value
    return pair


def _turn(index: int, source: random.Random) -> dict[str, str | int | list[str]]:
    part = {"type": "text", "content": text(1000, source)}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{source.getrandbits(96):024x}",
        "gen_ai.response.finish_reasons": ["tool_calls" if index < 3 else "stop"],
        "gen_ai.usage.input_tokens": 700 + source.randrange(4000),
        "gen_ai.usage.output_tokens": source.randrange(10, 900),
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.conversation.id": "conv_5j66UpCpwteGg4YSxUnt7lPY",
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [part]}]),
    }


def _tool(index: int, source: random.Random) -> dict[str, str | int | list[str]]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": ("lookup_order", "check_stock", "send_mail")[index],
        "gen_ai.tool.call.id": f"call_{source.getrandbits(96):024x}",
        "gen_ai.tool.call.arguments": '{"order_id":"W-2211"}',
        "gen_ai.tool.call.result": text(1000, source),
    }


def _root(source: random.Random) -> dict[str, str | int | list[str]]:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "refund-agent",
        "gen_ai.conversation.id": "conv_5j66UpCpwteGg4YSxUnt7lPY",
        "gen_ai.input.messages": text(1000, source),
    }


def request_body(ids: list[RunIds], source: random.Random) -> bytes:
    """A protobuf request with one run for each of ``ids``."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    for key, value in {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
        "service.name": "refund-service",
        "service.instance.id": "319119f1-d541-4b62-9f3c-331df7e3149f",
    }.items():
        resource_spans.resource.attributes.append(_attribute(key, value))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "opentelemetry.instrumentation.openai_v2"
    for run in ids:
        kinds = [_root(source), *(_turn(i, source) for i in range(4)), *(_tool(i, source) for i in range(3))]
        for place, (span_id, attributes) in enumerate(zip(run.span_ids, kinds, strict=True)):
            start = START_NS + place * 10**9
            span = Span(
                trace_id=run.trace_id,
                span_id=span_id,
                parent_span_id=run.span_ids[0] if place else b"",
                name=str(attributes["gen_ai.operation.name"]),
                kind=Span.SPAN_KIND_CLIENT,
                start_time_unix_nano=start,
                end_time_unix_nano=start + (10**9 if place else RUN_NS),
            )
            span.attributes.extend(_attribute(key, value) for key, value in attributes.items())
            span.status.code = 1  # type: ignore[assignment]  # STATUS_CODE_OK
            scope_spans.spans.append(span)
    return bytes(request.SerializeToString())


class Template:
    """A request of ``runs`` runs whose ids can be exchanged quickly, so that senders cost little."""

    def __init__(self, runs: int, seed: int = 7) -> None:
        self._ids = [RunIds.random() for _ in range(runs)]
        body = request_body(self._ids, random.Random(seed))
        known = {one for run in self._ids for one in (run.trace_id, *run.span_ids)}
        self._parts = re.split(b"(" + b"|".join(re.escape(one) for one in sorted(known)) + b")", body)

    def fresh(self) -> tuple[bytes, list[RunIds]]:
        """The body with new ids, and these."""
        ids = [RunIds.random() for _ in self._ids]
        exchanged = {
            old: new
            for before, after in zip(self._ids, ids, strict=True)
            for old, new in zip(
                (before.trace_id, *before.span_ids), (after.trace_id, *after.span_ids), strict=True
            )
        }
        return b"".join(exchanged.get(part, part) for part in self._parts), ids


@dataclass
class Receiver:
    """A receiver in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self, name: str = "VmRSS") -> int:
        """Resident memory of the process; ``VmHWM`` is its peak."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    def kill(self) -> None:
        """SIGKILL: as a power cut, but for the device."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running_receiver(home: Path, *options: str, launcher: str | None = None) -> Iterator[Receiver]:
    """``fleetbook serve-otlp`` on a free port, or Python code that starts it there; SIGTERM in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = ["-m", "app.cli", "serve-otlp", "--port", str(port), *options]
    process = subprocess.Popen(
        [sys.executable, *(["-c", launcher, str(port)] if launcher else serve)],
        cwd=ROOT,
        env=os.environ | {"FLEETBOOK_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(process, port)
        yield Receiver(process, port)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            if probe.recv(16).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.05)
    raise RuntimeError("the receiver did not come up")


@dataclass(frozen=True)
class Target:
    """Where runs are sent: a port of this machine, and the headers that its server asks for."""

    port: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Sent:
    """What senders did: runs acknowledged with 200, other answers by status, latencies in seconds."""

    acknowledged: list[RunIds] = field(default_factory=list)
    others: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    began: float = math.inf  # monotonic, the same clock in all processes of a machine
    ended: float = 0.0

    def add(self, other: Sent) -> None:
        """What another sender did, added to this."""
        self.acknowledged += other.acknowledged
        self.latencies += other.latencies
        self.began, self.ended = min(self.began, other.began), max(self.ended, other.ended)
        for status, count in other.others.items():
            self.others[status] = self.others.get(status, 0) + count


def send_runs(target: Target, templates: list[Template], *, seconds: float, keep_ids: bool) -> Sent:
    """One request after the other over one connection for ``seconds``, or until the receiver goes away."""
    sent = Sent()
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", target.port), 30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent.began = time.monotonic()
        first = random.randrange(len(templates))  # senders in step would send the same texts side by side
        for template in itertools.cycle([*templates[first:], *templates[:first]]):
            sent.ended = time.monotonic()
            if sent.ended - sent.began > seconds:
                break
            body, ids = template.fresh()
            status = _post(connection, target, body)
            if status == 200:
                sent.latencies.append(time.monotonic() - sent.ended)
                sent.acknowledged += ids if keep_ids else ids[:1] * len(ids)
            else:
                sent.others[status] = sent.others.get(status, 0) + 1
                if status in (429, 503):
                    time.sleep(0.2)  # a sender that is told to wait
    return sent


def _post(connection: socket.socket, target: Target, body: bytes) -> int:
    own = "".join(f"{name}: {value}\r\n" for name, value in target.headers)
    head = (
        f"POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\n{own}"
        f"content-type: application/x-protobuf\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    answer = b""
    while b"\r\n\r\n" not in answer:
        block = connection.recv(65536)
        if not block:
            raise ConnectionError("closed")
        answer += block
    head_bytes, _, rest = answer.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head_bytes)[1])  # type: ignore[index]
    while len(rest) < length:
        rest += connection.recv(65536)
    return int(head_bytes[9:12])


def send_from_threads(
    target: Target, *, connections: int, runs: int, seconds: float, keep_ids: bool = False
) -> Sent:
    """Several senders at once, ``runs`` runs a request; what they did, together."""
    templates = [Template(runs, seed) for seed in range(max(4, DIFFERENT_RUNS // runs))]
    together = Sent()
    with ThreadPoolExecutor(connections) as pool:
        jobs = [
            pool.submit(send_runs, target, templates, seconds=seconds, keep_ids=keep_ids)
            for _ in range(connections)
        ]
        for job in jobs:
            together.add(job.result())
    return together
