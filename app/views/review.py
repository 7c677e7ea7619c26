"""Review: keep, refresh, promote, retire? Proposals of a quarter with their numbers, and the decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
import streamlit as st

from app import scatter
from app.labels import interval, md_escape, plural, words
from app.live import reviewing
from app.review.cards import Card
from app.review.propose import KINDS
from app.review.quarters import Quarter
from app.views._parts import (
    behind,
    controls,
    review_batch,
    review_between,
    review_card,
    review_fleet,
    review_refreshes,
    reviewed,
    what_if,
)
from app.views._parts.page import Page, current, empty, heading, nothing
from app.views._parts.tables import Column, show

QUARTERS_OFFERED = 6
TABLE_PIXELS = 420
PARTS = {
    "proposals": "Proposals and decisions",
    "refreshes": "Refreshes on trial",
    "between": "Between reviews",
    "fleet": "Portfolio and look-alikes",
}
KIND_WORDS: dict[str, str] = {kind: words(kind).capitalize() for kind in KINDS}


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Review", "Keep, refresh, promote or retire?")
    page.built()
    review_card.said()
    part = controls.one_of("Part", "part", list(PARTS), "proposals", PARTS.__getitem__)
    if part == "refreshes":
        review_refreshes.show_refreshes(page)
        return
    if part == "between":
        review_between.show_between(page)
        return
    left, right = st.columns(2)
    with left:
        quarter = _quarter(page)
    cards = reviewed.cards(page, quarter)
    if not cards:
        nothing(f"No agent was at work in {quarter} within your scope. Choose another quarter.")
    if part == "fleet":
        review_fleet.show_fleet(page, cards)
        return
    decided = {one.agent_id: one for one in reviewed.decided(page, quarter)}
    with right:
        kind = controls.select("Proposal", "proposal", KIND_WORDS, anything="Every proposal")
    st.markdown(_counts(cards, decided))
    shown = [card for card in cards if kind in (None, card.proposal.kind)]
    _table(page, shown, decided)
    _plot(page, shown)
    chosen = _choose(shown or cards)
    review_card.show_card(page, quarter, chosen, decided.get(chosen.subject.agent_id))
    review_batch.show_batch(page, quarter, cards, decided)
    what_if.show_what_if(page, quarter, cards)
    _decisions(page, quarter, list(decided.values()), cards)
    st.caption(f"Rules: {md_escape(reviewing.rules(page.desk).source)}. A proposal is no decision.")


def _quarter(page: Page) -> Quarter:
    last = reviewed.last_quarter(page)
    runs = page.run_days()
    first = Quarter.of(runs[0]) if runs else last
    offered = [last.back(back) for back in range(-1, QUARTERS_OFFERED)]
    options = {
        str(one): f"{one}{', still running' if one > last else ''}"
        for one in sorted(offered, key=lambda one: (one > last, [-part for part in one]))
        if one >= first or one == last
    }
    return Quarter.parse(controls.one_of_many("Quarter", "quarter", options))


def _counts(cards: Sequence[Card], decided: dict[str, reviewing.Decided]) -> str:
    kinds = Counter(str(card.proposal.kind) for card in cards)
    told = " · ".join(f"**{kinds[kind]}** {words(kind)}" for kind in KINDS)
    done = sum(one.status == "done" for one in decided.values())
    waiting = len(decided) - done
    wait = f", {waiting} wait for a second person" if waiting else ""
    return f"{plural(len(cards), 'agent')}: {told}. Decided: {done}{wait}."


def _table(page: Page, cards: Sequence[Card], decided: dict[str, reviewing.Decided]) -> None:
    rows = pl.DataFrame(
        {
            "agent": [card.subject.agent_name for card in cards],
            "proposal": [words(card.proposal.kind) for card in cards],
            "decided": [_standing(decided.get(card.subject.agent_id)) for card in cards],
            "team": [page.team(card.subject.team_id) for card in cards],
            "runs": [card.success.n for card in cards],
            "success": [card.success.value for card in cards],
            "interval": [interval(card.success.low, card.success.high) for card in cards],
            "cost": [card.subject.figures().cost_per_success_usd for card in cards],
            "users": [card.subject.figures().users for card in cards],
            "value": [card.value_usd for card in cards],
            "reason": [card.proposal.reason for card in cards],
        },
        schema_overrides=dict.fromkeys(("success", "cost", "value"), pl.Float64),
    )
    columns = [
        Column(name="agent", heading="Agent", opens=True, width=150, pinned=True),
        Column(name="proposal", heading="Proposal", width=80),
        Column(name="decided", heading="Decided", width=90),
        Column(name="team", heading="Team", width=85),
        Column(name="runs", heading="Runs", kind="count", width=60),
        Column(name="success", heading="Success", kind="share", width=70),
        Column(name="interval", heading="Interval", width=110),
        Column(name="cost", heading="Per success", kind="money", width=105),
        Column(name="users", heading="People", kind="count", width=65),
        Column(
            name="value",
            heading="Value",
            kind="money",
            width=110,
            meaning="Successes × declared minutes × declared hour; unknown where nobody declared minutes.",
        ),
        Column(name="reason", heading="Because", width=420),
    ]
    clicked = show(
        rows,
        columns,
        key="review_table",
        zone=page.zone,
        alt="Proposals",
        height=TABLE_PIXELS if len(cards) > 10 else "content",
    )
    if clicked is not None:
        st.session_state["filter_card"] = cards[clicked].subject.agent_id


def _standing(one: reviewing.Decided | None) -> str:
    if one is None:
        return ""
    return one.review_decision if one.status == "done" else f"{one.review_decision}, waits"


def _plot(page: Page, cards: Sequence[Card]) -> None:
    """Success against cost per run with intervals, for agents with enough runs and a known cost."""
    points = []
    for card in cards:
        cost, rate = card.subject.figures().cost_per_run_usd, card.success
        if cost is not None and rate.value is not None and rate.low is not None and rate.high is not None:
            points.append(
                scatter.Judged(
                    name=card.subject.agent_name,
                    kind=words(card.proposal.kind),
                    cost_usd=float(cost),
                    rate=rate.value,
                    low=rate.low,
                    high=rate.high,
                )
            )
    if not points:
        return
    kinds = [words(kind) for kind in KINDS]
    told = (
        f"Success of the quarter with its 95 % interval against cost per run, {plural(len(points), 'agent')} "
        "with runs of known cost; the cost axis is logarithmic."
    )
    source = behind.Behind(
        key="review_plot",
        label="Success against cost per run",
        meaning="The agents of the review's cards that have runs of known cost.",
        source=behind.Live(
            rows=lambda: pl.DataFrame(points),
            origin="worked out from the tables rpt_agent_quarters and rpt_version_quarters by the review's "
            "rules, as `fleetbook review` does.",
        ),
    )
    behind.chart(source, scatter.judged(points, kinds, page.colours), caption=told)


def _choose(cards: Sequence[Card]) -> Card:
    names = {card.subject.agent_id: card.subject.agent_name for card in cards}
    st.subheader("Card", anchor=False)
    chosen = controls.one_of_many("Card of", "card", names)
    return next(card for card in cards if card.subject.agent_id == chosen)


def _decisions(
    page: Page, quarter: Quarter, decided: Sequence[reviewing.Decided], cards: Sequence[Card]
) -> None:
    st.subheader("Decisions made", anchor=False)
    if not decided:
        empty(f"Nothing is decided for {quarter} yet. A decision appears here with who made it and why.")
        return
    names = {card.subject.agent_id: card.subject.agent_name for card in cards}
    rows = pl.DataFrame(
        {
            "agent": [names.get(one.agent_id, one.agent_id) for one in decided],
            "decision": [one.review_decision for one in decided],
            "status": ["done" if one.status == "done" else "waits for a second person" for one in decided],
            "by": [page.name_of(one.decided_by) for one in decided],
            "at": [one.decided_at for one in decided],
            "confirmed": [page.name_of(one.confirmed_by) if one.confirmed_by else "" for one in decided],
            "reason": [one.reason for one in decided],
        }
    )
    columns = [
        Column(name="agent", heading="Agent", width=160),
        Column(name="decision", heading="Decision", width=90),
        Column(name="status", heading="State", width=160),
        Column(name="by", heading="Decided by", width=130),
        Column(name="at", heading="When", kind="time", width=140),
        Column(name="confirmed", heading="Confirmed by", width=130),
        Column(name="reason", heading="Reason"),
    ]
    show(rows, columns, key="review_decisions", zone=page.zone, height="auto", missing="", alt="Decisions")


if __name__ == "__main__":
    render()
