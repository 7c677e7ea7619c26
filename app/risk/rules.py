"""The checks between months: their kinds with remedy, and their parameters, versioned in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.errors import RiskError
from app.own_files import read_model
from ingest.workspace import Workspace

FILE_NAME = "risk_rules.yaml"
_SHIPPED = "rules.yaml"
Count = Annotated[int, Field(ge=1)]
Factor = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of finding: what it asks, what to do about it, and what one object of it is."""

    title: str
    remedy: str
    looked_at: str


KINDS: Mapping[str, Kind] = {
    "secret_in_text": Kind(
        title="No key, token or password in what an agent wrote",
        remedy="Revoke the secret where it was issued, and find out how the agent came by it.",
        looked_at="texts of agents",
    ),
    "personal_data_in_text": Kind(
        title="No lists of personal data in what an agent wrote",
        remedy="Ask whether the task needed them; narrow the tool or the knowledge source.",
        looked_at="texts of agents",
    ),
    "injection_followed": Kind(
        title="No call that changes something after a tool result that gives orders",
        remedy="Stop the agent, undo what the call did, and put the tool behind an approval rule.",
        looked_at="tool results",
    ),
    "injection_seen": Kind(
        title="No tool result that gives orders",
        remedy="Find where the text comes from; see that consequential tools of the agent need approval.",
        looked_at="tool results",
    ),
    "repeated_call": Kind(
        title="No call repeated with the same arguments",
        remedy="Look at why the agent does not go on; lower its bound of calls.",
        looked_at="runs with tool calls",
    ),
    "runaway_tools": Kind(
        title="No run with many more tool calls than the agent usually makes",
        remedy="Look at the run; lower the agent's bound of calls.",
        looked_at="runs of agents with a history",
    ),
    "unusual_tool": Kind(
        title="No call of a tool that the agent does not usually use",
        remedy="Ask the owner whether it is meant; remove the tool from the agent if not.",
        looked_at="agents and tools",
    ),
    "cost_anomaly": Kind(
        title="No run and no day that costs far more than the agent usually does",
        remedy="Look at what was different; lower the cap of the agent's wallet.",
        looked_at="runs and days with a known cost and a history",
    ),
    "latency_anomaly": Kind(
        title="No run that takes far longer than the agent usually does",
        remedy="Look at its turns and calls for the slow one.",
        looked_at="runs with a known time and a history",
    ),
    "denied_attempts": Kind(
        title="Nobody tries again and again what is refused",
        remedy="Talk to the person: grant what is needed, or take the agent out of their reach.",
        looked_at="refusals",
    ),
    "unregistered_agent": Kind(
        title="Every agent that runs is registered",
        remedy="`fleetbook agents adopt` it, or stop who runs it.",
        looked_at="agents that ran",
    ),
    "configuration_drift": Kind(
        title="What ran is what was declared in force",
        remedy="Find out what started the run; see that versions are loaded by their hash only.",
        looked_at="runs of own agents",
    ),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class History(_Part):
    """What an agent is compared with: so many days before, at least so many runs, so many same weekdays."""

    days: Count
    min_runs: Count
    min_weekdays: Count


class Secrets(_Part):
    """Kinds of secrets that do not count."""

    kinds: tuple[str, ...]


class Injection(_Part):
    """Signs of injected orders: weights, the sum that counts, and how close together they stand."""

    threshold: Count
    within_chars: Count
    critical_effects: tuple[str, ...]
    high_effects: tuple[str, ...]
    weights: dict[str, Annotated[int, Field(ge=0)]]


class Repeated(_Part):
    """How often the same call counts."""

    times: Count


class Runaway(_Part):
    """Tool calls against the agent's median, and the least that counts."""

    times_usual: Factor
    at_least: Count


class Anomaly(_Part):
    """Robust scores, times the median, and the least that counts."""

    scores: Factor
    times_median: Factor
    cost_at_least_usd: float
    day_cost_at_least_usd: float
    latency_at_least_ms: float


class Rules(_Part):
    """All parameters, with the version that findings name."""

    version: Count
    look_back_days: Count
    overlap_days: Count
    history: History
    secrets: Secrets
    personal_data: dict[str, Count]
    injection: Injection
    repeated_call: Repeated
    runaway_tools: Runaway
    anomaly: Anomaly
    denied_attempts: Repeated


def rules_of(workspace: Workspace) -> Rules:
    """The parameters that count in ``workspace``. Raises RiskError when its own file is not valid."""
    file = workspace.root / FILE_NAME
    if file.exists():
        return parse(file.read_text(encoding="utf-8"), str(file))
    return shipped()


def shipped() -> Rules:
    """The parameters that come with the product."""
    return parse(files("app.risk").joinpath(_SHIPPED).read_text(encoding="utf-8"), _SHIPPED)


def parse(text: str, name: str) -> Rules:
    """The parameters in the YAML ``text``. Raises RiskError with the place and the reason."""
    return read_model(Rules, text, what="Risk rules", name=name, error=RiskError)
