"""Plain functions off the event loop, each in a thread of its own that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar, cast

from runner.agent.tools import UpstreamError

Answer = TypeVar("Answer")

# Calls of one function that may hang in a process: enough to tell a hiccup from a tool that never answers.
MOST_HANGING = 8


class ToolQuit(Exception):
    """A tool called for the end of the process (sys.exit); only its call ends."""


class ToolHangs(UpstreamError):
    """Too many calls of a tool have not come back; this one was not begun."""


async def off_loop(function: Callable[..., Answer], /, **arguments: object) -> Answer:
    """``function(**arguments)`` in a daemon thread.

    A function that never comes back keeps its thread, but neither a place in a pool, as the loop's own
    executor would have it, nor the process when that wants to end. Raises ToolHangs, and does not begin,
    while MOST_HANGING of its calls that were given up on have not come back.
    """
    name = f"{function.__module__}:{getattr(function, '__qualname__', type(function).__name__)}"
    given_up = f"given up {name}"
    if sum(thread.name == given_up for thread in threading.enumerate()) >= MOST_HANGING:
        raise ToolHangs(
            f"{MOST_HANGING} calls of {name} hang in this process, so it was not called. "
            "It is called again when one comes back, or by another process."
        )
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer] = loop.create_future()

    def tell(answer: Answer | None, error: BaseException | None) -> None:
        if done.done():
            return  # given up on
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast(Answer, answer))  # None only where the function gave it

    def work() -> None:
        answer: Answer | None = None
        error: BaseException | None = None
        try:
            answer = function(**arguments)
        except (SystemExit, KeyboardInterrupt, StopIteration) as end:
            error = ToolQuit(f"the tool raised {type(end).__name__}")
        except BaseException as raised:  # whatever a tool raises belongs to its caller
            error = raised
        try:
            loop.call_soon_threadsafe(tell, answer, error)
        except RuntimeError:
            return  # the loop has ended meanwhile: nobody waits for the answer

    thread = threading.Thread(target=work, name=f"tool {name}", daemon=True)
    thread.start()
    try:
        return await done
    except asyncio.CancelledError:
        thread.name = given_up
        raise
