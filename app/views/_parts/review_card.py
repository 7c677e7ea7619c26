"""One agent under review: its numbers, what led to the proposal, and the decision with its reason."""

from __future__ import annotations

import datetime as dt

import polars as pl
import streamlit as st

from app.labels import count, fraction, interval, md_escape, money, plural, share, words
from app.live import reviewing
from app.review.cards import Card
from app.review.figures import Rate
from app.review.quarters import Quarter
from app.review.reading import recent_users
from app.views._parts import acting
from app.views._parts.page import Page
from app.views._parts.tables import Column, show

_SAID = "review_said"
_QUARTERS = 4
KIND_COLOURS = {"retire": "red", "refresh": "orange", "promote": "green"}


def said() -> None:
    """Say what the last decision wrote, once, after the rerun that follows it."""
    acting.said(_SAID)


def show_card(page: Page, quarter: Quarter, card: Card, decided: reviewing.Decided | None) -> None:
    """The card, and below it the decision where the person may make one."""
    kind = card.proposal.kind
    with st.container(border=True):
        colour = KIND_COLOURS.get(kind, "gray")
        st.markdown(
            f"**{md_escape(card.subject.agent_name)}** :{colour}-badge[{words(kind)}] "
            f":gray-badge[rule {md_escape(card.proposal.rule)}]"
        )
        st.markdown(md_escape(card.proposal.reason))
        left, right = st.columns(2)
        left.markdown("  \n".join(_facts(page, card)))
        right.markdown("  \n".join(_use(card)))
        if card.unmet_gates:
            st.caption("Not promoted, because: " + md_escape("; ".join(card.unmet_gates)))
        _quarters(page, card)
        _decision(page, quarter, card, decided)


def _facts(page: Page, card: Card) -> list[str]:
    one = card.subject
    return [
        f":gray[Owner]  {md_escape(page.name_of(one.owner_id))}",
        f":gray[Team]  {md_escape(page.team(one.team_id))}",
        f":gray[Risk]  {md_escape(one.risk_class or 'unknown')}",
        f":gray[Status]  {md_escape(one.status or 'not registered')}",
        f":gray[Expected use]  {md_escape(one.expected_use or 'none declared')}",
    ]


def _use(card: Card) -> list[str]:
    now = card.subject.figures()
    value = (
        "unknown: nobody declared the minutes it saves" if card.value_usd is None else money(card.value_usd)
    )
    return [
        f":gray[Success]  {_rate(now.success)}",
        f":gray[Tool errors]  {_rate(now.tool_error)}",
        f":gray[Used by]  {plural(now.users, 'person', 'people')} of {plural(now.user_teams, 'team')}",
        f":gray[Refused]  {plural(now.refusals, 'time')}, {count(now.wallet_refusals)} by a wallet",
        f":gray[Value]  {value}",
    ]


def _rate(rate: Rate) -> str:
    if rate.value is None:
        return "no case"
    return f"{share(rate.value, 0)} ({fraction(rate.k, rate.n)}, {interval(rate.low, rate.high)})"


def _quarters(page: Page, card: Card) -> None:
    """The trend: the reviewed quarter and those before it."""
    quarters = [card.subject.quarter.back(back) for back in range(_QUARTERS)]
    figures = [card.subject.figures(back) for back in range(_QUARTERS)]
    rows = pl.DataFrame(
        {
            "quarter": [str(one) for one in quarters],
            "runs": [one.runs for one in figures],
            "success": [one.success.value for one in figures],
            "interval": [interval(one.success.low, one.success.high) for one in figures],
            "errors": [one.tool_error.value for one in figures],
            "cost": [one.cost_per_success_usd for one in figures],
        },
        schema_overrides=dict.fromkeys(("success", "errors", "cost"), pl.Float64),
    )
    columns = [
        Column(name="quarter", heading="Quarter"),
        Column(name="runs", heading="Runs", kind="count"),
        Column(name="success", heading="Success", kind="share"),
        Column(name="interval", heading="Interval"),
        Column(name="errors", heading="Tool errors", kind="share"),
        Column(name="cost", heading="Cost per success", kind="money"),
    ]
    show(rows, columns, key="card_quarters", zone=page.zone, height="auto", missing="no run", alt="Quarters")


def _decision(page: Page, quarter: Quarter, card: Card, decided: reviewing.Decided | None) -> None:
    agent_id = card.subject.agent_id
    if not page.shows_live:
        st.caption(":material/lock: These rows are of the other kind than this workspace's live side.")
    elif not reviewing.may_decide(page.desk, page.person.person_id, agent_id):
        st.caption(":material/lock: Its owner, its deputy or a platform lead decides.")
    elif decided is not None and decided.status == "waiting":
        _confirm(page, quarter, decided)
    elif decided is not None and decided.review_decision != "postpone":
        by = md_escape(page.name_of(decided.decided_by))
        st.caption(f"Decided: {decided.review_decision} by {by}: {md_escape(decided.reason)}")
        _after(page, quarter, card, decided)
    else:
        _form(page, quarter, card)


def _after(page: Page, quarter: Quarter, card: Card, decided: reviewing.Decided) -> None:
    """What is left to do about a decision that is made: publish a promotion, or take a sunset back."""
    agent_id, name = card.subject.agent_id, md_escape(card.subject.agent_name)
    if decided.review_decision == "promote":
        if st.button("Publish as a template of the company"):
            acting.act(_SAID, lambda: _published(page, quarter, agent_id, name))
    elif decided.effective_at is not None and decided.in_effect_at is None:
        day = f"{decided.effective_at.astimezone(page.zone):%-d %b %Y}"
        st.caption(f"{name} is retired on {day}; its owners and users were told.")
        with st.form(f"withdraw_{agent_id}", border=False):
            reason = st.text_input("Reason to take it back", max_chars=300)
            if st.form_submit_button("Take the retirement back"):
                acting.act(_SAID, lambda: _withdrawn(page, quarter, agent_id, name, reason))


def _published(page: Page, quarter: Quarter, agent_id: str, name: str) -> str:
    version = reviewing.publish(page.desk, page.person.person_id, quarter, agent_id)
    return f"Published: {name} is template {md_escape(agent_id)} v{version} in registry.yaml."


def _withdrawn(page: Page, quarter: Quarter, agent_id: str, name: str, reason: str) -> str:
    reviewing.withdraw(page.desk, page.person.person_id, quarter, agent_id, reason)
    return f"Taken back: {name} stays; its owners and users are told."


def _form(page: Page, quarter: Quarter, card: Card) -> None:
    agent_id, options = card.subject.agent_id, list(reviewing.DECISIONS)
    proposed = options.index(card.proposal.kind) if card.proposal.kind in options else 0
    with st.form(f"decide_{agent_id}_{quarter}", border=False):
        decision = st.selectbox("Decision", options, index=proposed)
        reason = st.text_input("Reason for the decision", max_chars=300)
        sunset = st.date_input("Sunset, where it is to be retired later", None, min_value="today")
        if card.proposal.kind == "retire":
            st.caption(_impact(page, agent_id))
        if st.form_submit_button("Decide", type="primary") and decision is not None:
            acting.act(_SAID, lambda: _decide(page, quarter, card, decision, reason, sunset))


def _impact(page: Page, agent_id: str) -> str:
    """What a retirement touches, before anybody decides it."""
    found = reviewing.impact(page.desk, page.person.person_id, agent_id)
    users = recent_users(page.scoped(), agent_id, is_demo=page.is_demo)
    used = plural(len({*found.users, *users}), "user")
    return (
        f"Retiring it stops {plural(len(found.schedules), 'schedule')}, is felt by "
        f"{plural(len(found.callers), 'agent')} that call it and "
        f"{plural(len(found.adopters), 'agent')} made from its template, leaves "
        f"{plural(len(found.grants), 'grant')}, {plural(len(found.wallets), 'wallet')} and "
        f"{plural(len(found.knowledge), 'knowledge source')} unused, touches {used} of 90 days, ends "
        f"{plural(len(found.open_runs), 'open run')} and "
        f"lapses {plural(len(found.open_approvals), 'open request')}."
    )


def _decide(
    page: Page, quarter: Quarter, card: Card, decision: str, reason: str, sunset: dt.date | None
) -> str:
    done = reviewing.decide(
        page.desk,
        page.person.person_id,
        quarter,
        card,
        decision,
        reason,
        scoped=page.scoped(),
        sunset_on=sunset,
    )
    name = md_escape(card.subject.agent_name)
    waits = "; it waits for a second person" if done.status == "waiting" else ""
    if done.effective_at is not None and done.in_effect_at is None:
        waits += f"; it counts from {done.effective_at.astimezone(page.zone):%-d %b %Y} on"
    return f"Decided: {done.review_decision} {name} for {quarter}{waits}. The log keeps it with its numbers."


def _confirm(page: Page, quarter: Quarter, decided: reviewing.Decided) -> None:
    by = md_escape(page.name_of(decided.decided_by))
    st.caption(f"{by} decided {decided.review_decision}: {md_escape(decided.reason)}")
    if decided.decided_by == page.person.person_id:
        st.caption(":material/lock: You decided it; a second person confirms.")
    elif st.button("Confirm as second person", type="primary"):
        acting.act(_SAID, lambda: _confirmed(page, quarter, decided.agent_id))


def _confirmed(page: Page, quarter: Quarter, agent_id: str) -> str:
    done = reviewing.confirm(page.desk, page.person.person_id, quarter, agent_id)
    return f"Confirmed: {done.review_decision} {md_escape(agent_id)} for {quarter}. It is in effect."
