"""What other thresholds would propose: the agents whose proposal changes, and to what."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.labels import md_escape, plural, words
from app.live import reviewing
from app.review.cards import Card
from app.review.quarters import Quarter
from app.review.rules import Rules
from app.views._parts import reviewed
from app.views._parts.page import Page, empty


def show_what_if(page: Page, quarter: Quarter, cards: Sequence[Card]) -> None:
    """Thresholds to turn; nothing is decided or kept by it."""
    rules = reviewing.rules(page.desk).rules
    with st.expander("What if the thresholds were others?", icon=":material/tune:"):
        changes = _changes(rules)
        if not changes:
            st.caption("Change a threshold to see whose proposal would be another. Nothing is kept.")
            return
        after = {card.subject.agent_id: card.proposal for card in reviewed.cards(page, quarter, changes)}
        moved = [card for card in cards if after[card.subject.agent_id].kind != card.proposal.kind]
        if not moved:
            empty("No proposal would change.")
            return
        st.markdown(f"**{plural(len(moved), 'proposal')}** would change:")
        for card in moved:
            new = after[card.subject.agent_id]
            st.markdown(
                f"- {md_escape(card.subject.agent_name)}: {words(card.proposal.kind)} → "
                f"**{words(new.kind)}**: {md_escape(new.reason)}"
            )


def _changes(rules: Rules) -> dict[str, str]:
    """The thresholds that differ from the rules, as the rules file names them."""
    left, middle, right = st.columns(3)
    asked = {
        "minimum_runs": (
            left.number_input("Runs needed to judge", 1, 1000, rules.minimum_runs),
            rules.minimum_runs,
        ),
        "retire.success_under": (
            left.number_input("Retire: success under", 0.0, 1.0, rules.retire.success_under, 0.05),
            rules.retire.success_under,
        ),
        "retire.idle_quarters": (
            middle.number_input("Retire: idle quarters", 1, 8, rules.retire.idle_quarters),
            rules.retire.idle_quarters,
        ),
        "refresh.worse_by_points": (
            middle.number_input("Refresh: worse by points", 0.5, 100.0, rules.refresh.worse_by_points, 0.5),
            rules.refresh.worse_by_points,
        ),
        "promote.success_at_least": (
            right.number_input("Promote: success at least", 0.0, 1.0, rules.promote.success_at_least, 0.05),
            rules.promote.success_at_least,
        ),
        "promote.user_teams": (
            right.number_input("Promote: teams that use it", 1, 50, rules.promote.user_teams),
            rules.promote.user_teams,
        ),
    }
    return {name: str(new) for name, (new, old) in asked.items() if new != old}
