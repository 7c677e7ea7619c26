"""What a simulated model works with: the task, the tool results so far, and the reply it gives.

Pure and deterministic: the same task and results give the same reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Data: TypeAlias = "Mapping[str, object]"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A tool call that the model makes."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer of the model: text, and tool calls; without calls it is the final answer."""

    text: str
    calls: tuple[Ask, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Return:
    """A tool result as the model sees it; ``outcome`` is success, failed, denied or retried."""

    tool: str
    outcome: str
    content: object

    @property
    def is_good(self) -> bool:
        """True when the tool did what it was asked for."""
        return self.outcome == "success"

    def __getitem__(self, key: str) -> object:
        return self.content.get(key, "") if isinstance(self.content, Mapping) else ""

    def rows(self, key: str) -> list[Data]:
        """The list of records under ``key``."""
        found = self[key]
        return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


@dataclass(frozen=True, kw_only=True)
class Case:
    """The task and what the tools have returned."""

    task: str
    returns: tuple[Return, ...]

    def got(self, tool: str) -> Return | None:
        """The latest result of ``tool``, or None when it was not called."""
        return next((one for one in reversed(self.returns) if one.tool == tool), None)

    def ref(self, prefix: str, default: str) -> str:
        """The first id like ``W-2211`` in the task."""
        found = re.search(rf"\b{prefix}-\d+\b", self.task)
        return found.group() if found else default

    def quoted(self, default: str) -> str:
        """The first name in quotes in the task."""
        found = re.search(r"[\"“„']([^\"”“']{2,60})[\"”“']", self.task)
        return found.group(1) if found else default

    def amount(self, unit: str) -> str | None:
        """The number in front of ``unit`` (or behind ``$``) in the task."""
        found = re.search(rf"\$\s?(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*{unit}", self.task)
        return (found.group(1) or found.group(2)) if found else None

    def word(self, words: tuple[str, ...]) -> str:
        """The first of ``words`` that the task names, else the first one."""
        return next((word for word in words if word in self.task.lower()), words[0])


Scenario: TypeAlias = Callable[[Case], Reply]


def ask(text: str, tool: str, /, **arguments: object) -> Reply:
    """A reply with one tool call."""
    return Reply(text=text, calls=(Ask(tool=tool, arguments=arguments),))


def stuck(result: Return, what: str) -> Reply:
    """The final answer after a tool failed or a person said no."""
    if result.outcome == "denied":
        return Reply(
            text=f"{what} was not carried out: {result.content} I stopped there and changed nothing."
        )
    return Reply(
        text=f"I could not finish: {what} failed ({result.content}). Somebody should look at this by hand."
    )


def listed(value: object) -> list[object]:
    """``value`` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []
