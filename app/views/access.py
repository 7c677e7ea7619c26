"""Access: may this person do this with this agent? Answered with the rule; roles, grants, leavers, tokens."""

from __future__ import annotations

import polars as pl
import streamlit as st

from app.labels import md_escape, plural, words
from app.live import rights
from app.live.rights import Rights
from app.views._parts import controls
from app.views._parts.page import Page, current, empty, heading
from app.views._parts.tables import Column, show

ANY_AGENT = "no agent in particular"


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Access", "Who may do what, and by which rule?")
    if not page.shows_live:
        empty("The rights of this workspace are demo data. Choose Demo under Rows to see them.")
        return
    known = rights.rights(page.desk, page.person.person_id)
    _ask(page, known)
    roles, grants, left, tokens = st.tabs(["Roles", "Grants", "People who left", "Sender tokens"])
    with roles:
        _roles(page, known)
    with grants:
        _grants(page, known)
    with left:
        _left(page, known)
    with tokens:
        _tokens(page, known)


def _ask(page: Page, known: Rights) -> None:
    """The question as three choices, and the ruling with its rule."""
    who, what, which = st.columns(3)
    names = {one: page.name_of(one) for one in known.people}
    with who:
        person = controls.one_of_many("Person", "who", names)
    with what:
        action = controls.one_of_many("Action", "may", {one: words(one) for one in rights.ACTIONS})
    with which:
        agents = dict(zip(known.agents, _agent_words(page, known), strict=True))
        agent = controls.select("Agent", "which", agents, anything=ANY_AGENT)
    ruling = rights.answer(page.desk, page.person.person_id, person, action, agent)
    about = f" with **{md_escape(agents[agent])}**" if agent else ""
    may = "may" if ruling.allowed else "may not"
    said = f"**{md_escape(names[person])} {may}** {words(action)}{about}: {md_escape(ruling.sentence)}."
    box, icon = (st.success, ":material/check:") if ruling.allowed else (st.warning, ":material/block:")
    box(f"{said}  \nRule: {md_escape(ruling.rule_id)}", icon=icon)
    st.caption("The same function answers runs, pages and commands; asking changes nothing.")
    if agent and action == "run_agent":
        able = [page.name_of(one) for one in rights.runners(page.desk, page.person.person_id, agent)]
        st.caption(
            f"May run it, of those you may ask about: {md_escape(', '.join(sorted(able)) or 'nobody')}."
        )


def _agent_words(page: Page, known: Rights) -> list[str]:
    named = page.agent_names()
    return [named.get(agent, agent) for agent in known.agents]


def _roles(page: Page, known: Rights) -> None:
    """Role by action: the ceiling; running an agent needs a grant besides."""
    rows = pl.DataFrame(
        {
            "action": [words(action) for action in rights.ACTIONS],
            **{
                role: [_cell(action, allowed) for action in rights.ACTIONS]
                for role, (_, allowed) in known.roles.items()
            },
        }
    )
    columns = [
        Column(name="action", heading="Action", width=150, pinned=True),
        *(
            Column(name=role, heading=f"{words(role)} ({scope})", width=150)
            for role, (scope, _) in known.roles.items()
        ),
    ]
    show(rows, columns, key="roles", zone=page.zone, missing="", alt="Roles and what they may do")
    st.caption(
        "In brackets how far the role reaches: own runs, the own team, all teams. A role is the ceiling; "
        "running an agent needs a grant besides, and a denying grant wins over everything."
    )


def _cell(action: str, allowed: frozenset[str]) -> str:
    if action in ("use_tool", "read_knowledge"):
        return "by grant"
    if action not in allowed:
        return "no"
    return "yes, with a grant" if action == "run_agent" else "yes"


def _grants(page: Page, known: Rights) -> None:
    if not known.grants:
        empty("No grant touches your team. Without a grant nobody runs an agent.")
        return
    rows = pl.DataFrame(
        {
            "grant": [one.grant_id for one in known.grants],
            "effect": [one.effect for one in known.grants],
            "role": [words(one.role) for one in known.grants],
            "action": [words(one.action) for one in known.grants],
            "team": [page.team(one.team) if one.team else "" for one in known.grants],
            "agent": [one.agent for one in known.grants],
            "object": [one.tool or one.knowledge for one in known.grants],
            "reason": [one.reason for one in known.grants],
        }
    )
    columns = [
        Column(name="grant", heading="Grant", width=200),
        Column(name="effect", heading="Effect", width=70),
        Column(name="role", heading="Role", width=140),
        Column(name="action", heading="Action", width=120),
        Column(name="team", heading="Team", width=100),
        Column(name="agent", heading="Agent", width=150),
        Column(name="object", heading="Tool or source", width=130),
        Column(name="reason", heading="Why"),
    ]
    st.caption(f"{plural(len(known.grants), 'grant')}; an empty cell is any.")
    show(rows, columns, key="grants", zone=page.zone, missing="", alt="Grants")


def _left(page: Page, known: Rights) -> None:
    if not known.left:
        empty("Nobody who left is known to you. Who sees all teams finds them here.")
        return
    rows = pl.DataFrame(
        {
            "person": [person for person, _, _ in known.left],
            "name": [name for _, name, _ in known.left],
            "day": [day for _, _, day in known.left],
        }
    )
    columns = [
        Column(name="name", heading="Name"),
        Column(name="person", heading="Id"),
        Column(name="day", heading="Left", kind="day"),
    ]
    st.caption("They may nothing; what was theirs still names them.")
    show(rows, columns, key="left", zone=page.zone, alt="People who left")


def _tokens(page: Page, known: Rights) -> None:
    if not known.tokens:
        empty("No sender token within your scope.", 'token create --team <team> --label "<sender>"')
        return
    rows = pl.DataFrame(
        {
            "token": [one.token_id for one in known.tokens],
            "team": [page.team(one.team_id) for one in known.tokens],
            "label": [one.label for one in known.tokens],
            "content": [one.content for one in known.tokens],
            "created": [one.created_at[:16].replace("T", " ") for one in known.tokens],
            "revoked": [one.revoked_at[:16].replace("T", " ") for one in known.tokens],
        }
    )
    columns = [
        Column(name="token", heading="Token", width=130),
        Column(name="team", heading="Team", width=110),
        Column(name="label", heading="Sends"),
        Column(name="content", heading="Texts", width=80),
        Column(name="created", heading="Made, UTC", width=140),
        Column(name="revoked", heading="Revoked, UTC", width=140),
    ]
    show(rows, columns, key="tokens", zone=page.zone, missing="", alt="Sender tokens")


if __name__ == "__main__":
    render()
