"""The requirements of the binder: one YAML file, validated; what each asks and which evidence answers it."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.errors import BinderError
from app.own_files import read_model
from ingest.events import TYPE_BY_NAME

FILE_NAME = "requirements.yaml"
ARTICLES = ("9", "12", "13", "14", "15", "17", "19", "26", "72", "73")
Who = Literal["provider", "deployer", "both"]
Sentence = Annotated[str, StringConstraints(min_length=10, max_length=400)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Told(_Part):
    """A day from which duties apply, as somebody tells it: no claim of ours."""

    first_date: dt.date = Field(alias="from")
    what: Sentence


class Cross(_Part):
    """Where other frameworks ask for the like: ISO/IEC 42001, NIST AI RMF 1.0, SOC 2 criteria."""

    iso42001: tuple[str, ...]
    nist: tuple[str, ...]
    soc2: tuple[str, ...]


class Requirement(_Part):
    """One requirement: whom it binds, what it asks, what answers it, and what that does not show."""

    id: Annotated[str, StringConstraints(pattern=r"^\d{1,2}-\d{1,2}$")]
    article: str
    who: Who
    title: Sentence
    asks: Sentence
    limit: Sentence
    checks: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    attest: bool = False
    cross: Cross

    @property
    def article_number(self) -> str:
        """The article without its paragraphs."""
        return self.id.partition("-")[0]

    @model_validator(mode="after")
    def _answerable(self) -> Requirement:
        if not (self.checks or self.events or self.attest):
            raise ValueError("nothing answers it: name checks or events, or let a person attest it")
        if not self.article.startswith(self.article_number):
            raise ValueError(f"its id is of another article than {self.article}")
        unknown = [name for name in self.events if name not in TYPE_BY_NAME]
        if unknown:
            raise ValueError(f"there is no event type {unknown[0]!r}")
        return self


class Requirements(_Part):
    """All requirements with their version, the Regulation they are of, and the dates that are told."""

    version: Annotated[int, Field(ge=1)]
    regulation: str
    dates: tuple[Told, ...]
    requirements: tuple[Requirement, ...]

    @model_validator(mode="after")
    def _whole(self) -> Requirements:
        ids = [one.id for one in self.requirements]
        twice = [name for name in ids if ids.count(name) > 1]
        if twice:
            raise ValueError(f"requirement {twice[0]} stands twice")
        missing = [name for name in ARTICLES if name not in {one.article_number for one in self.requirements}]
        if missing:
            raise ValueError(f"Article {missing[0]} has no requirement")
        return self


def shipped() -> Requirements:
    """The requirements as they come with the product. Raises BinderError."""
    text = files("app.binder").joinpath(FILE_NAME).read_text(encoding="utf-8")
    return parse(text, known_checks())


def known_checks() -> frozenset[str]:
    """Ids of the checks of the catalogue."""
    from app.checks.catalogue import check_ids

    return frozenset(check_ids())


def parse(text: str, checks: frozenset[str]) -> Requirements:
    """The requirements in the YAML ``text``. Raises BinderError with the place and the reason."""
    found = read_model(Requirements, text, what="Requirements", name=FILE_NAME, error=BinderError)
    for one in found.requirements:
        unknown = [name for name in one.checks if name not in checks]
        if unknown:
            raise BinderError(
                f"Requirements not valid: {FILE_NAME}, {one.id}: there is no check {unknown[0]!r}. "
                "docs/checks.md lists them."
            )
    return found
