"""Where an admitted tool call goes: a function, a tool server, or the search of documents."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from pydantic_ai.exceptions import ModelRetry

from runner.agent.results import result_text
from runner.agent.retrieval import search
from runner.agent.session import Session
from runner.agent.threads import off_loop
from runner.agent.tools import IDEMPOTENCY_KEY, Binding, ToolSaysRetry
from runner.control.journal import Call
from runner.control.versions import FrozenTool


async def execute(session: Session, call: Call, tool: FrozenTool, values: Mapping[str, object]) -> str:
    """Execute a call once; its result as JSON text. Raises what the tool raises."""
    # The same for every try of one call, in every process.
    key = f"{session.run.run_id}:{call.call_index}"
    if tool.home == "mcp":
        return result_text(await session.servers.call(tool, values, key))
    if tool.home == "knowledge":
        return result_text(await search(session, call, str(values["query"]), str(values["source"])))
    binding = session.binding(tool)
    assert isinstance(binding, Binding)  # delegates never come here: their runs are played, not called
    extra = {IDEMPOTENCY_KEY: key} if binding.takes_idempotency_key else {}
    return await _call(binding, {**values, **extra})


async def _call(binding: Binding, arguments: Mapping[str, object]) -> str:
    try:
        if inspect.iscoroutinefunction(binding.function):
            return result_text(await binding.function(**arguments))
        return result_text(await off_loop(binding.function, **arguments))
    except ModelRetry as wish:
        raise ToolSaysRetry(wish.message) from wish
