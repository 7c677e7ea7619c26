"""What waits for a person now, as cards that lead to where it is done; they refresh by themselves."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator

import polars as pl
import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.labels import UNKNOWN, ago, clock, md_escape, money, plural, share
from app.live import compliance, health, risk
from app.live import needs as live
from app.live.money import Balance, balances, raises_seen
from app.views._parts import needs_review, reviewed
from app.views._parts.need import Need, named
from app.views._parts.page import Page, current, empty
from app.views._parts.wallets import wallet_name

REFRESH_S = 15
_SEEN_DAYS = 7
_SHOWN = 3
_REASON_SHOWN = 160


@st.fragment(run_every=REFRESH_S)
def show_needs() -> None:
    """The cards, and below them how fresh and how well signed everything is."""
    page, now = current(), dt.datetime.now(dt.UTC)
    found, problems = _gathered(page, now)
    for problem in problems:
        st.error(problem, icon=":material/error:")
    if not page.shows_live:
        empty("What waits in this workspace is demo data. Choose Demo under Rows to see it.")
    elif not found and not problems:
        st.success(
            "Nothing waits: no approval, no wallet near its end, no agent without owner, nothing missed.",
            icon=":material/check:",
        )
    for start in range(0, len(found), 2):
        for column, need in zip(st.columns(2, gap="small"), found[start : start + 2], strict=False):
            with column, st.container(border=True, height="stretch", gap="xsmall"):
                _card(need)
    st.caption(_proof(page, now))


def _gathered(page: Page, now: dt.datetime) -> tuple[list[Need], list[str]]:
    """What waits, and what could not be asked: that is not nothing."""
    found: list[Need] = []
    problems: list[str] = []
    for ask in (*_LIVE, *_BUILT):
        if _is_askable(page, ask):
            try:
                found.extend(ask(page, now))
            except PRODUCT_ERRORS as error:
                problems.append(md_escape(error))
    return found, problems


def _card(need: Need) -> None:
    st.markdown(f"{need.icon} **{need.headline}**")
    st.caption(need.detail)
    st.page_link(need.view, label=need.label, icon=":material/arrow_forward:", query_params=need.parameters)


def _approvals(page: Page, now: dt.datetime) -> Iterator[Need]:
    waiting = [one for one in page.desk.approvals(page.person.person_id) if one.status == "waiting"]
    if not waiting:
        return
    risky = sum(one.risk_class == "high" for one in waiting)
    mine = sum(one.can_decide for one in waiting)
    oldest = (now - min(one.requested_at for one in waiting)).total_seconds()
    ends = (min(one.expires_at for one in waiting) - now).total_seconds()
    yield Need(
        icon=":material/approval:",
        headline=plural(len(waiting), "approval waits", "approvals wait"),
        detail=f"Oldest {ago(oldest)} · {risky} high risk · {mine} for you to decide · "
        f"next expires in {ago(ends)}",
        view="views/approvals.py",
        label="Decide" if mine else "Look",
    )


def _wallets(page: Page, now: dt.datetime) -> Iterator[Need]:
    short = [one for one in balances(page.desk, page.person.person_id) if _is_near_end(one)]
    if not short:
        return
    lines = [_wallet_line(page, one, now) for one in short[:_SHOWN]]
    rest = f" · and {len(short) - _SHOWN} more" if len(short) > _SHOWN else ""
    yield Need(
        icon=":material/account_balance_wallet:",
        headline=f"{plural(len(short), 'wallet is', 'wallets are')} near the end",
        detail=" · ".join(lines) + rest,
        view="views/teams.py",
        label="Open the wallets",
    )


def _is_near_end(one: Balance) -> bool:
    return one.is_short or one.threshold_percent > 0


def _wallet_line(page: Page, one: Balance, now: dt.datetime) -> str:
    name = md_escape(wallet_name(page, one))
    used = f"{share(one.used_share, 0)} used" if one.used_share is not None else "cap of 0"
    if one.projected_at is None:
        return f"{name}: {used}"
    if one.projected_at <= now:
        return f"{name}: {used}, empty"
    day = one.projected_at.astimezone(page.zone)
    return f"{name}: {used}, at this speed empty about {day:%-d %b}"


def _stops(page: Page, now: dt.datetime) -> Iterator[Need]:
    orders = live.stopped(page.desk, page.person.person_id)
    if orders:
        newest = orders[-1]
        what = "the company" if newest.scope == "company" else f"{newest.scope} {md_escape(newest.target_id)}"
        drill = " (a drill)" if newest.is_drill else ""
        yield Need(
            icon=":material/front_hand:",
            headline=plural(len(orders), "order to stop stands", "orders to stop stand"),
            detail=f"Newest over {what}{drill}, {ago((now - newest.ordered_at).total_seconds())} ago by "
            f"{md_escape(page.name_of(newest.ordered_by))}: {md_escape(newest.reason)}",
            view="views/agents.py",
            label="Open the agents",
        )


def _owners(page: Page, now: dt.datetime) -> Iterator[Need]:
    person, today = page.person.person_id, now.astimezone(page.zone).date()
    nobody = live.ownerless(page.desk, person)
    if nobody:
        yield Need(
            icon=":material/person_off:",
            headline=f"{plural(len(nobody), 'agent')} without owner",
            detail=named(nobody) + " · cannot start until somebody answers for it",
            view="views/agents.py",
            label="Open the agents",
        )
    assess = live.due(page.desk, person, today)
    if assess:
        over = sum(one.is_over for one in assess)
        yield Need(
            icon=":material/event_upcoming:",
            headline=f"{plural(len(assess), 'agent is', 'agents are')} due for a risk review",
            detail=f"{named([one.agent_name for one in assess])} · {over} past the day",
            view="views/agent.py",
            label="Open the first",
            parameters={"agent": assess[0].agent_id},
        )


def _versions(page: Page, now: dt.datetime) -> Iterator[Need]:
    names = live.unapproved(page.desk, page.person.person_id)
    if names:
        yield Need(
            icon=":material/new_releases:",
            headline=plural(
                len(names), "version waits for a second person", "versions wait for a second person"
            ),
            detail=f"{named(names)} · `fleetbook agents approve-version` puts it in force",
            view="views/agents.py",
            label="Open the agents",
        )


def _raises(page: Page, now: dt.datetime) -> Iterator[Need]:
    waiting = [one for one in raises_seen(page.desk, page.person.person_id) if one.status == "waiting"]
    if waiting:
        mine = sum(one.can_decide for one in waiting)
        yield Need(
            icon=":material/add_card:",
            headline=plural(len(waiting), "raise waits", "raises wait"),
            detail=f"{money(sum(one.amount_usd for one in waiting))} asked for · {mine} for you to decide",
            view="views/teams.py",
            label="Decide" if mine else "Look",
        )


def _checks(page: Page, now: dt.datetime) -> Iterator[Need]:
    months = compliance.months(page.desk)
    if not months:
        return
    newest = max(months)
    found = compliance.month_of(page.desk, page.person.person_id, newest, page.scope.team_ids)
    if found is None or found.is_demo != page.is_demo:
        return
    still_open = [one for one in found.checks if one.is_case_open or (one.is_finding and not one.case_id)]
    if still_open or not found.is_signed:
        over = sum(one.is_overdue for one in still_open)
        yield Need(
            icon=":material/verified_user:",
            headline=f"{newest:%B} check: "
            + (f"{plural(len(still_open), 'finding')} open" if still_open else "ready to sign"),
            detail=f"{over} overdue · {'signed' if found.is_signed else 'not signed yet'}",
            view="views/compliance.py",
            label="Open the month",
        )


def _cases(page: Page, now: dt.datetime) -> Iterator[Need]:
    late = compliance.overdue(page.desk, page.person.person_id)
    if late:
        yield Need(
            icon=":material/assignment_late:",
            headline=f"{plural(len(late), 'case')} overdue",
            detail=f"{named([one.case_id for one in late])} · the oldest since {late[0].due_at:%-d %b %Y}",
            view="views/compliance.py",
            label="Open the cases",
        )


def _risks(page: Page, now: dt.datetime) -> Iterator[Need]:
    found = risk.seen(page.desk, page.person.person_id, page.scope.team_ids, is_demo=page.is_demo)
    grave = [one for one in found.open_ones if one.severity in risk.GRAVE]
    if grave and not page.scope.own_only:
        critical = sum(one.severity == "critical" for one in grave)
        yield Need(
            icon=":material/crisis_alert:",
            headline=plural(len(grave), "risk finding"),
            detail=f"{critical} critical · newest: {md_escape(grave[0].agent_id or 'no agent')} "
            f"{md_escape(grave[0].reason[:_REASON_SHOWN])}",
            view="views/compliance.py",
            label="Look at them",
            parameters={"part": "risk"},
        )


def _missed(page: Page, now: dt.datetime) -> Iterator[Need]:
    slots = live.missed(page.desk, page.person.person_id, now)
    if slots:
        names = list(dict.fromkeys(one.schedule_id for one in slots))
        yield Need(
            icon=":material/event_busy:",
            headline=f"{plural(len(slots), 'scheduled run')} missed in a week",
            detail=named(names),
            view="views/schedules.py",
            label="Open the schedules",
        )


def _unregistered(page: Page, now: dt.datetime) -> Iterator[Need]:
    last = page.newest_date()
    first = last - dt.timedelta(days=_SEEN_DAYS - 1)
    rows = page.ask("unregistered", first_date=first, last_date=last)
    if not rows.is_empty():
        names = [str(name) for name in rows["agent_id"].to_list()]
        cost = rows["cost_usd"].drop_nulls()
        spent = money(cost.cast(pl.Float64).sum()) if len(cost) else UNKNOWN
        yield Need(
            icon=":material/help:",
            headline=f"{plural(rows.height, 'unregistered agent')} seen in {_SEEN_DAYS} days",
            detail=f"{named(names)} · known cost {spent}",
            view="views/health.py",
            label="See where they come from",
        )


def _review(page: Page, now: dt.datetime) -> Iterator[Need]:
    quarter = reviewed.last_quarter(page)
    cards = reviewed.cards(page, quarter)
    decided = {one.agent_id for one in reviewed.decided(page, quarter)}
    kinds = Counter(str(card.proposal.kind) for card in cards if card.subject.agent_id not in decided)
    grave = [(kind, kinds[kind]) for kind in ("retire", "refresh", "promote") if kinds[kind]]
    if grave:
        proposals = plural(sum(count for _, count in grave), "proposal")
        yield Need(
            icon=":material/rule:",
            headline=f"{proposals} of the {quarter} review undecided",
            detail=" · ".join(f"{count} to {kind}" for kind, count in grave),
            view="views/review.py",
            label="Open the review",
        )


def _proof(page: Page, now: dt.datetime) -> str:
    """How far the log is signed and how old the data is."""
    newest = health.signed(page.desk)
    told = (
        f"Log signed up to {ago((now - newest.signed_at).total_seconds())} ago, "
        f"{plural(newest.line_count or 0, 'manifest line')}"
        if newest.signed_at
        else "Log not signed yet (`fleetbook notarise`)"
    )
    if page.warehouse is None or page.warehouse.data_until is None:
        return f"{told} · no data in a build yet"
    until = page.warehouse.data_until
    old = ago((now - until).total_seconds())
    return f"{told} · data until {clock(until, now)}, {old} old · asked again every {REFRESH_S} s"


_Asking = Callable[[Page, dt.datetime], Iterator[Need]]
_LIVE: tuple[_Asking, ...] = (
    _approvals,
    _wallets,
    _raises,
    _stops,
    _versions,
    _owners,
    _cases,
    _missed,
    needs_review.refreshes,
    needs_review.attestations,
)
_BUILT: tuple[_Asking, ...] = (_checks, _risks, _unregistered, _review)


def _is_askable(page: Page, ask: _Asking) -> bool:
    """Live needs where live rows are shown, the others once there is a build."""
    return page.shows_live if ask in _LIVE else page.warehouse is not None
