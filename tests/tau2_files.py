"""Small tau2 result files, written by hand, whose numbers a reader can add up."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

SECRET = "sk-this-key-must-not-leave-the-file"

INFO: dict[str, Any] = {
    "git_commit": "0000000",
    "user_info": {"implementation": "user_simulator", "llm": "gpt-4.1", "llm_args": {"api_key": SECRET}},
    "agent_info": {"implementation": "llm_agent", "llm": "gpt-4.1", "llm_args": {"api_key": SECRET}},
    "environment_info": {"domain_name": "airline", "policy": "Be kind.", "tool_defs": None},
}

# Two model calls (1,000 + 1,500 tokens in, 20 + 30 out), 0.0021 + 0.0034 USD, one failed call by the agent,
# one call by the simulated user with the same tool_call_id, reward 1, 12.5 s.
GOOD: dict[str, Any] = {
    "id": "11111111-2222-4333-8444-555555555555",
    "task_id": "0",
    "start_time": "2026-03-01T10:00:00.000000",
    "end_time": "2026-03-01T10:00:12.500000",
    "duration": 12.5,
    "termination_reason": "user_stop",
    "agent_cost": 0.0055,
    "user_cost": 0.0012,
    "reward_info": {"reward": 1.0},
    "messages": [
        {
            "role": "assistant",
            "content": "Hi!",
            "timestamp": "2026-03-01T10:00:00",
            "cost": 0.0,
            "usage": None,
        },
        {
            "role": "user",
            "content": "My data is slow.",
            "timestamp": "2026-03-01T10:00:01",
            "cost": 0.0006,
            "usage": {"prompt_tokens": 400, "completion_tokens": 9},
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "name": "get_line", "arguments": {"line": "L1"}, "requestor": "assistant"}
            ],
            "timestamp": "2026-03-01T10:00:03",
            "cost": 0.0021,
            "usage": {"prompt_tokens": 1000, "completion_tokens": 20},
            "raw_data": {"finish_reason": "tool_calls"},
        },
        {
            "id": "call_1",
            "role": "tool",
            "content": "Error: no such line",
            "requestor": "assistant",
            "error": True,
            "timestamp": "2026-03-01T10:00:04",
        },
        {
            "role": "user",
            "content": None,
            "tool_calls": [{"id": "call_1", "name": "toggle_data", "arguments": {}, "requestor": "user"}],
            "timestamp": "2026-03-01T10:00:06",
            "cost": 0.0006,
            "usage": {"prompt_tokens": 450, "completion_tokens": 4},
        },
        {
            "id": "call_1",
            "role": "tool",
            "content": "Data is on",
            "requestor": "user",
            "error": False,
            "timestamp": "2026-03-01T10:00:07",
        },
        {
            "role": "assistant",
            "content": "Your data works again.",
            "timestamp": "2026-03-01T10:00:10",
            "cost": 0.0034,
            "usage": {"prompt_tokens": 1500, "completion_tokens": 30},
            "raw_data": {"finish_reason": "stop"},
        },
        {"role": "user", "content": "Thanks, bye.", "timestamp": "2026-03-01T10:00:12", "usage": None},
    ],
}


def good(**changes: Any) -> dict[str, Any]:
    """A copy of the good simulation with top-level ``changes``."""
    return {**copy.deepcopy(GOOD), **changes}


def document(*simulations: object, info: object = INFO) -> dict[str, Any]:
    """A whole result file holding ``simulations``."""
    return {"timestamp": "2026-03-01T10:00:00", "info": info, "tasks": [], "simulations": list(simulations)}


def write(path: Path, content: object) -> Path:
    """Write ``content`` as JSON, or as it is when it is text; gzip when the name says so."""
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path
