"""The rules of the review: one editable file, each number with its meaning."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from app.errors import ReviewError
from app.own_files import read_model
from ingest.workspace import Workspace

FILE_NAME = "review_rules.yaml"
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Retire(_Rule):
    """No expected use and no run for ``idle_quarters``; or success under a floor for ``weak_quarters``."""

    idle_quarters: Annotated[int, Field(ge=1, le=8)]
    success_under: Share
    weak_quarters: Annotated[int, Field(ge=1, le=8)]


class Refresh(_Rule):
    """Worse than the previous version by so many percentage points, or by this share of its cost per run."""

    worse_by_points: Annotated[float, Field(gt=0, le=100)]
    cost_up_by: Annotated[float, Field(gt=0)]


class Promote(_Rule):
    """Lower bound of success, teams that use it, refusals by wallets that are still tolerated."""

    success_at_least: Share
    user_teams: Annotated[int, Field(ge=1)]
    wallet_refusals: Count


class Value(_Rule):
    """USD of an hour, and declared minutes that one successful run saves, by agent or template id."""

    hour_usd: Decimal
    minutes_saved_per_success: dict[str, Annotated[float, Field(ge=0)]] = Field(default={})


class Duplicates(_Rule):
    """From which score on two agents are proposed for merging."""

    alike_at_least: Share = 0.4


class Rules(_Rule):
    """All rules of the review."""

    minimum_runs: Annotated[int, Field(ge=1)]
    retire: Retire
    refresh: Refresh
    promote: Promote
    value: Value
    duplicates: Duplicates = Duplicates()


def shipped_text() -> str:
    """The rules that come with the product, as they are written."""
    return files("app.review").joinpath(FILE_NAME).read_text(encoding="utf-8")


def text_of(workspace: Workspace) -> tuple[str, Path | None]:
    """The rules that count in ``workspace`` as written, and their file; None for the shipped ones."""
    file = workspace.root / FILE_NAME
    return (file.read_text(encoding="utf-8"), file) if file.exists() else (shipped_text(), None)


def rules_of(workspace: Workspace, changes: dict[str, str] | None = None) -> tuple[Rules, Path | None]:
    """The rules that count in ``workspace``, some of them changed (see :func:`parse`), and their file.

    Raises ReviewError when they are no valid set of rules.
    """
    text, file = text_of(workspace)
    return parse(text, str(file or FILE_NAME), changes), file


def parse(text: str, name: str, changes: dict[str, str] | None = None) -> Rules:
    """The rules in the YAML ``text``, some of them changed: ``{"promote.user_teams": "3"}``.

    Raises ReviewError with the place and the reason.
    """

    return _parsed(text, name, tuple((changes or {}).items()))


@lru_cache(maxsize=32)  # a page asks three times in a rerun, and reading YAML takes 7 ms
def _parsed(text: str, name: str, changes: tuple[tuple[str, str], ...]) -> Rules:
    def change(tree: dict[str, object]) -> None:
        for path, value in changes:
            _set(tree, path, yaml.safe_load(value))

    return read_model(Rules, text, what="Review rules", name=name, error=ReviewError, change=change)


def _set(tree: dict[str, object], path: str, value: object) -> None:
    here: object = tree
    *parents, last = path.split(".")
    for part in parents:
        here = here.get(part) if isinstance(here, dict) else None
    if not isinstance(here, dict) or last not in here:
        raise ReviewError(
            f"No such rule: {path!r}. Write it as in {FILE_NAME}, for example promote.user_teams=3."
        )
    here[last] = value
