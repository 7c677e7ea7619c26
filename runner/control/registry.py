"""The declared inventory: what registry.yaml may say, as pydantic models.

Unknown keys are errors. Money is text or a number in USD and becomes :class:`decimal.Decimal`.
:mod:`runner.control.references` checks that names lead somewhere, :mod:`runner.control.registry_file` reads
the file and gives errors their line.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from runner.control.declared import (
    BY_GRANT_ONLY,
    Action,
    ContentCapture,
    Declared,
    Effect,
    Money,
    Name,
    RiskClass,
    Scope,
    Status,
    TimeZone,
    ToolEffect,
    Window,
)
from runner.control.registry_extras import (
    Alert,
    KnowledgeSource,
    McpServer,
    Notification,
    Oversight,
    Price,
    Schedule,
)

ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*:.+$")]


class Company(Declared):
    """The company, the time zone in which wallet windows and run dates are cut, and days without work."""

    name: str
    time_zone: TimeZone = "UTC"
    holidays: tuple[dt.date, ...] = ()


class Role(Declared):
    """What holders of the role may do at most, and how far it reaches (own runs, own team, all teams)."""

    scope: Scope
    may: tuple[Action, ...] = ()

    @field_validator("may")
    @classmethod
    def _no_grants(cls, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        wrong = [action for action in actions if action in BY_GRANT_ONLY]
        if wrong:
            raise ValueError(f"{wrong[0]} is given by a grant, under grants, and not by a role's may list")
        return actions


class Team(Declared):
    """A team, the person who manages it, the cost centre it is charged to.

    ``content_capture`` says whether texts of its agents' runs are kept, kept as a hash (hashed), or dropped.
    """

    name: str
    manager: Name | None
    cost_center: str = ""
    content_capture: ContentCapture = "on"


class Person(Declared):
    """A person with one team and one role, and how a sign-in names them.

    ``subject`` is the provider's id of the person (claim ``sub``), ``email`` an address that the provider
    has verified; with a subject the address does not count.
    """

    name: str
    team: Name
    role: Name
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = None
    subject: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None


class FormerPerson(Declared):
    """Somebody who left: may nothing, and is still named as author or assessor of what was theirs."""

    name: str
    left: dt.date


class Tool(Declared):
    """What agents may call, what it can do to the world, its time limit in seconds.

    ``function`` is a Python function as ``module:function``, ``mcp`` a tool of a declared server as
    ``server/tool``. A tool that ``needs_grant`` is used only where a grant
    of use_tool covers the person's role. ``schema_sha256`` is what ``fleetbook mcp pin`` writes: the
    description and argument schema of the server's tool that were reviewed, and no others.
    """

    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None = None
    mcp: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}/.+$")] | None = None
    effect: ToolEffect
    description: str = ""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30
    needs_grant: bool = False
    schema_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one_home(self) -> Tool:
        if (self.function is None) == (self.mcp is None):
            raise ValueError("give function (module:function) or mcp (server/tool)")
        if self.schema_sha256 is not None and self.mcp is None:
            raise ValueError("schema_sha256 is for tools of an mcp server")
        return self

    @property
    def target(self) -> str:
        """Where the tool is: ``module:function``, or ``mcp:server/tool``."""
        return self.function if self.function is not None else f"mcp:{self.mcp}"


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
    """When a call of the tool needs a person, whose decision counts, and for how long it is waited for.

    With ``approvers_needed`` 2 a call runs after two different people have approved it; one may reject it.
    """

    id: Name
    when: When | None = None
    approver_role: Name
    expires_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 90)] = 1440
    other_than_requester: bool = True
    approvers_needed: Literal[1, 2] = 1
    money_argument: str | None = None


class ToolUse(Declared):
    """A tool of an agent and its approval rule."""

    tool: Name
    approval: ApprovalRule | None = None


class TemplateDefaults(Declared):
    """What an agent made from the template begins with; only what is given is compared."""

    risk: Risk | None = None
    model: ModelName | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_turns: int | None = None
    fallback_models: tuple[ModelName, ...] | None = None
    tools: tuple[ToolUse, ...] | None = None
    knowledge: tuple[Name, ...] | None = None
    delegates: tuple[Name, ...] | None = None


class MadeFrom(Declared):
    """The agent and its version that a template was made from, by a promotion."""

    agent: Name
    version: Annotated[int, Field(ge=1)]


class Template(Declared):
    """A template that agents are made from; its ``defaults`` tell in which fields an agent differs."""

    version: Annotated[int, Field(ge=1)]
    name: str
    purpose: str = ""
    defaults: TemplateDefaults = TemplateDefaults()
    made_from: MadeFrom | None = None


class Agent(Declared):
    """One agent; all except status, owner, deputy and content capture is frozen into its version.

    ``owner: null`` says that nobody answers for it: it waits in the orphan queue and cannot start.

    ``delegates`` are agents it may call as tools; ``fallback_models`` are tried in order when ``model``
    fails; of its own and its team's ``content_capture`` the stricter counts, from the next text on.
    """

    name: str
    team: Name
    owner: Name | None
    deputy: Name | None = None
    author: Name | None = None
    purpose: Annotated[str, StringConstraints(min_length=1)]
    risk: Risk
    template: TemplateUse | None = None
    model: ModelName
    instructions: str
    max_output_tokens: Annotated[int, Field(ge=16, le=200_000)] = 1000
    max_turns: Annotated[int, Field(ge=1, le=500)] = 30
    fallback_models: tuple[ModelName, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    knowledge: tuple[Name, ...] = ()
    delegates: tuple[Name, ...] = ()
    status: Status = "draft"
    expected_use: str = ""
    content_capture: ContentCapture = "on"

    @property
    def provider(self) -> str:
        """Provider part of ``model``: ``sim`` or ``openai-chat``."""
        return self.model.partition(":")[0]


class Grant(Declared):
    """A role may (or may not) do an action on one agent, on one team's agents, or on all; deny wins.

    ``tool`` narrows use_tool and decide_approval to one tool, ``knowledge`` read_knowledge to one source.
    """

    id: Name
    role: Name
    action: Action
    team: Name | None = None
    agent: Name | None = None
    tool: Name | None = None
    knowledge: Name | None = None
    effect: Effect = "allow"
    reason: str = ""

    @model_validator(mode="after")
    def _one_target(self) -> Grant:
        if self.team and self.agent:
            raise ValueError("give team or agent, not both")
        if self.tool and self.action not in ("use_tool", "decide_approval"):
            raise ValueError("tool narrows use_tool and decide_approval only")
        if self.knowledge and self.action != "read_knowledge":
            raise ValueError("knowledge narrows read_knowledge only")
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


class Alias(Declared):
    """What outside runs say of themselves, and the team and agent they belong to; absent words fit any.

    ``source_agent`` is the agent's own name, ``source_domain`` its service, ``token`` the id of its sender's.
    """

    source_agent: str | None = None
    source_domain: str | None = None
    token: str | None = None
    model: str | None = None
    file: str | None = None
    team: Name
    agent: Name

    @model_validator(mode="after")
    def _fits_not_everything(self) -> Alias:
        if not (self.source_agent or self.source_domain or self.token):
            raise ValueError("an alias names source_agent, source_domain or token")
        return self


class Registry(Declared):
    """The whole of registry.yaml."""

    company: Company
    roles: dict[Name, Role]
    teams: dict[Name, Team]
    people: dict[Name, Person]
    former_people: dict[Name, FormerPerson] = Field(default={})
    tools: dict[Name, Tool] = Field(default={})
    templates: dict[Name, Template] = Field(default={})
    agents: dict[Name, Agent] = Field(default={})
    grants: tuple[Grant, ...] = ()
    budgets: tuple[Budget, ...] = ()
    prices: tuple[Price, ...] = ()
    aliases: tuple[Alias, ...] = ()
    knowledge: dict[Name, KnowledgeSource] = Field(default={})
    mcp_servers: dict[Name, McpServer] = Field(default={})
    schedules: dict[Name, Schedule] = Field(default={})
    notifications: tuple[Notification, ...] = ()
    alerts: tuple[Alert, ...] = ()
    oversight: Oversight = Oversight()
