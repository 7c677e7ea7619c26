"""The OTLP/HTTP receiver: an ASGI application that answers 200 when what it was sent is on the device."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingest.errors import ContractError, RequestError, WriterError
from ingest.log.writer import LogWriter
from ingest.payload_rules import ContentRules
from ingest.receivers.answers import JSON, PROTOBUF, accepted, refused
from ingest.receivers.committer import Committer
from ingest.receivers.decode import Signal, decode_protobuf
from ingest.receivers.decode_json import decode_json
from ingest.receivers.intake import prepare
from ingest.receivers.limits import Limits, RateLimiter
from ingest.receivers.tokens import Token, TokenBook
from ingest.receivers.told import tell
from ingest.workspace import Workspace

_BEARER = "bearer "
_TOO_LARGE = "the body is larger than {limit} bytes; let the exporter send smaller batches"


class _TooLargeError(Exception):
    """A body is larger than its limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit


class _BusyError(Exception):
    """As much is on its way to the disk as may be."""


class Receiver:
    """The endpoints over one log writer. ``on_failure`` is called once, when the log cannot be written.

    Raises MappingError when there is a registry.yaml that cannot be read.
    """

    def __init__(
        self,
        workspace: Workspace,
        writer: LogWriter,
        *,
        limits: Limits | None = None,
        on_failure: Callable[[WriterError], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or Limits()
        self._tokens = TokenBook(workspace, clock)
        self._rules = ContentRules(workspace)
        self._rules.keep_all()  # a registry that cannot be read is said at the start
        self._rates = RateLimiter(self._limits.token_bytes_per_second, clock)
        self._committer = Committer(writer)
        self._arriving_bytes = 0  # of bodies whose requests are not answered yet
        self._on_failure = on_failure

    def application(self) -> Starlette:
        """The ASGI application."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await self._committer.close()

        return Starlette(
            routes=[
                Route("/v1/traces", self._endpoint("traces"), methods=["POST"]),
                Route("/v1/logs", self._endpoint("logs"), methods=["POST"]),
                Route("/v1/metrics", self._endpoint("metrics"), methods=["POST"]),
                Route("/health", self._health, methods=["GET"]),
            ],
            lifespan=lifespan,
        )

    def _endpoint(self, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
        answer = self._answering(signal)

        async def endpoint(request: Request) -> Response:
            begun = time.perf_counter()
            response = await answer(request)
            tell(request, response, time.perf_counter() - begun)
            return response

        return endpoint

    def _answering(self, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            answer_type = JSON if media_type == JSON else PROTOBUF
            token = self._token(request)
            if token is None:
                return refused(401, "no token, or not a valid one; see `fleetbook token list`", answer_type)
            if media_type not in (JSON, PROTOBUF):
                return refused(415, f"content type {media_type!r}; send {PROTOBUF} or {JSON}", answer_type)
            try:
                return await self._take(request, signal, answer_type, token)
            except _TooLargeError as error:
                return refused(413, _TOO_LARGE.format(limit=error.limit), answer_type)
            except _BusyError:
                retry_after = self._limits.retry_after_seconds
                return refused(429, "too much waits for the disk", answer_type, retry_after=retry_after)
            except RequestError as error:
                return refused(400, str(error), answer_type)
            except ContractError as error:
                return refused(400, str(error), answer_type)
            except ClientDisconnect:
                return refused(400, "the sender went away", answer_type)
            except WriterError as error:
                self._fail(error)
                retry_after = self._limits.retry_after_seconds
                return refused(503, "the log cannot be written now", answer_type, retry_after=retry_after)

        return endpoint

    async def _take(self, request: Request, signal: Signal, media_type: str, token: Token) -> Response:
        arrived: list[bytes] = []
        try:
            await self._read(request, arrived)
            body = self._inflated(request, b"".join(arrived))
        finally:
            self._arriving_bytes -= sum(map(len, arrived))
            arrived.clear()
        wait = self._rates.wait_for(token.token_id, len(body))
        if wait:
            return refused(429, f"token {token.token_id} sends too fast", media_type, retry_after=wait)
        decoded = decode_json(signal, body) if media_type == JSON else decode_protobuf(signal, body)
        batch = prepare(decoded, token, self._rules, span_bytes=self._limits.span_bytes)
        # While the batch waits for the disk, nothing else of it takes memory.
        del body
        decoded.records.clear()
        await self._committer.commit(batch)
        return accepted(signal, media_type, decoded)

    def _token(self, request: Request) -> Token | None:
        header = request.headers.get("authorization", "")
        if header[: len(_BEARER)].lower() != _BEARER:
            return None
        return self._tokens.find(header[len(_BEARER) :].strip())

    async def _read(self, request: Request, arrived: list[bytes]) -> None:
        """Fill ``arrived`` with the body; it is refused as soon as it is too large or too much."""
        limit = self._limits.body_bytes
        stated = request.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > limit:
            raise _TooLargeError(limit)
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _TooLargeError(limit)
            arrived.append(chunk)
            self._arriving_bytes += len(chunk)
            if self._arriving_bytes + self._committer.waiting_bytes > self._limits.waiting_bytes:
                raise _BusyError

    def _inflated(self, request: Request, body: bytes) -> bytes:
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("identity", ""):
            return body
        if encoding != "gzip":
            raise RequestError(f"content encoding {encoding!r}; send gzip or none")
        limit = self._limits.inflated_bytes
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            inflated = inflater.decompress(body, limit + 1)
        except zlib.error as error:
            raise RequestError(f"the body is no gzip ({error})") from error
        if len(inflated) > limit:
            raise _TooLargeError(limit)
        if not inflater.eof:
            raise RequestError("the gzip body ends too early")
        return inflated

    async def _health(self, _: Request) -> Response:
        """200 while the log can be written, else 503: for supervisors and load balancers; no token needed."""
        failure = self._committer.failure
        return JSONResponse(
            {"status": "ok" if failure is None else "failed"}, 200 if failure is None else 503
        )

    def _fail(self, error: WriterError) -> None:
        on_failure, self._on_failure = self._on_failure, None
        if on_failure is not None:
            on_failure(error)
