"""Declarations around agents: knowledge, MCP servers, schedules, prices, notices, alerts, oversight."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from cronsim import CronSim, CronSimError
from pydantic import Field, StringConstraints, field_validator, model_validator

from runner.control.declared import Declared, Misfire, Money, Name, RiskClass, Sensitivity, TimeZone

CONDITIONS = ("above", "below", "change_above", "change_below", "forecast_above")
"""What an alert may ask of a metric."""


class KnowledgeSource(Declared):
    """A folder of documents (relative to the workspace), how sensitive it is, and who answers for it.

    Nobody reads it without a grant of read_knowledge that covers it.
    """

    name: str
    folder: Annotated[str, StringConstraints(min_length=1)]
    sensitivity: Sensitivity
    owner: Name | None = None
    description: str = ""


class McpServer(Declared):
    """A tool server: a ``command`` to start (stdio) or a ``url`` (streamable HTTP).

    ``environment`` names the variables that are handed over to the command, and no others.
    """

    command: tuple[str, ...] = ()
    url: str | None = None
    environment: tuple[str, ...] = ()
    # A command that imports much takes seconds on a busy machine.
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 30

    @model_validator(mode="after")
    def _one_way(self) -> McpServer:
        if bool(self.command) == bool(self.url):
            raise ValueError("give command (a list of words) or url, not both")
        return self


class Schedule(Declared):
    """When an agent runs by itself, as whom, and what becomes of a slot that nobody was there for.

    ``cron`` has five fields, read in ``time_zone`` (the company's when left out).
    """

    agent: Name
    cron: str
    time_zone: TimeZone | None = None
    task: Annotated[str, StringConstraints(min_length=1)]
    run_as: Name
    misfire: Misfire = "run_once"
    grace_minutes: Annotated[int, Field(ge=1, le=60 * 24)] = 5
    paused: bool = False

    @field_validator("cron")
    @classmethod
    def _cron(cls, text: str) -> str:
        try:
            CronSim(text, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        except CronSimError as error:
            raise ValueError(f"{text!r} is no cron expression of five fields ({error})") from error
        return text


class Notification(Declared):
    """Where notices go: an Apprise URL, in which ``${VARIABLE}`` is taken from the environment.

    Without a ``team`` it gets the notices of all teams; without ``kinds`` all kinds.
    """

    id: Name
    url: Annotated[str, StringConstraints(min_length=1)]
    kinds: tuple[Name, ...] = ()
    team: Name | None = None


class Alert(Declared):
    """When people are told that a metric is not what it should be.

    One condition: ``above`` or ``below`` a number in the metric's unit; ``change_above`` or ``change_below``
    a share of its own history (0.5 is half as much again); ``forecast_above`` a share of the month's budget,
    at the speed so far. The figure is of the last ``days`` days ``through`` yesterday or today, its history
    of ``history`` windows as long before them. ``least`` is the smallest n (the metric's own when left out).

    ``no_data`` says what happens without a figure: ``alert`` tells it, ``wait`` raises and ends nothing.
    A raised alert ends when the figure was within its bound for ``quiet_minutes``: until then it is the same.
    ``notify`` are ids of notifications; without any, those that want the kind ``alert``.
    """

    id: Name
    metric: Name
    no_data: Literal["alert", "wait"]
    team: Name | None = None
    agent: Name | None = None
    each: Literal["team", "agent"] | None = None
    above: Decimal | None = None
    below: Decimal | None = None
    change_above: Decimal | None = None
    change_below: Decimal | None = None
    forecast_above: Annotated[Decimal, Field(gt=0)] | None = None
    days: Annotated[int, Field(ge=1, le=92)] = 1
    through: Literal["yesterday", "today"] = "yesterday"
    history: Annotated[int, Field(ge=1, le=26)] = 4
    least: Annotated[int, Field(ge=1)] | None = None
    quiet_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 7)] = 60
    notify: tuple[Name, ...] = ()

    @property
    def condition(self) -> str:
        """Which of the conditions is given."""
        return next(name for name in CONDITIONS if getattr(self, name) is not None)

    @property
    def bound(self) -> Decimal:
        """The number of its condition."""
        found: Decimal = getattr(self, self.condition)
        return found

    @model_validator(mode="after")
    def _one_condition_one_scope(self) -> Alert:
        if sum(getattr(self, name) is not None for name in CONDITIONS) != 1:
            raise ValueError(f"give one of {', '.join(CONDITIONS)}")
        if sum(scope is not None for scope in (self.team, self.agent, self.each)) > 1:
            raise ValueError("give team, agent or each, not several")
        if self.forecast_above is not None and self.metric != "cost_usd":
            raise ValueError("forecast_above is of cost_usd only: budgets are caps of cost")
        return self


class CaseDays(Declared):
    """Days until a case has to be closed, by the severity of its check. Cases that are open keep theirs."""

    critical: Annotated[int, Field(ge=1, le=365)] = 3
    high: Annotated[int, Field(ge=1, le=365)] = 14
    medium: Annotated[int, Field(ge=1, le=365)] = 30


class AiAct(Declared):
    """What the company takes as given in its EU AI Act binder: its part, the date it plans with, owners.

    ``high_risk_from`` is the day from which the company holds the duties for high-risk systems to apply, with
    where it has it from: without it the binder names the dates that are told and takes none for granted.
    ``owners`` is who sees to a requirement (``26-7``), an article (``26``) or all others (``*``).
    """

    role: Literal["provider", "deployer", "both"] = "both"
    high_risk_from: dt.date | None = None
    high_risk_from_source: str = ""
    owners: dict[str, Name] = Field(default={})

    @model_validator(mode="after")
    def _sourced(self) -> AiAct:
        if self.high_risk_from is not None and not self.high_risk_from_source.strip():
            raise ValueError("high_risk_from needs high_risk_from_source: where the date is from")
        return self


class Attestation(Declared):
    """How often an agent is attested, in days by risk class; reminder before the day, grace after it.

    In the classes of ``refuses_runs`` new runs are refused once the grace is over.
    """

    high_days: Annotated[int, Field(ge=1, le=730)] = 30
    limited_days: Annotated[int, Field(ge=1, le=730)] = 90
    minimal_days: Annotated[int, Field(ge=1, le=730)] = 180
    remind_days: Annotated[int, Field(ge=0, le=90)] = 7
    grace_days: Annotated[int, Field(ge=0, le=180)] = 14
    refuses_runs: tuple[RiskClass, ...] = ("high",)


class Oversight(Declared):
    """Rules of the company over agents and decisions."""

    # Who started a run may not decide its approvals in these risk classes, whatever the rule says.
    requester_never_decides: tuple[RiskClass, ...] = ("high",)
    # A version goes into force only after a second person approved it in these risk classes.
    second_person_approves_versions: tuple[RiskClass, ...] = ("high",)
    # Reminders go out after this share of the waiting time; at the second they escalate.
    remind_at_percent: Annotated[int, Field(ge=1, le=99)] = 50
    escalate_at_percent: Annotated[int, Field(ge=1, le=99)] = 80
    # A month counts as signed after so many different people signed its evidence pack.
    signatures_needed: Annotated[int, Field(ge=1, le=2)] = 1
    case_days: CaseDays = CaseDays()
    ai_act: AiAct = AiAct()
    attestation: Attestation = Attestation()


class Price(Declared):
    """List price of a model in USD per million tokens; ``model`` is exact, or a prefix ending in ``*``."""

    model: str
    input_usd_per_mtok: Money
    output_usd_per_mtok: Money
    cache_read_usd_per_mtok: Money | None = None
    cache_write_usd_per_mtok: Money | None = None
    version: Name
