"""The agent's card: what it is for, who answers for it, what it is made of, and who may run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.labels import md_escape, plural, words
from app.live import needs, rights
from app.views._parts.page import Page

Row = Mapping[str, object]
_NAMED = 6


def show_card(page: Page, agent: Row) -> None:
    """Facts of the build, and beside them what the registry says today where live rows are shown."""
    agent_id = str(agent["agent_id"])
    with st.container(border=True):
        if agent["purpose"]:
            st.markdown(md_escape(agent["purpose"]))
        people, made, rule = st.columns(3)
        _facts(people, {"Owner": page.name_of(agent["owner_id"]), "Deputy": page.name_of(agent["deputy_id"])})
        version = (
            f"{agent['agent_version']} ({str(agent['version_hash'])[:12]})"
            if agent["agent_version"]
            else "none"
        )
        _facts(made, {"Version": version, "Model": agent["model_name"] or "not stated"})
        template = (
            f"{agent['template_id']} v{agent['template_version']}" if agent["template_id"] else "custom"
        )
        _facts(rule, {"Template": template, "Expected use": agent["expected_use"] or "all year"})
        card = needs.card(page.desk, page.person.person_id, agent_id) if page.shows_live else None
        if card is not None:
            _declared(page, agent_id, card, (people, made, rule))


def _declared(
    page: Page, agent_id: str, card: needs.Card, columns: Sequence[st.delta_generator.DeltaGenerator]
) -> None:
    """What the registry says today: risk, parts, schedule, and whose grant covers a run."""
    people, made, rule = columns
    due = f"{card.review_by:%-d %b %Y}" if card.review_by else "no day set"
    if card.review_by and card.review_by < page.now.astimezone(page.zone).date():
        due += " (over)"
    _facts(
        people,
        {
            "Risk because": _named([words(one) for one in card.risk_reasons], "no reason given"),
            "Assessed by": page.name_of(card.assessor),
            "Assess again by": due,
        },
    )
    names = page.agent_names()
    _facts(
        made,
        {
            "Fallback models": _named(card.fallback_models, "none"),
            "Knowledge": _named(card.knowledge, "none"),
            "Delegates": _named([names.get(one, one) for one in card.delegates], "none"),
        },
    )
    _facts(
        rule,
        {
            "Differs from template": _named(card.diverged, "nowhere"),
            "Schedule": _named(card.schedules, "none"),
            "May run it": _runners(page, agent_id),
        },
    )


def _runners(page: Page, agent_id: str) -> str:
    able = [page.name_of(one) for one in rights.runners(page.desk, page.person.person_id, agent_id)]
    if not able:
        return "nobody you may ask about"
    return f"{_named(sorted(able), '')} ({plural(len(able), 'person', 'people')} of those you may ask about)"


def _named(names: Sequence[str], nothing: str) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest if names else nothing


def _facts(column: st.delta_generator.DeltaGenerator, facts: Mapping[str, object]) -> None:
    column.markdown("  \n".join(f":gray[{label}]  {md_escape(fact)}" for label, fact in facts.items()))
