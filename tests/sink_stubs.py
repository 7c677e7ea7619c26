"""Small stand-ins for what sinks talk to: an object store, a mail server, a timestamp authority."""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

OPENSSL_TSA = """\
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.crt
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[tsa_ext]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[root_ext]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[req]
distinguished_name = name
[name]
"""


@contextmanager
def served(server: socketserver.BaseServer) -> Iterator[int]:
    """Serve in a thread while the ``with`` block lasts; yields the port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class ObjectStore(HTTPServer):
    """The part of S3 that a sink uses. ``failures`` requests are answered with 503 first."""

    def __init__(self, *, minds_conditions: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _ObjectHandler)
        self.objects: dict[str, bytes] = {}
        self.failures = 0
        self.puts = 0
        self.minds_conditions = minds_conditions


class _ObjectHandler(BaseHTTPRequestHandler):
    server: ObjectStore

    def do_GET(self) -> None:
        key, query = self._key()
        if "list-type" in query:
            prefix = query.get("prefix", [""])[0]
            found = [name for name in sorted(self.server.objects) if name.startswith(f"/b/{prefix}")]
            items = "".join(f"<Contents><Key>{name.removeprefix('/b/')}</Key></Contents>" for name in found)
            self._answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{items}</ListBucketResult>")
        elif key in self.server.objects:
            self._answer(200, self.server.objects[key])
        else:
            self._answer(404, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")

    def do_HEAD(self) -> None:
        key, _ = self._key()
        self.send_response(200 if key in self.server.objects else 404)
        self.send_header("Content-Length", str(len(self.server.objects.get(key, b""))))
        self.end_headers()

    def do_DELETE(self) -> None:
        self.server.objects.pop(self._key()[0], None)
        self._answer(204, "")

    def do_PUT(self) -> None:
        key, _ = self._key()
        body = self._body()
        if self.server.failures:
            self.server.failures -= 1
            self._answer(503, "<Error><Code>SlowDown</Code><Message>later</Message></Error>")
            return
        is_bound = self.headers.get("If-None-Match") == "*" and self.server.minds_conditions
        if is_bound and key in self.server.objects:
            self._answer(412, "<Error><Code>PreconditionFailed</Code><Message>there</Message></Error>")
            return
        self.server.puts += 1
        self.server.objects[key] = body
        self._answer(200, "")

    def _key(self) -> tuple[str, dict[str, list[str]]]:
        split = urlsplit(self.path)
        return unquote(split.path), parse_qs(split.query)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Content-Encoding", "") + self.headers.get(
            "Transfer-Encoding", ""
        ):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return content

    def _answer(self, code: int, content: str | bytes) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


class MailServer(socketserver.TCPServer):
    """Takes messages without asking who sends them; ``refusals`` recipients are refused first."""

    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.messages: list[bytes] = []
        self.refusals = 0


class _MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 stub")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"RCPT" and self.server.refusals:
                self.server.refusals -= 1
                self._say("451 later")
            elif word == b"DATA":
                self._say("354 go on")
                self.server.messages.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self._say("250 taken")
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class TimestampAuthority(HTTPServer):
    """OpenSSL as an authority with a self-made root; ``root`` is its certificate."""

    def __init__(self, folder: Path, openssl: str) -> None:
        super().__init__(("127.0.0.1", 0), _TimestampHandler)
        self.folder, self.openssl = folder, openssl
        self.requests = 0
        self.is_broken = False
        self.root = folder / "root.crt"
        (folder / "tsa.cnf").write_text(OPENSSL_TSA.format(folder=folder), encoding="utf-8")
        self._certificate("root", "root_ext", [])
        issued = ["-CA", str(self.root), "-CAkey", str(folder / "root.key")]
        self._certificate("tsa", "tsa_ext", issued)

    def run(self, *arguments: str) -> None:
        subprocess.run([self.openssl, *arguments], check=True, capture_output=True, cwd=self.folder)

    def _certificate(self, name: str, extensions: str, issuer: list[str]) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]
        about = [
            "-subj",
            f"/CN=stub {name}",
            "-days",
            "3650",
            "-config",
            "tsa.cnf",
            "-extensions",
            extensions,
        ]
        self.run("req", "-x509", *key, *about, *issuer, "-out", f"{name}.crt")


class _TimestampHandler(BaseHTTPRequestHandler):
    server: TimestampAuthority

    def do_POST(self) -> None:
        self.server.requests += 1
        folder = self.server.folder
        query = self.rfile.read(int(self.headers["Content-Length"]))
        (folder / "query").write_bytes(query)
        answer = b"out of order"
        if not self.server.is_broken:
            self.server.run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
            answer = (folder / "reply").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        return None
