"""Listening on a port until a signal: what the receiver and the metrics share."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn


@contextmanager
def listening(what: str, host: str, port: int, command: str) -> Iterator[socket.socket]:
    """A socket bound before anything is written, so that a taken port leaves no trace; and what is said.

    ``what`` is what listens, ``command`` how it is started, both for the sentence. Raises ServeError.
    """
    from app.errors import ServeError
    from app.service_log import set_up

    set_up()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ServeError(
                f"{what} not started: {host}:{port} cannot be used ({error.strerror}). "
                f"Stop what uses it, or choose another one: `fleetbook {command} --port {port % 65535 + 1}`."
            ) from error
        yield listener


def serve_until_signal(
    server: uvicorn.Server, listener: socket.socket, log: logging.Logger, farewell: str
) -> None:
    """Serve until a signal. uvicorn answers what it has, then raises the signal again: here it ends."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        log.info(farewell)
    finally:
        signal.signal(signal.SIGTERM, before)
