"""One thing that waits for a person, as a card of Home."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.labels import md_escape

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Need:
    """One thing that waits: a headline and a detail as Markdown, and the page where it is dealt with."""

    icon: str
    headline: str
    detail: str
    view: str
    label: str
    parameters: dict[str, str] = field(default_factory=dict)


def named(names: list[str]) -> str:
    """The first names, and how many more there are."""
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(md_escape(name) for name in names[:_SHOWN]) + rest
