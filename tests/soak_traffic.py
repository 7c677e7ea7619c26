"""What happens to a workspace under a soak: runs, decisions, spans and open pages.

Each duty has a thread of its own, ends when it is told to, and remembers what was acknowledged, to be looked
for afterwards; where a server did not answer, the moment is, to be held against the moments of the kills.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import threading
import time
from dataclasses import dataclass, field

import websockets

from app.views._parts.frame import NAVIGATION
from ingest.workspace import Workspace
from runner.control import approvals
from runner.control.plane import Control
from runner.errors import DecisionRefused
from tests.benchmarks._sessions import opened
from tests.otlp_load import RunIds, Template
from tests.soak_up import Ports

TASKS = (
    ("refund-agent", "Refund W-2211, 50 USD"),
    ("refund-agent", "Refund W-2211, 240 USD"),
    ("triage-agent", "Sort the tickets of today"),
)
SESSIONS = 3
VIEWS = tuple(path for pages in NAVIGATION.values() for path, _, _ in pages)
PATIENCE_SECONDS = 120.0  # of a sender for an answer that takes milliseconds
# A page of a busy machine takes seconds; one that takes this long will not come.
PAGE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A server that did not answer as it should: which, when (monotonic seconds), and what it said."""

    of: str
    at: float
    what: str


@dataclass(kw_only=True)
class Done:
    """What was acknowledged: requested runs, decisions by approval, runs sent as spans; and what was seen."""

    requested: list[str] = field(default_factory=list)
    decided: dict[str, str] = field(default_factory=dict)
    sent: list[RunIds] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    page_failures: list[str] = field(default_factory=list)
    pages_seen: int = 0

    def silent(self, of: str, error: object) -> None:
        """Note that ``of`` did not answer now."""
        told = f"{type(error).__name__}: {error}" if isinstance(error, Exception) else str(error)
        self.silences.append(Silence(of=of, at=time.monotonic(), what=told))


def ask(workspace: Workspace, done: Done, stop: threading.Event, pause_s: float) -> None:
    """Somebody asks for runs, one after the other."""
    with Control(workspace, process_name="soak") as control:
        for agent_id, task in itertools.cycle(TASKS):
            if stop.wait(pause_s):
                return
            done.requested.append(control.request_run(agent_id, task, "jon-vass"))


def decide(workspace: Workspace, done: Done, stop: threading.Event, pause_s: float) -> None:
    """The team's manager looks at what waits, and decides; what may have happened already is not repeated."""
    with Control(workspace, process_name="soak") as control:
        while not stop.wait(pause_s):
            with control.store.read() as connection:
                waiting = approvals.waiting(connection)
            for one in waiting:
                decision = "approved" if one.pause_reason == "approval" else "rejected"
                try:
                    control.shown(one.approval_id, "mara-lindt")
                    control.decide(one.approval_id, "mara-lindt", decision, "looked at it")
                except DecisionRefused:
                    continue  # lapsed meanwhile
                done.decided[one.approval_id] = decision


def send(ports: Ports, token: str, done: Done, stop: threading.Event, pause_s: float) -> None:
    """An agent elsewhere sends its spans, as an exporter does: the same request again until it is taken."""
    template = Template(1)
    headers = {"content-type": "application/x-protobuf", "authorization": f"Bearer {token}"}
    link = http.client.HTTPConnection("127.0.0.1", ports.receiver, timeout=PATIENCE_SECONDS)
    while not stop.wait(pause_s):
        body, ids = template.fresh()
        while not stop.is_set():
            try:
                link.request("POST", "/v1/traces", body, headers)
                answer = link.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                done.silent("receiver", error)
                link.close()
            else:
                if answer.status == 200:
                    done.sent += ids
                    break
                done.silent("receiver", answer.status)
            stop.wait(0.5)
    link.close()


def look(ports: Ports, done: Done, stop: threading.Event, pause_s: float) -> None:
    """People have pages open and go from one to the next; who loses the connection opens it again."""

    async def everybody() -> None:
        await asyncio.gather(*(_visit(ports, done, stop, pause_s, first) for first in range(SESSIONS)))

    asyncio.run(everybody())


async def _visit(ports: Ports, done: Done, stop: threading.Event, pause_s: float, first: int) -> None:
    views = itertools.cycle([*VIEWS[first * 5 :], *VIEWS[: first * 5]])
    while not stop.is_set():
        try:
            session = await asyncio.wait_for(opened(ports.pages, ""), PAGE_SECONDS)
            async with session.link:
                while not stop.is_set():
                    await asyncio.wait_for(session.run(next(views), ""), PAGE_SECONDS)
                    done.pages_seen += 1
                    done.page_failures += session.failures
                    session.failures.clear()
                    await asyncio.sleep(pause_s)
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            done.silent("pages", error)
            await asyncio.sleep(1.0)
