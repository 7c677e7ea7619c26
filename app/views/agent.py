"""Agent: is this agent worth keeping as it is? Its card, then tabs from performance to runs."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.labels import md_escape, words
from app.views._parts import agent_past, agent_tabs, comparing, controls, review_refreshes
from app.views._parts.agent_card import show_card
from app.views._parts.decide import RISK_COLOURS
from app.views._parts.page import Page, current, heading, nothing

Row = Mapping[str, object]
# Only the tab that is open is asked for and drawn; the URL names it.
TABS = {
    "Performance": agent_tabs.performance,
    "Versions": agent_tabs.versions,
    "Tools": agent_tabs.tools,
    "Money": agent_tabs.money_of,
    "Oversight": agent_tabs.oversight,
    "Runs": agent_tabs.runs,
    "History": agent_past.history,
    "Refresh": review_refreshes.of_agent,
}
QUESTION = "Is this agent worth keeping as it is?"
STATUS_COLOURS = {"live": "green", "watch": "orange", "suspended": "red", "retired": "gray"}


def render() -> None:
    """Draw the page."""
    page = current()
    agent_id = st.query_params.get("agent") or st.session_state.get("agent_shown")
    if page.warehouse is None:
        heading("Agent", QUESTION)
    catalogue = page.ask("agents")
    agents = {str(row["agent_id"]): row for row in catalogue.to_dicts()}
    if agent_id not in agents:
        heading("Agent", QUESTION)
        found = f"There is no agent {agent_id!r} within your scope. " if agent_id else ""
        nothing(f"{found}Open one from the Agents page.")
    st.session_state["agent_shown"] = agent_id
    st.query_params["agent"] = str(agent_id)
    agent = agents[str(agent_id)]
    heading(md_escape(agent["agent_name"] or agent_id), QUESTION)
    _card(page, agent)
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        period = controls.period(page)
    with right:
        period = comparing.compared(page, period, str(agent_id))
    for name, tab in zip(
        TABS, st.tabs(list(TABS), key="tab", on_change="rerun", bind="query-params"), strict=True
    ):
        if tab.open:
            with tab:
                TABS[name](page, str(agent_id), period)


def _card(page: Page, agent: Row) -> None:
    """What the registry says about the agent."""
    if not agent["is_registered"]:
        st.warning(
            f"Not registered: seen in events ({md_escape(agent['recorded_via'])}), declared nowhere. "
            "It has no owner, no purpose and no risk class here. Add it to registry.yaml and apply it.",
            icon=":material/help:",
        )
    if agent["is_adopted"]:
        st.info(
            "Built elsewhere and adopted: an alias in registry.yaml gives its runs to this team. "
            "It has no owner, no purpose and no risk class here.",
            icon=":material/input:",
        )
    st.markdown(_badges(page, agent))
    if agent["is_adopted"] or not agent["is_registered"]:
        return
    show_card(page, agent)


def _badges(page: Page, agent: Row) -> str:
    risk = str(agent["risk_class"] or "no risk class")
    status = str(agent["status"] or ("adopted" if agent["is_adopted"] else "not registered"))
    return (
        f":{RISK_COLOURS.get(risk, 'gray')}-badge[{md_escape(risk)}{' risk' if agent['risk_class'] else ''}] "
        f":{STATUS_COLOURS.get(status, 'blue')}-badge[{md_escape(words(status))}] "
        f":gray-badge[{md_escape(page.team(agent['team_id']))}]"
    )


if __name__ == "__main__":
    render()
