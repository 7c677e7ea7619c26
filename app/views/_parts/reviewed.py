"""The review's cards for pages: made once per build, scope and rules, and the decisions beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from app.live import reviewing
from app.review.cards import Card, make_cards
from app.review.quarters import Quarter
from app.review.rules import Rules
from app.views._parts.page import Page
from app.warehouse import Scope, Warehouse


def last_quarter(page: Page) -> Quarter:
    """The last quarter that was over when the data ends."""
    return Quarter.of(page.newest_date()).back(1)


def cards(page: Page, quarter: Quarter, changes: dict[str, str] | None = None) -> list[Card]:
    """A card per agent within the scope, by the workspace's rules with ``changes``. Raises ReviewError."""
    rules = reviewing.rules(page.desk, changes).rules
    cases = reviewing.cases(page.desk, page.scoped(), quarter, is_demo=page.is_demo)
    made: list[Card] = _cards(
        str(page.built().path), page.scope, page.is_demo, str(quarter), rules.model_dump_json(), cases
    )
    return made


@st.cache_data(show_spinner=False, max_entries=60)
def _cards(
    generation: str,
    scope: Scope,
    is_demo: bool,
    quarter: str,
    rules: str,
    cases: Mapping[str, int] | None,
) -> list[Card]:
    scoped = Warehouse.at(Path(generation)).for_person(scope)
    wanted = Rules.model_validate_json(rules)
    return make_cards(scoped, Quarter.parse(quarter), wanted, is_demo=is_demo, open_cases=cases)


def decided(page: Page, quarter: Quarter) -> list[reviewing.Decided]:
    """Decisions of the quarter within the person's reach; none while the live rows are of the other kind."""
    return reviewing.decisions(page.desk, page.person.person_id, quarter) if page.shows_live else []
