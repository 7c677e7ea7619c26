"""The fleet as a portfolio: value against cost, how teams spread, who follows templates, who is alike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import polars as pl
import streamlit as st

from app.labels import md_escape, money, share
from app.live import library
from app.review.cards import Card
from app.review.portfolio import Holding, holdings, spread
from app.views._parts.page import Page, empty
from app.views._parts.tables import Column, show


def show_fleet(page: Page, cards: Sequence[Card]) -> None:
    """Portfolio, spread, templates and look-alikes."""
    st.subheader("Value against cost", anchor=False)
    found = holdings(cards)
    _portfolio(page, found)
    st.subheader("How teams spread", anchor=False)
    _spread(page, cards)
    st.subheader("Templates and who follows them", anchor=False)
    _templates(page, {one.agent_id: one for one in found})
    st.subheader("Agents that do the same", anchor=False)
    _alike(page)


def _portfolio(page: Page, found: Sequence[Holding]) -> None:
    rows = pl.DataFrame(
        {
            "agent": [one.agent_name for one in found],
            "team": [page.team(one.team_id) for one in found],
            "value": [_float(one.value_usd) for one in found],
            "cost": [_float(one.cost_usd) for one in found],
            "net": [_float(one.net_usd) for one in found],
            "bounds": [_bounds(one) for one in found],
            "unknown": [one.unknown_cost_runs for one in found],
            "people": [one.users for one in found],
            "before": [one.users_before for one in found],
        },
        schema_overrides=dict.fromkeys(("value", "cost", "net"), pl.Float64),
    )
    columns = [
        Column(name="agent", heading="Agent", width=180, pinned=True),
        Column(name="team", heading="Team", width=100),
        Column(name="value", heading="Declared value", kind="money", width=140),
        Column(name="cost", heading="Known cost", kind="money", width=100),
        Column(name="net", heading="Net", kind="money", width=140),
        Column(name="bounds", heading="Net, 95 %", width=240),
        Column(
            name="unknown",
            heading="Cost not exact",
            kind="count",
            width=110,
            meaning="Runs whose cost is a floor or unknown: with them cost is a floor, net a ceiling.",
        ),
        Column(name="people", heading="People", kind="count", width=70),
        Column(name="before", heading="Quarter before", kind="count", width=110),
    ]
    show(rows, columns, key="portfolio", zone=page.zone, missing="unknown", alt="Portfolio", height=320)
    st.caption(
        "Value is successes × declared minutes × the declared hour, and its bounds are those of the success "
        "rate. Where nobody declared minutes it is unknown, not zero."
    )


def _spread(page: Page, cards: Sequence[Card]) -> None:
    found = spread(cards)
    rows = pl.DataFrame(
        {
            "team": [page.team(one.team_id) for one in found],
            "agents": [one.agents for one in found],
            "used": [one.used for one in found],
            "templates": [one.from_templates for one in found],
            "unregistered": [one.unregistered for one in found],
            "runs": [one.runs for one in found],
        }
    )
    columns = [
        Column(name="team", heading="Team", width=140),
        Column(name="agents", heading="Agents", kind="count", width=80),
        Column(name="used", heading="Used", kind="count", width=80),
        Column(name="templates", heading="From templates", kind="count", width=120),
        Column(name="unregistered", heading="Not registered", kind="count", width=120),
        Column(name="runs", heading="Runs", kind="count", width=90),
    ]
    show(rows, columns, key="spread", zone=page.zone, alt="Spread", height="auto")


def _templates(page: Page, held: dict[str, Holding]) -> None:
    found = library.templates(page.desk, page.person.person_id) if page.shows_live else []
    shown = [(one, adopter) for one in found for adopter in one.adopters]
    if not shown:
        empty("No agent within your reach was made from a template. `fleetbook review publish` makes one.")
        return
    rows = pl.DataFrame(
        {
            "template": [f"{one.name} v{one.version}" for one, _ in shown],
            "origin": [one.made_from or "written by hand" for one, _ in shown],
            "agent": [adopter.agent_id for _, adopter in shown],
            "team": [page.team(adopter.team_id) for _, adopter in shown],
            "state": [
                f"behind, made from v{adopter.made_from_version}" if adopter.is_behind else "up to date"
                for _, adopter in shown
            ],
            "differs": [", ".join(adopter.diverged) for _, adopter in shown],
            "net": [_float(held[a.agent_id].net_usd) if a.agent_id in held else None for _, a in shown],
        },
        schema_overrides={"net": pl.Float64},
    )
    columns = [
        Column(name="template", heading="Template", width=180),
        Column(name="origin", heading="Promoted from", width=150),
        Column(name="agent", heading="Agent", width=160),
        Column(name="team", heading="Team", width=100),
        Column(name="state", heading="State", width=160),
        Column(name="differs", heading="Differs in", width=170),
        Column(name="net", heading="Net value", kind="money", width=140),
    ]
    show(rows, columns, key="adopters", zone=page.zone, missing="unknown", alt="Adopters", height="auto")


def _alike(page: Page) -> None:
    found = library.look_alikes(page.desk, page.person.person_id) if page.shows_live else []
    if not found:
        empty("No two agents within your reach are alike in purpose, instructions and tools.")
        return
    for one in found:
        shared = ", ".join([*one.shared_words, *one.shared_tools]) or "nothing by name"
        st.markdown(
            f"**{md_escape(one.first.agent_name)}** and **{md_escape(one.second.agent_name)}**: "
            f"{share(one.score, 0)} alike. Merge them, or say in their purposes what sets them apart."
        )
        st.caption(md_escape(f"{one.explained}. They share: {shared}"))


def _bounds(one: Holding) -> str:
    if one.net_low_usd is None or one.net_high_usd is None:
        return "unknown"
    return f"{money(one.net_low_usd)} to {money(one.net_high_usd)}"


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
