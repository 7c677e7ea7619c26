"""Several agents decided in one go: the same decision and reason, each with its own numbers and gates."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.labels import md_escape, words
from app.live import reviewing
from app.review.cards import Card
from app.review.quarters import Quarter
from app.views._parts import acting
from app.views._parts.page import Page

_SAID = "batch_said"
_FINAL = ("done", "waiting")


def show_batch(
    page: Page, quarter: Quarter, cards: Sequence[Card], decided: dict[str, reviewing.Decided]
) -> None:
    """The form, where there is something left to decide for this person."""
    acting.said(_SAID)
    open_cards = {
        card.subject.agent_id: card for card in cards if _is_open(page, card, decided) and page.shows_live
    }
    if len(open_cards) < 2:
        return
    with st.expander("Decide several in one go", icon=":material/done_all:"), st.form("batch", border=False):
        chosen = st.multiselect(
            "Agents",
            list(open_cards),
            format_func=lambda agent_id: (
                f"{open_cards[agent_id].subject.agent_name} ({words(open_cards[agent_id].proposal.kind)})"
            ),
        )
        decision = st.selectbox("Decision for all of them", list(reviewing.DECISIONS))
        reason = st.text_input("Reason for all of them", max_chars=300)
        if st.form_submit_button("Decide these") and decision is not None:
            acting.act(
                _SAID,
                lambda: _decide(page, quarter, [open_cards[one] for one in chosen], decision, reason),
            )


def _is_open(page: Page, card: Card, decided: dict[str, reviewing.Decided]) -> bool:
    before = decided.get(card.subject.agent_id)
    is_decided = before is not None and before.review_decision != "postpone" and before.status in _FINAL
    return not is_decided and reviewing.may_decide(page.desk, page.person.person_id, card.subject.agent_id)


def _decide(page: Page, quarter: Quarter, cards: Sequence[Card], decision: str, reason: str) -> str:
    """Each by itself: what is refused says why, and the others are decided all the same."""
    done: list[str] = []
    waits: list[str] = []
    refused: list[str] = []
    for card in cards:
        try:
            made = reviewing.decide(
                page.desk, page.person.person_id, quarter, card, decision, reason, scoped=page.scoped()
            )
        except PRODUCT_ERRORS as error:
            refused.append(f"- {md_escape(error)}")
        else:
            (waits if made.status == "waiting" else done).append(card.subject.agent_name)
    told = [f"Decided {decision}: {md_escape(', '.join(done)) or 'none'}."]
    if waits:
        told.append(f"Waiting for a second person: {md_escape(', '.join(waits))}.")
    return "\n".join([*told, *refused])
