"""The queue before SQLite's one writer: processes and threads write in turn instead of polling for the lock.

SQLite waits for its write lock by sleeping and trying again; under load the unlucky wait for seconds. A file
lock is waited for in the kernel, which wakes those who wait one after the other, and frees it when a
process dies. PostgreSQL queues by itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy.engine import URL

Queue = Callable[[], AbstractContextManager[None]]


def write_queue(url: URL) -> Queue:
    """Makes the context in which one write transaction of the store at ``url`` is made."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return nullcontext
    file = f"{url.database}-queue"
    return lambda: _turn(file)


@contextmanager
def _turn(file: str) -> Iterator[None]:
    # Opened anew each time: threads of one process queue up like processes, and no fork inherits a turn.
    descriptor = os.open(file, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
