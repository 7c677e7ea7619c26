"""What went wrong around the agents: an outage of the CRM and a slow week of one model provider."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from app.demo.story import Plan

OUTAGE_TOOLS = frozenset({"crm_lookup", "crm_update"})
OUTAGE_SHARE = 0.44  # of the history: in the middle of its second quarter
OUTAGE_LENGTH = dt.timedelta(days=2, hours=7)
OUTAGE_FAILURE_RATE = 0.58
SLOW_PROVIDER = "anthropic"
SLOW_BEFORE_END = dt.timedelta(days=12)
SLOW_LENGTH = dt.timedelta(days=2, hours=12)
SLOW_FACTOR = 3.6
# An ordinary day: most tool failures come from the other side.
FAILURE_RATE = 0.014
WEB_FAILURE_RATE = 0.035
MODEL_FAILURE_RATE = 0.006
ERROR_CLASSES = ("upstream", "upstream", "upstream", "timeout", "timeout", "invalid_args", "crash")
ERROR_TYPES = {
    "upstream": "UpstreamError",
    "timeout": "TimeoutError",
    "invalid_args": "ToolSaysRetry",
    "crash": "ValueError",
}


@dataclass(frozen=True)
class Weather:
    """Failure rates and slowness at any moment of one plan."""

    plan: Plan

    @property
    def outage(self) -> tuple[dt.datetime, dt.datetime]:
        """First and last moment of the CRM outage: it begins on a working morning."""
        day = self.plan.moment(OUTAGE_SHARE).astimezone(self.plan.zone).date()
        begin = self.plan.at(day - dt.timedelta(days=max(0, day.weekday() - 2)), 9)
        return begin, begin + OUTAGE_LENGTH

    @property
    def slowness(self) -> tuple[dt.datetime, dt.datetime]:
        """First and last moment at which the provider was slow."""
        begin = self.plan.end - SLOW_BEFORE_END
        return begin, begin + SLOW_LENGTH

    def failure_rate(self, tool: str, moment: dt.datetime) -> float:
        """Share of calls of ``tool`` that fail at ``moment``."""
        begin, end = self.outage
        if tool in OUTAGE_TOOLS and begin <= moment < end:
            return OUTAGE_FAILURE_RATE
        return WEB_FAILURE_RATE if tool == "web_search" else FAILURE_RATE

    def slowdown(self, provider: str, moment: dt.datetime) -> float:
        """Factor on the duration of a model call at ``moment``."""
        begin, end = self.slowness
        return SLOW_FACTOR if provider == SLOW_PROVIDER and begin <= moment < end else 1.0
