"""What a habit is, and which agents play which part in the story of the demo company.

The parts: ``PROMOTE``, ``RETIRE_IDLE``, ``RETIRE_WEAK``, ``SEASONAL``, ``UNCONFIRMED``,
``IMPROVED``, ``WORSENED``, ``OVER_BUDGET``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.demo.story import Rhythm

Audience: TypeAlias = Literal["team", "everyone", "owner", "finance_sales_support"]
Steps: TypeAlias = tuple[tuple[str, ...], ...]

PROMOTE = ("meeting-notes", "policy-answers", "document-intake")
RETIRE_IDLE = ("newsletter-drafter", "legacy-faq-bot", "scan-reader")
RETIRE_WEAK = ("social-listener", "contract-explainer")
SEASONAL = "quarter-close-assistant"
UNCONFIRMED = "it-helpdesk"
IMPROVED = "ticket-triage"
WORSENED = "quote-builder"
OVER_BUDGET_TEAM = "sales"
OVER_BUDGET_AGENT = "prospect-writer"
UNPRICED = "log-summarizer"
DELEGATING, DELEGATE = "lead-router", "company-profiler"
HASTY_REVIEWER = "marco-bellini"


@dataclass(frozen=True, kw_only=True)
class Past:
    """One version in the history, from ``since`` (share of the history) until the next.

    ``clean`` is the share of its runs that end well without a person stepping in.
    ``instructions`` is empty where they were as declared today.
    """

    since: float
    model: str
    clean: float
    tokens: float = 1.0
    instructions: str = ""


@dataclass(frozen=True, kw_only=True)
class Habit:
    """The behaviour of one agent; ``runs`` counts an average working day in the middle.

    ``steps`` are the tool calls after each model turn, a last turn answers; tokens are the first turn's.
    """

    agent_id: str
    runs: float
    rhythm: Rhythm
    past: tuple[Past, ...]
    steps: Steps
    audience: Audience = "team"
    prompt_tokens: int = 2400
    answer_tokens: int = 160
    growth: float = 0.25
    rated: float = 0.10
