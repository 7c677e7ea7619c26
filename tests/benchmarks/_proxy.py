"""The LiteLLM proxy, from an environment of its own, as a neighbour of the wallet benchmark.

A crowd of clients asks a local endpoint through the proxy, which holds a budget of one dollar for it. What
was spent is what the endpoint has served, at the price that the proxy is told.
"""

from __future__ import annotations

import json
import random
import secrets
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CLIENTS = 64
CAP_USD, USD_PER_TOKEN = 1.0, 0.00001
MOST_TOKENS = 2_000  # worst case of a call: two cents
START_S, LONGEST_S, SETTLE_S = 120.0, 120.0, 3.0
# The proxy wants a key that nobody guesses; this one lives as long as the benchmark.
_KEY = f"sk-{secrets.token_hex(24)}"
_CONFIG = """\
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: none
      input_cost_per_token: 0
      output_cost_per_token: {price}
router_settings:
  num_retries: 0
  provider_budget_config:
    openai: {{budget_limit: {cap}, time_period: 1d}}
litellm_settings: {{num_retries: 0, telemetry: false}}
general_settings: {{master_key: {key}}}
"""


@dataclass
class Served:
    """What the endpoint has served."""

    tokens: int = 0
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, kw_only=True)
class Proxied:
    """What the crowd spent through the proxy in USD, over how many calls, and its CPU per call in ms."""

    spent_usd: float
    calls: int
    cpu_ms: float


def measure(command: Path) -> Proxied:
    """Start ``command`` (the ``litellm`` of its environment), spend its budget, and say what was spent.

    Raises RuntimeError when the proxy does not start.
    """
    served = Served()
    with _endpoint(served) as upstream, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        text = _CONFIG.format(upstream=upstream, price=USD_PER_TOKEN, cap=CAP_USD, key=_KEY)
        config.write_text(text, encoding="utf-8")
        port = _free_port()
        words = [str(command), "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
        with (Path(folder) / "proxy.log").open("wb") as log:
            proxy = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
            try:
                _wait(proxy, port, Path(folder) / "proxy.log")
                before = _cpu_s(proxy.pid)
                _spend(port)
                cpu_s = _cpu_s(proxy.pid) - before
            finally:
                proxy.terminate()
                proxy.wait(timeout=30)
    calls = max(served.calls, 1)
    return Proxied(spent_usd=served.tokens * USD_PER_TOKEN, calls=served.calls, cpu_ms=1000 * cpu_s / calls)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _spend(port: int) -> None:
    """Every client asks until it was refused three times in a row, or the time is over."""
    deadline = time.monotonic() + LONGEST_S

    def client() -> None:
        refused = 0
        while refused < 3 and time.monotonic() < deadline:
            refused = 0 if _ask(port) else refused + 1

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    time.sleep(SETTLE_S)


def _ask(port: int) -> bool:
    body = json.dumps(
        {"model": "bench", "max_tokens": MOST_TOKENS, "messages": [{"role": "user", "content": "Go on."}]}
    ).encode()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {_KEY}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


def _wait(proxy: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if proxy.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise RuntimeError(f"the LiteLLM proxy did not start: {' '.join(said) or 'it said nothing'}")


def _cpu_s(pid: int) -> float:
    """User and system time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def _endpoint(served: Served) -> Iterator[int]:
    """A server of the OpenAI chat API that takes its time and bills 1 to 100 % of the bound; its port."""
    dice = random.Random(7)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(0.1)
            with served.lock:
                tokens = dice.randint(MOST_TOKENS // 100, MOST_TOKENS)
                served.tokens += tokens
                served.calls += 1
            usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10}
            message = {"role": "assistant", "content": "Done."}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "bench",
                "choices": [choice],
            }
            body = json.dumps({**answer, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the benchmark prints its own figures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
