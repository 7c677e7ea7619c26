"""A small server that speaks the OpenAI chat API by script: one scripted answer per request, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One scripted answer; without a body the connection is cut. ``hang_s`` delays it."""

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0


def says(
    text: str, *, usage: dict[str, object] | None = None, no_usage: bool = False, **more: object
) -> Answer:
    """A final answer."""
    return _completion({"role": "assistant", "content": text, **more}, "stop", usage, no_usage)


def calls(
    *wanted: tuple[str, str, str], finish_reason: str = "tool_calls", usage: dict[str, object] | None = None
) -> Answer:
    """Tool calls, each (id, name, arguments as text)."""
    tool_calls = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in wanted
    ]
    return _completion(
        {"role": "assistant", "content": None, "tool_calls": tool_calls}, finish_reason, usage, False
    )


def fails(status: int, code: str = "error", **headers: str) -> Answer:
    """An error of the provider."""
    body = {"error": {"message": f"scripted {status}", "type": code, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body=json.dumps(body).encode(), headers=named)


def _completion(
    message: dict[str, object], finish_reason: str, usage: dict[str, object] | None, no_usage: bool
) -> Answer:
    body: dict[str, object] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "tiny-served",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
    }
    if not no_usage:
        body["usage"] = usage or USAGE
    return Answer(body=json.dumps(body).encode())


class Stub:
    """The running server: its base URL, and the requests it got."""

    def __init__(self, script: list[Answer]) -> None:
        self.script = list(script)
        self.requests: list[dict[str, object]] = []
        self.stopped = threading.Event()
        self.arrived = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def _handler(stub) -> type[BaseHTTPRequestHandler]:  # `self` is the handler's below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                stub.requests.append(json.loads(self.rfile.read(length)))
                stub.arrived.set()
                answer = stub.script.pop(0) if stub.script else fails(500, "script_at_its_end")
                if answer.hang_s:
                    stub.stopped.wait(answer.hang_s)
                if answer.body is None:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """No lines on the terminal."""

        return Handler


@contextmanager
def serving(*script: Answer) -> Iterator[Stub]:
    """The stub with this script, on a free port, until the block ends."""
    stub = Stub(list(script))
    thread = threading.Thread(target=stub.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        stub.stopped.set()
        stub.server.shutdown()
        stub.server.server_close()
        thread.join()
