"""Tools of MCP servers, through the official SDK: what a server shows now, and one call of one tool.

Nothing here decides whether a call may be made: that is the gate's (runner.agent.toolgate), as for every
tool. A server gets the environment variables that its declaration names, and PATH, HOME, USER, LOGNAME, SHELL
and TERM, which the SDK hands to every command.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from runner.agent.tools import UpstreamError
from runner.control.registry_extras import McpServer
from runner.control.tool_schemas import Shown
from runner.control.versions import FrozenTool

if TYPE_CHECKING:
    from mcp import types
    from mcp.client.client import Client

# A server that shows more pages of tools than this is not telling an end.
_MOST_PAGES = 50
# The key goes along as metadata: the same for every try of one call.
_KEY = "fleetbook/idempotency-key"


class ServerDown(UpstreamError):
    """The server cannot be reached, so nothing was asked of it."""


class OutcomeUnknown(UpstreamError):
    """The call was sent and no usable answer came: it may have taken effect."""


class ToolServers:
    """The connections of one worker process; they belong to its event loop. Close them there."""

    def __init__(self) -> None:
        self._connections: dict[str, _Connection] = {}

    async def shown(self, tool: FrozenTool) -> Shown | None:
        """The tool as its server shows it now, or None when it shows no such tool. Raises ServerDown."""
        return (await self.all_shown(_server(tool))).get(tool.place)

    async def all_shown(self, server: McpServer) -> dict[str, Shown]:
        """Every tool that a server shows now, by its name there. Raises ServerDown."""
        connection = self._connection(server)
        client = await connection.client()
        try:
            return {tool.name: _shown(tool) for tool in await _listed(client)}
        except _sdk_errors() as error:
            connection.drop()
            raise ServerDown(f"the tool server does not answer ({_words(error)})") from error

    async def call(self, tool: FrozenTool, arguments: Mapping[str, object], key: str) -> object:
        """Call a tool once; its structured result, or its text.

        Raises ServerDown before anything was sent, OutcomeUnknown after, UpstreamError when the tool or the
        server says that it failed.
        """
        from mcp.shared.exceptions import MCPError

        connection = self._connection(_server(tool))
        client = await connection.client()
        try:
            meta = cast("types.RequestParamsMeta", {_KEY: key})
            result = await client.session.call_tool(tool.place, dict(arguments), meta=meta)
        except MCPError as error:
            if not connection.is_alive or _is_broken_off(error.code):
                connection.drop()
                raise OutcomeUnknown(f"the tool server broke off ({_words(error)})") from error
            raise UpstreamError(_words(error)) from error
        except _sdk_errors() as error:
            connection.drop()
            raise OutcomeUnknown(f"the tool server's answer cannot be read ({_words(error)})") from error
        if result.is_error:
            raise UpstreamError(_text(result))
        return _text(result) if result.structured_content is None else result.structured_content

    async def close(self) -> None:
        """Close all connections; commands that were started end."""
        connections, self._connections = list(self._connections.values()), {}
        await asyncio.gather(*(connection.close() for connection in connections))

    def _connection(self, server: McpServer) -> _Connection:
        key = server.model_dump_json()
        if key not in self._connections:
            self._connections[key] = _Connection(server)
        return self._connections[key]


class _Connection:
    """One server: connected when first needed, again after it broke off.

    The SDK wants a connection opened and closed in one task, so each has a task of its own.
    """

    def __init__(self, server: McpServer) -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._ready: asyncio.Future[Client] | None = None
        self._turn = asyncio.Lock()

    @property
    def is_alive(self) -> bool:
        return self._task is not None and not self._task.done()

    async def client(self) -> Client:
        """The connected client. Raises ServerDown."""
        async with self._turn:
            if self._ready is None or not self.is_alive:
                await self._connect()
            assert self._ready is not None  # _connect has set it, or raised
            return self._ready.result()

    def drop(self) -> None:
        """Give the connection up; the next call makes a new one."""
        self._ready = None
        self._stop.set()

    async def close(self) -> None:
        self.drop()
        if self._task is not None:
            await asyncio.wait({self._task})
            _heard(self._task)

    async def _connect(self) -> None:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        task = self._task = asyncio.create_task(self._hold(ready, self._stop))
        task.add_done_callback(_heard)  # a connection that was dropped may still fail; nobody waits for it
        hopes: set[asyncio.Future[Any]] = {task, ready}
        await asyncio.wait(hopes, timeout=self._server.connect_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            self._ready = ready
            return
        timed_out = not task.done()
        task.cancel()
        await asyncio.wait({task})
        error = _heard(task)
        patience = f"no answer within {self._server.connect_timeout_s:g} s"
        why = patience if timed_out or error is None else _words(error)
        raise ServerDown(f"the tool server cannot be reached ({why})")

    async def _hold(self, ready: asyncio.Future[Client], stop: asyncio.Event) -> None:
        with open(os.devnull, "w", encoding="utf-8") as errors:  # noqa: PTH123  # a device, no path
            async with _client(self._server, errors) as client:
                ready.set_result(client)
                await stop.wait()


def _client(server: McpServer, errors: TextIO) -> Client:
    """Not yet connected. Raises ServerDown when a named variable is not set or the package is missing."""
    try:
        from mcp.client.client import Client
        from mcp.client.stdio import StdioServerParameters, stdio_client
    except ImportError as error:
        raise ServerDown("the package is missing; install fleetbook with the extra mcp") from error
    if server.url is not None:
        return Client(server.url, cache=None)
    missing = [name for name in server.environment if name not in os.environ]
    if missing:
        raise ServerDown(f"{', '.join(missing)} is not set in the environment of this process")
    parameters = StdioServerParameters(
        command=server.command[0],
        args=list(server.command[1:]),
        env={name: os.environ[name] for name in server.environment},
        encoding_error_handler="replace",
    )
    return Client(stdio_client(parameters, errlog=errors), cache=None)


async def _listed(client: Client) -> list[types.Tool]:
    found: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _shown(tool: types.Tool) -> Shown:
    return Shown(description=tool.description or "", input_schema=tool.input_schema)


def _text(result: types.CallToolResult) -> str:
    """The text blocks of a result; other blocks are named, their content is left out."""
    blocks = []
    for block in result.content:
        text = getattr(block, "text", None)
        blocks.append(text if isinstance(text, str) else f"[{block.type}]")
    return "\n".join(blocks)


def _server(tool: FrozenTool) -> McpServer:
    if tool.server is None:
        raise ServerDown("this version does not say how the tool server is reached")
    return tool.server


def _is_broken_off(code: int) -> bool:
    from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT

    return code in (CONNECTION_CLOSED, REQUEST_TIMEOUT)


def _sdk_errors() -> tuple[type[Exception], ...]:
    """What the SDK raises when a server breaks off or answers nonsense."""
    from anyio import BrokenResourceError, ClosedResourceError
    from mcp.shared.exceptions import MCPError

    # RuntimeError: a result against the tool's own output schema, or a server that asks back.
    return (MCPError, BrokenResourceError, ClosedResourceError, RuntimeError, ValueError, OSError)


def _heard(task: asyncio.Task[None]) -> BaseException | None:
    """The error of an ended task, marked as seen; None when it was cancelled or ended in order."""
    with suppress(asyncio.CancelledError):
        return task.exception()
    return None


def _words(error: BaseException) -> str:
    """The innermost error of a group, in one line."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return " ".join(f"{error}".split())[:300] or type(error).__name__
