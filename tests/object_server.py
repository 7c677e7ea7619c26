"""An S3 server of the tests' own (moto), and a proxy before it, or before anything, that can be cut."""

from __future__ import annotations

import io
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import pytest
from moto.server import create_backend_app
from werkzeug.exceptions import ClientDisconnected
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wsgi import get_input_stream

BUCKET = "fleet"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: a test says what it finds."""


class _Whole:
    """moto behind what a store promises: a body is read whole, then requests happen one after the other."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application
        self._turn = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        try:
            body = get_input_stream(environ).read()
        except ClientDisconnected:  # a body that was cut off
            start("400 Bad Request", [])
            return [b""]
        environ["wsgi.input"] = io.BytesIO(body)
        with self._turn:
            return list(self._application(environ, start))


@contextmanager
def object_server() -> Iterator[str]:
    """The server with an empty bucket ``fleet``; gives its URL."""
    application = _Whole(create_backend_app("s3"))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def settings(url: str) -> dict[str, str]:
    """What boto3 reads in the environment to speak to ``url``."""
    return {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def use(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let boto3, here and in child processes, speak to the server at ``url``, and make the bucket anew."""
    for name, value in settings(url).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=url)
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET)


class Proxy:
    """Passes connections on to ``target``; :meth:`cut` drops all of them and every new one."""

    def __init__(self, target: tuple[str, int] | str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._turn = threading.Lock()
        self._is_cut = False
        self._most_bytes: int | None = None
        self._answers_left: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """From now on nothing passes."""
        with self._turn:
            self._is_cut = True
            for pair in self._pairs:
                _close(*pair)

    def cut_after(self, most_bytes: int) -> None:
        """Each connection passes so many bytes from the client, then it is dropped."""
        self._most_bytes = most_bytes

    def mute_after(self, answers: int) -> None:
        """So many connections are answered; of later ones the request passes and the answer does not."""
        with self._turn:
            self._answers_left = answers

    def mend(self) -> None:
        """Everything passes again."""
        with self._turn:
            self._is_cut, self._most_bytes, self._answers_left = False, None, None

    def close(self) -> None:
        """End for good."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._turn:
                if self._is_cut:
                    client.close()
                    continue
                server = self._connected()
                self._pairs.add((client, server))
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _may_answer(self) -> bool:
        with self._turn:
            if self._answers_left is None:
                return True
            self._answers_left -= 1
            return self._answers_left >= 0

    def _connected(self) -> socket.socket:
        if isinstance(self._target, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            return server
        return socket.create_connection(self._target)

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        passed, is_answered = 0, False
        with suppress(OSError, ValueError):
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    block = ready.recv(1 << 16)
                    if not block:
                        raise OSError
                    if ready is client and self._most_bytes is not None:
                        passed += len(block)
                        if passed > self._most_bytes:
                            server.sendall(block[: len(block) - (passed - self._most_bytes)])
                            raise OSError
                    if ready is server and not is_answered:
                        is_answered = True
                        block = block if self._may_answer() else b""
                    if not block:
                        raise OSError
                    (server if ready is client else client).sendall(block)
        _close(client, server)
        with self._turn:
            self._pairs.discard((client, server))


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
