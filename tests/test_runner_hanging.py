"""Tools that never come back: their calls end, the run goes on, the worker neither starves nor fills up."""

from __future__ import annotations

import asyncio
import threading

import pytest

from runner.agent.threads import MOST_HANGING, ToolHangs, off_loop


def test_a_tool_that_hangs_is_called_no_more_while_others_go_on_and_again_when_it_comes_back() -> None:
    release = threading.Event()
    begun: list[int] = []

    def hangs() -> None:
        begun.append(1)
        release.wait()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(off_loop(hangs), 0.05)

    async def work() -> None:
        await asyncio.gather(*(give_up() for _ in range(MOST_HANGING)))
        with pytest.raises(ToolHangs, match=f"{MOST_HANGING} calls of .*hangs hang in this process"):
            await off_loop(hangs)
        assert len(begun) == MOST_HANGING
        # Others are not held up: each has a thread of its own, and the executor of the loop is free.
        assert await off_loop(lambda: "other") == "other"
        assert await asyncio.to_thread(lambda: "free") == "free"
        stuck = [thread for thread in threading.enumerate() if thread.name.startswith("given up ")]
        assert len(stuck) == MOST_HANGING
        assert all(thread.daemon for thread in stuck)  # the process can end without them
        release.set()
        for thread in stuck:
            thread.join(10)
        await off_loop(hangs)

    asyncio.run(work())
    assert len(begun) == MOST_HANGING + 1
