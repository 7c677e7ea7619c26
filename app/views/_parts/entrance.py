"""The entrance: who looks, by sign-in or by the local switch, and what is shown to those who may not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import streamlit as st

from app import identity
from app.desk import Person
from app.identity import Door, Premises
from app.labels import md_escape, words
from app.live.signing_in import signed_in
from app.sign_in import Claims, ends_at, identity_of

Why = Literal["", "not signed in", "ended", "unknown", "not this machine"]


class Visitor(NamedTuple):
    """Who looks. ``person`` is None when nobody may be shown anything, and ``why`` says it.

    ``claims`` are the provider's, None where people are picked; ``until`` is the end of the sign-in.
    """

    person: Person | None
    why: Why
    claims: Claims | None = None
    until: dt.datetime | None = None


def visitor(place: Premises, door: Door) -> Visitor:
    """Who looks in this rerun. Raises RegistryNotApplied."""
    if door.sign_in is None:
        if not identity.is_own_machine(st.context.ip_address, dict(st.context.headers)):
            return Visitor(None, "not this machine")
        return Visitor(_picked(place.desk.people()), "")
    if not st.user.get("is_logged_in", False):
        return Visitor(None, "not signed in", {})
    claims = dict(st.user.to_dict())
    until = ends_at(claims, door.sign_in.hours)
    if until is None or until <= dt.datetime.now(dt.UTC):
        return Visitor(None, "ended", claims, until)
    person = signed_in(place.desk, claims)
    if person is None:
        return Visitor(None, "unknown", claims, until)
    door.arrivals.tell(place.desk, person, claims)
    return Visitor(person, "", claims, until)


def _picked(people: Sequence[Person]) -> Person:
    """The person of the switch; the URL names them, so that a reload and a link keep them."""
    by_id = {one.person_id: one for one in identity.in_order(people)}
    wanted = st.session_state.get("person_switch") or st.query_params.get("as")
    return by_id.get(str(wanted)) or next(iter(by_id.values()))


def who(visitor: Visitor, person: Person, people: Sequence[Person], teams: Mapping[str, str]) -> None:
    """Who looks, for the sidebar: the name and the way out, or the switch."""
    if visitor.claims is not None:
        st.markdown(f"**{md_escape(person.name)}**")
        st.button("Sign out", on_click=st.logout, icon=":material/logout:", width="stretch")
        return
    by_id = {one.person_id: one for one in people}
    st.session_state["person_switch"] = person.person_id
    st.selectbox(
        "Viewing as",
        list(by_id),
        format_func=lambda person_id: _title(by_id[person_id], teams),
        key="person_switch",
    )
    if st.query_params.get("as") != person.person_id:
        st.query_params["as"] = person.person_id


def how(visitor: Visitor) -> None:
    """How they came in, for the foot of the sidebar."""
    if visitor.claims is None:
        st.caption(identity.LOCAL_SWITCH)
    elif visitor.until is not None:
        st.caption(f"Signed in until {visitor.until:%-d %b, %H:%M} UTC.")


def closed(visitor: Visitor) -> None:
    """What somebody sees who may not be shown anything: why, and the next step."""
    st.title("Fleetbook", anchor=False)
    if visitor.why == "not this machine":
        st.error(
            "These pages let anyone choose any person, so they answer on their own machine only, and this "
            "request came through the network or a proxy. Declare a sign-in: `fleetbook sign-in`.",
            icon=":material/lock:",
        )
        return
    if visitor.why == "unknown":
        _unknown(visitor.claims or {})
        return
    if visitor.why == "ended":
        st.info("Your sign-in has ended. Sign in again to go on.", icon=":material/schedule:")
    else:
        st.markdown("Sign in to see what your company's agents do, cost and wait for.")
    st.button("Sign in", on_click=st.login, type="primary", icon=":material/login:")


def _unknown(claims: Claims) -> None:
    """Nobody of the registry has this identity: which one it is, and who puts it right."""
    known = identity_of(claims)
    st.warning(
        "You are signed in, and nobody in this company's registry has your identity, so there is nothing to "
        "show. Ask a platform lead to put it under `people` in registry.yaml and apply it.",
        icon=":material/person_off:",
    )
    if known.told_email and not known.email:
        st.markdown(
            "Your provider does not say that your e-mail address is verified, so it names nobody here; "
            "the subject does."
        )
    st.code(f"email: {known.told_email or 'not told'}\nsubject: {known.subject or 'not told'}", language=None)
    st.button("Sign out", on_click=st.logout, icon=":material/logout:")


def _title(person: Person, teams: Mapping[str, str]) -> str:
    """Name and, short enough for the switch, the team or the role."""
    if person.scope == "all":
        return f"{person.name} · {words(person.role_id).split()[0]}"
    team = teams.get(person.team_id, person.team_id)
    return f"{person.name} · {team}" if person.scope == "team" else f"{person.name} · user in {team}"
