"""A small server that speaks the OpenAI chat API by script: one scripted answer per request, in order."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One scripted answer; without a body the connection is cut. ``hang_s`` delays it.

    With ``said_bytes`` other bytes are announced than come. ``pieces`` is a stream of events; one that
    ``is_cut`` lacks its last chunk. ``is_reset`` ends the connection with a TCP reset.
    """

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    said_bytes: int | None = None
    pieces: tuple[bytes, ...] = ()
    is_cut: bool = False
    is_reset: bool = False
    piece_hang_s: float = 0.0


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


def streams(
    *texts: str,
    tool_calls: tuple[tuple[str, str, str], ...] = (),
    finish_reason: str | None = "stop",
    usage: bool = True,
    is_cut: bool = False,
    hang_s: float = 0.0,
) -> Answer:
    """An answer in pieces, as server-sent events; ``is_cut`` ends it after the texts, without an end."""
    deltas: list[dict[str, object]] = [{"content": text} for text in texts]
    for place, (call_id, name, arguments) in enumerate(tool_calls):
        whole = {"name": name, "arguments": arguments}
        deltas.append(
            {"tool_calls": [{"index": place, "id": call_id, "type": "function", "function": whole}]}
        )
    pieces = [_piece({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas]
    if not is_cut:
        pieces.append(_piece({"index": 0, "delta": {}, "finish_reason": finish_reason}))
        if usage:
            pieces.append(_piece(None, USAGE))
        pieces.append(b"data: [DONE]\n\n")
    return Answer(pieces=tuple(pieces), is_cut=is_cut, piece_hang_s=hang_s)


def _piece(choice: dict[str, object] | None, usage: dict[str, int] | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "tiny-served",
        "choices": [choice] if choice else [],
        "usage": usage,
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


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
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.stub = self
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


class _Server(ThreadingHTTPServer):
    stub: Stub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        stub = self.server.stub
        length = int(self.headers["content-length"])
        stub.requests.append(json.loads(self.rfile.read(length)))
        stub.arrived.set()
        answer = stub.script.pop(0) if stub.script else fails(500, "script_at_its_end")
        if answer.hang_s:
            stub.stopped.wait(answer.hang_s)
        if answer.is_reset:
            # Closing with a linger of zero sends a reset instead of an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.body is None or answer.is_reset:
            self.close_connection = True
        elif answer.pieces:
            self._stream(answer)
        else:
            self._answer(answer, answer.body)

    def _answer(self, answer: Answer, body: bytes) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        said = len(body) if answer.said_bytes is None else answer.said_bytes
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(said))
        self.end_headers()
        self.wfile.write(body)
        if said != len(body):
            self.close_connection = True

    def _stream(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in answer.pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            if answer.piece_hang_s:
                self.server.stub.stopped.wait(answer.piece_hang_s)
        if answer.is_cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """No lines on the terminal."""


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
