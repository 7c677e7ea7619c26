"""Templates and look-alikes for a page: who follows a template and how far, and which agents do the same."""

from __future__ import annotations

from dataclasses import dataclass

from app.desk import Desk
from app.live.reach import sees_agent
from app.review.declared import described
from app.review.duplicates import Alike, alike
from app.review.rules import rules_of
from runner.control.promotions import Adopter, adopters


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A template: the agent it was promoted from (None: written by hand), and the adopters in reach."""

    template_id: str
    name: str
    version: int
    made_from: str | None
    adopters: tuple[Adopter, ...]


def templates(desk: Desk, person_id: str) -> list[Followed]:
    """Every declared template with the adopters that the person may see, those with most adopters first."""
    registry = desk.control.registry()
    found = [
        Followed(
            template_id=template_id,
            name=one.name,
            version=one.version,
            made_from=f"{one.made_from.agent} v{one.made_from.version}" if one.made_from else None,
            adopters=tuple(
                adopter
                for adopter in adopters(registry, template_id)
                if sees_agent(registry, person_id, adopter.agent_id)
            ),
        )
        for template_id, one in registry.templates.items()
    ]
    return sorted(found, key=lambda one: (-len(one.adopters), one.template_id))


def look_alikes(desk: Desk, person_id: str) -> list[Alike]:
    """Pairs of agents within the person's reach that the rules call alike. Raises ReviewError."""
    registry = desk.control.registry()
    rules, _ = rules_of(desk.control.workspace)
    seen = described(desk.control, lambda agent_id: sees_agent(registry, person_id, agent_id))
    return alike(seen, rules.duplicates.alike_at_least)
