"""What a run tells whoever watches it while it runs; the command line prints it, the log has it for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class TurnDone:
    """A model turn was answered or failed; cost in nano-USD is None when unknown."""

    turn_index: int
    attempt: int
    text: str
    calls: tuple[tuple[str, str], ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano_usd: int | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class TurnText:
    """A piece of a model's text as it arrives; the turn's TurnDone has the whole of it."""

    turn_index: int
    attempt: int
    text: str


@dataclass(frozen=True, kw_only=True)
class ToolDone:
    """A tool call ended; ``result`` is its text."""

    call_index: int
    tool_name: str
    outcome: str
    result: str
    duration_ns: int | None = None


@dataclass(frozen=True, kw_only=True)
class WaitsForWallet:
    """The next model call waits until other calls release their holds."""

    wallet_id: str


Progress: TypeAlias = TurnText | TurnDone | ToolDone | WaitsForWallet
Watch: TypeAlias = Callable[[Progress], None]


def nobody(_: Progress) -> None:
    """Watches nothing."""
