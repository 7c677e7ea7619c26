"""The declared inventory: what registry.yaml may say, as pydantic models, and which names must exist.

Unknown keys are errors. Money is text or a number in USD and becomes :class:`decimal.Decimal`.
:mod:`runner.control.registry_file` reads the file and gives errors their line.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Scope: TypeAlias = Literal["own", "team", "all"]
Action: TypeAlias = Literal[
    "run_agent",
    "decide_approval",
    "view_metrics",
    "read_payload",
    "export_data",
    "apply_registry",
    "change_budget",
    "build_warehouse",
    "sign_report",
]
Effect: TypeAlias = Literal["allow", "deny"]
ToolEffect: TypeAlias = Literal["read", "write", "consequential"]
RiskClass: TypeAlias = Literal["minimal", "limited", "high"]
Status: TypeAlias = Literal["draft", "review", "live", "watch", "suspended", "retired"]
Window: TypeAlias = Literal["day", "month", "total"]

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Money = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=9)]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone, for example Europe/Berlin") from error
    return name


class Declared(BaseModel):
    """Base of every declaration: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Company(Declared):
    """The company and the time zone in which wallet windows and run dates are cut."""

    name: str
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"


class Role(Declared):
    """What holders of the role may do at most, and how far it reaches (own runs, own team, all teams)."""

    scope: Scope
    may: tuple[Action, ...] = ()


class Team(Declared):
    """A team, the person who manages it and the cost centre it is charged to."""

    name: str
    manager: Name
    cost_center: str = ""


class Person(Declared):
    """A person with one team and one role."""

    name: str
    team: Name
    role: Name


class Tool(Declared):
    """A Python function as ``module:function``, what it can do to the world, its time limit in seconds."""

    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    effect: ToolEffect
    description: str = ""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30


class Template(Declared):
    """A template that agents are made from."""

    version: Annotated[int, Field(ge=1)]
    name: str
    purpose: str = ""


class Risk(Declared):
    """Risk class with reason codes, who assessed it, and when it must be assessed again."""

    risk_class: RiskClass = Field(alias="class")
    reasons: tuple[Name, ...] = ()
    assessor: Name | None = None
    review_by: dt.date | None = None


class TemplateUse(Declared):
    """Template and version an agent was made from, and the fields in which it differs on purpose."""

    id: Name
    version: Annotated[int, Field(ge=1)]
    diverged: tuple[str, ...] = ()


class When(Declared):
    """Condition on one argument. Exactly one test; a value that cannot be tested asks for approval."""

    argument: str
    over: Decimal | None = None
    at_least: Decimal | None = None
    one_of: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one_test(self) -> When:
        if sum(test is not None for test in (self.over, self.at_least, self.one_of)) != 1:
            raise ValueError("give exactly one of over, at_least, one_of")
        return self


class ApprovalRule(Declared):
    """When a call of the tool needs a person, whose decision counts, and for how long it is waited for."""

    id: Name
    when: When | None = None
    approver_role: Name
    expires_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 90)] = 1440
    other_than_requester: bool = True
    money_argument: str | None = None


class ToolUse(Declared):
    """A tool of an agent and its approval rule."""

    tool: Name
    approval: ApprovalRule | None = None


class Agent(Declared):
    """One agent; everything except status, owner and deputy is frozen into its version."""

    name: str
    team: Name
    owner: Name
    deputy: Name | None = None
    author: Name | None = None
    purpose: Annotated[str, StringConstraints(min_length=1)]
    risk: Risk
    template: TemplateUse | None = None
    model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*:.+$")]
    instructions: str
    max_output_tokens: Annotated[int, Field(ge=16, le=200_000)] = 1000
    max_turns: Annotated[int, Field(ge=1, le=500)] = 30
    tools: tuple[ToolUse, ...] = ()
    status: Status = "draft"
    expected_use: str = ""

    @property
    def provider(self) -> str:
        """Provider part of ``model``: ``sim`` or ``openai-chat``."""
        return self.model.partition(":")[0]


class Grant(Declared):
    """A role may (or may not) do an action on one agent, on one team's agents, or on all; deny wins."""

    id: Name
    role: Name
    action: Action
    team: Name | None = None
    agent: Name | None = None
    effect: Effect = "allow"
    reason: str = ""

    @model_validator(mode="after")
    def _one_target(self) -> Grant:
        if self.team and self.agent:
            raise ValueError("give team or agent, not both")
        return self


class Budget(Declared):
    """Cap of a wallet per window: ``team:<team>``, ``agent:<agent>``, or ``run:<agent>`` for each run."""

    wallet: Annotated[str, StringConstraints(pattern=r"^(team|agent|run):[a-z0-9][a-z0-9_-]{0,62}$")]
    window: Window
    cap_usd: Money | None = None
    unlimited: bool = False
    reason: str = ""

    @model_validator(mode="after")
    def _number_or_word(self) -> Budget:
        if self.unlimited == (self.cap_usd is not None):
            raise ValueError(
                "give cap_usd as a number, or unlimited: true with a reason; empty means neither"
            )
        if self.unlimited and not self.reason.strip():
            raise ValueError("unlimited needs a reason")
        if self.wallet.startswith("run:") and self.window != "total":
            raise ValueError("a run wallet has window total")
        return self

    @property
    def wallet_id(self) -> str:
        """Id of the wallet in store and log, for example ``team:support:month``."""
        return f"{self.wallet}:{self.window}"


class Price(Declared):
    """List price of a model in USD per million tokens; ``model`` is exact, or a prefix ending in ``*``."""

    model: str
    input_usd_per_mtok: Money
    output_usd_per_mtok: Money
    cache_read_usd_per_mtok: Money | None = None
    cache_write_usd_per_mtok: Money | None = None
    version: Name


class Alias(Declared):
    """A name by which outside agents call themselves, and the team and agent it stands for."""

    source_agent: str
    source_domain: str | None = None
    model: str | None = None
    file: str | None = None
    team: Name
    agent: Name


class Registry(Declared):
    """The whole of registry.yaml."""

    company: Company
    roles: dict[Name, Role]
    teams: dict[Name, Team]
    people: dict[Name, Person]
    tools: dict[Name, Tool] = {}
    templates: dict[Name, Template] = {}
    agents: dict[Name, Agent] = {}
    grants: tuple[Grant, ...] = ()
    budgets: tuple[Budget, ...] = ()
    prices: tuple[Price, ...] = ()
    aliases: tuple[Alias, ...] = ()


Path: TypeAlias = tuple[str | int, ...]


class Broken(NamedTuple):
    """A reference that leads nowhere: where it stands and what is wrong."""

    path: Path
    text: str


def nearest(name: str, names: Mapping[str, object] | list[str]) -> str | None:
    """The most similar of ``names``, or None when none is similar."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def _missing(path: Path, kind: str, name: str | None, known: Mapping[str, object]) -> Iterator[Broken]:
    if name is None or name in known:
        return
    close = nearest(name, known)
    hint = f"; nearest: {close!r}" if close else f"; declare it under {kind}"
    yield Broken(path, f"{name!r} is not among {kind}{hint}")


def _twice(path: Path, noun: str, names: list[str]) -> Iterator[Broken]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Broken((*path, index), f"{noun} {name!r} is declared twice")


def _agent_references(registry: Registry, agent_id: str, agent: Agent) -> Iterator[Broken]:
    here: Path = ("agents", agent_id)
    yield from _missing((*here, "team"), "teams", agent.team, registry.teams)
    for key in ("owner", "deputy", "author"):
        yield from _missing((*here, key), "people", getattr(agent, key), registry.people)
    yield from _missing((*here, "risk", "assessor"), "people", agent.risk.assessor, registry.people)
    if agent.template:
        yield from _missing((*here, "template", "id"), "templates", agent.template.id, registry.templates)
    for index, use in enumerate(agent.tools):
        yield from _missing((*here, "tools", index, "tool"), "tools", use.tool, registry.tools)
        if use.approval:
            place: Path = (*here, "tools", index, "approval", "approver_role")
            yield from _missing(place, "roles", use.approval.approver_role, registry.roles)
            yield from _approver_may(registry, place, use.approval.approver_role)
    yield from _twice((*here, "tools"), "tool", [use.tool for use in agent.tools])


def _approver_may(registry: Registry, place: Path, role_id: str) -> Iterator[Broken]:
    role = registry.roles.get(role_id)
    if role and "decide_approval" not in role.may:
        yield Broken(
            place, f"role {role_id!r} may not decide_approval, so nobody could decide; add it to its may list"
        )


def broken_references(registry: Registry) -> list[Broken]:
    """Every name in ``registry`` that leads nowhere, and every id that is declared twice."""
    found: list[Broken] = []
    for team_id, team in registry.teams.items():
        found += _missing(("teams", team_id, "manager"), "people", team.manager, registry.people)
    for person_id, person in registry.people.items():
        found += _missing(("people", person_id, "team"), "teams", person.team, registry.teams)
        found += _missing(("people", person_id, "role"), "roles", person.role, registry.roles)
    for agent_id, agent in registry.agents.items():
        found += _agent_references(registry, agent_id, agent)
    for index, grant in enumerate(registry.grants):
        found += _missing(("grants", index, "role"), "roles", grant.role, registry.roles)
        found += _missing(("grants", index, "team"), "teams", grant.team, registry.teams)
        found += _missing(("grants", index, "agent"), "agents", grant.agent, registry.agents)
    for index, budget in enumerate(registry.budgets):
        kind, _, owner = budget.wallet.partition(":")
        known: Mapping[str, object] = registry.teams if kind == "team" else registry.agents
        found += _missing(("budgets", index, "wallet"), "teams" if kind == "team" else "agents", owner, known)
    for index, alias in enumerate(registry.aliases):
        found += _missing(("aliases", index, "team"), "teams", alias.team, registry.teams)
    found += _twice(("grants",), "grant", [grant.id for grant in registry.grants])
    found += _twice(("budgets",), "wallet", [budget.wallet_id for budget in registry.budgets])
    return found
