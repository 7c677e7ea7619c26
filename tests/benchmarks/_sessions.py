"""Sessions without a browser: clients that speak the pages' own protocol and wait for a script run to end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

OPEN_SECONDS = 120  # a busy machine takes more than the library's ten seconds


@dataclass
class Session:
    """One connection; ``pages`` maps a page's path to the hash by which the server knows its script.

    ``failures`` are the errors that were shown instead of a page.
    """

    link: ClientConnection
    pages: dict[str, str]
    failures: list[str] = field(default_factory=list)

    async def run(self, view: str, query: str) -> float:
        """Ask for a page and wait for its script to end; seconds of wall time."""
        wanted = BackMsg()
        wanted.rerun_script.query_string = query
        wanted.rerun_script.page_script_hash = self.pages.get(view, "")
        wanted.rerun_script.page_name = view
        started = time.perf_counter()
        await self.link.send(wanted.SerializeToString())
        while True:
            told = ForwardMsg()
            told.ParseFromString(bytes(await self.link.recv(decode=False)))
            kind = told.WhichOneof("type")
            if kind == "navigation":
                self.pages.update(
                    {one.url_pathname: one.page_script_hash for one in told.navigation.app_pages}
                )
            if kind == "delta":
                self._look(view, told.delta)
            if kind == "script_finished":
                return time.perf_counter() - started

    def _look(self, view: str, delta: Delta) -> None:
        element = delta.new_element
        if element.WhichOneof("type") == "exception":
            self.failures.append(f"{view}: {element.exception.type} {element.exception.message}")
        elif element.WhichOneof("type") == "alert" and element.alert.icon == ":material/error:":
            self.failures.append(f"{view}: {element.alert.body}")


async def opened(port: int, query: str) -> Session:
    """A session that has seen the first page."""
    link = await websockets.connect(
        f"ws://127.0.0.1:{port}/_stcore/stream",
        subprotocols=[websockets.Subprotocol("streamlit")],
        max_size=None,
        open_timeout=OPEN_SECONDS,
        origin=websockets.Origin(f"http://127.0.0.1:{port}"),
    )
    session = Session(link=link, pages={})
    await session.run("", query)
    return session


async def crowd(port: int, views: list[str], queries: list[str], rounds: int) -> dict[str, list[float]]:
    """All sessions (one per query string) run the same view at once; seconds of each run by view."""
    sessions = await asyncio.gather(*(opened(port, query) for query in queries))
    took: dict[str, list[float]] = {view: [] for view in views}
    for _ in range(rounds):
        for view in views:
            runs = (one.run(view, query) for one, query in zip(sessions, queries, strict=True))
            took[view] += await asyncio.gather(*runs)
    for one in sessions:
        await one.link.close()
    return took
