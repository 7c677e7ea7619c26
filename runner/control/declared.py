"""Words and base types of registry.yaml that every declaration uses."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from ingest.capture import Capture, capture_word

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
    "use_tool",
    "read_knowledge",
    "approve_version",
    "stop_run",
    "change_agents",
    "change_people",
    "change_schedules",
]
# Given by grants alone; a role's may list does not name them.
BY_GRANT_ONLY: tuple[Action, ...] = ("use_tool", "read_knowledge")
Effect: TypeAlias = Literal["allow", "deny"]
ToolEffect: TypeAlias = Literal["read", "write", "consequential"]
RiskClass: TypeAlias = Literal["minimal", "limited", "high"]
Status: TypeAlias = Literal["draft", "review", "live", "watch", "suspended", "retired"]
Window: TypeAlias = Literal["day", "month", "total"]
Sensitivity: TypeAlias = Literal["public", "internal", "confidential", "personal"]
Misfire: TypeAlias = Literal["skip", "run_once", "run_all"]

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Money = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=9)]

# A bare `off` in YAML is false: both are taken for the word.
ContentCapture = Annotated[Capture, BeforeValidator(capture_word)]


def time_zone_name(name: str) -> str:
    """``name`` when it is an IANA time zone. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone, for example Europe/Berlin") from error
    return name


TimeZone = Annotated[str, AfterValidator(time_zone_name)]


class Declared(BaseModel):
    """Base of every declaration: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def nearest(name: str, names: Mapping[str, object] | list[str]) -> str | None:
    """The most similar of ``names``, or None when none is similar."""
    found = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return found[0] if found else None
