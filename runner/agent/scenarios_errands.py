"""A scenario for trying tools: the task itself says what to call, line by line, and no model is needed."""

from __future__ import annotations

import json
import re

from runner.agent.script import Ask, Case, Reply

_LINE = re.compile(r"^([a-z0-9_-]+)\s+(\{.*\})\s*$")


def errands(case: Case) -> Reply:
    """Does what the task lists: ``tool {"argument": …}`` per line, a blank line before the next turn.

    The answer names what each call gave.
    """
    begun = 0
    for turn in re.split(r"\n\s*\n", case.task.strip()):
        calls = tuple(_calls(turn))
        if calls and begun == len(case.returns):
            return Reply(text=f"{len(calls)} to do.", calls=calls)
        begun += len(calls)
    return Reply(text="\n".join(_told(case)) or "Nothing to do.")


def _calls(turn: str) -> list[Ask]:
    found = []
    for line in turn.splitlines():
        match = _LINE.match(line.strip())
        if match is not None:
            found.append(Ask(tool=match.group(1), arguments=json.loads(match.group(2))))
    return found


def _told(case: Case) -> list[str]:
    return [f"{one.tool}: {one.outcome}: {_text(one.content)}" for one in case.returns]


def _text(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
