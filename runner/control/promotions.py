"""Promotion: an agent's version becomes a template of the whole company, with its lineage; who follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import yaml
from ruamel.yaml.comments import CommentedMap

from runner.control import reviews
from runner.control.access import WHOLE_COMPANY
from runner.control.amend import amend, part
from runner.control.divergence import diverged_fields
from runner.control.registry import MadeFrom, Registry, Template, TemplateDefaults
from runner.errors import ReviewRefused

if TYPE_CHECKING:
    from runner.control.plane import Control

# What an agent hands on to those that are made from it.
_HANDED_ON = ("risk", "model", "instructions", "max_output_tokens", "max_turns", "fallback_models", "tools")


class Adopter(NamedTuple):
    """An agent made from a template: the template's version then and now, and where it differs."""

    agent_id: str
    team_id: str
    made_from_version: int
    current_version: int
    diverged: tuple[str, ...]

    @property
    def is_behind(self) -> bool:
        """True when the template has moved on since."""
        return self.made_from_version < self.current_version


def publish(control: Control, agent_id: str, review_period: str, person_id: str) -> Template:
    """Write the promoted agent's version into registry.yaml as a template of the agent's name, and apply it.

    A second promotion of the agent is the template's next version. It takes apply_registry.
    Raises ReviewRefused unless the period's decision on the agent is a promotion that is done; AccessRefused.
    """
    registry = control.registry()
    control.require(registry, person_id, "apply_registry", WHOLE_COMPANY)
    with control.store.read() as connection:
        decided = reviews.find(connection, agent_id, review_period)
    if decided is None or decided.review_decision != "promote" or decided.status != "done":
        raise ReviewRefused(
            agent_id,
            f"its promotion in {review_period} is not decided",
            f"`fleetbook review decide {agent_id} --decision promote` comes first, with a second person's "
            "confirmation where the agent is of high risk.",
        )
    agent = registry.agents[agent_id]
    version = control.agent_states()[agent_id].agent_version
    before = registry.templates.get(agent_id)
    template = Template(
        version=before.version + 1 if before else 1,
        name=agent.name,
        purpose=agent.purpose,
        defaults=TemplateDefaults(**{name: getattr(agent, name) for name in _HANDED_ON}),
        made_from=MadeFrom(agent=agent_id, version=version),
    )
    amend(
        control,
        lambda tree: _write(tree, agent_id, template),
        person_id=person_id,
        reason=f"promoted by review {review_period}: {decided.reason}",
    )
    return template


def adopters(registry: Registry, template_id: str) -> list[Adopter]:
    """Agents that were made from the template, by id."""
    template = registry.templates[template_id]
    return [
        Adopter(
            agent_id=agent_id,
            team_id=agent.team,
            made_from_version=agent.template.version,
            current_version=template.version,
            diverged=diverged_fields(registry, agent),
        )
        for agent_id, agent in sorted(registry.agents.items())
        if agent.template is not None and agent.template.id == template_id
    ]


def _write(tree: CommentedMap, template_id: str, template: Template) -> None:
    plain = template.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    # Through YAML, so that the file holds the library's plain types only.
    part(tree, "templates")[template_id] = yaml.safe_load(yaml.safe_dump(plain))
