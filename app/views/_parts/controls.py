"""Filters that live in the URL, so that a link is a view, and that stay when the page is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app.views._parts.page import Page

_PERIODS: Mapping[str, str] = {
    "7": "7 days",
    "28": "28 days",
    "91": "13 wk",
    "182": "26 wk",
    "all": "All",
}
ANY = ""


@dataclass(frozen=True, kw_only=True)
class Period:
    """Days from ``first_date`` to ``last_date``, both included, and the days that they are compared with.

    ``against`` is what the reader chose to compare with; None is the same number of days before.
    """

    first_date: dt.date
    last_date: dt.date
    against: Period | None = None

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last_date - self.first_date).days + 1

    @property
    def before(self) -> Period:
        """What this period is compared with: what was chosen, or as many days that end the day before it."""
        if self.against is not None:
            return self.against
        last = self.first_date - dt.timedelta(days=1)
        return Period(first_date=last - dt.timedelta(days=self.days - 1), last_date=last)

    @property
    def is_overlapping(self) -> bool:
        """True when a day belongs to both: nothing can be said to have changed then."""
        other = self.before
        return self.first_date <= other.last_date and other.first_date <= self.last_date

    @property
    def words(self) -> str:
        """The period as people say it: ``26 Oct – 22 Nov 2026``."""
        if self.first_date == self.last_date:
            return f"{self.last_date:%-d %b %Y}"
        year = "" if self.first_date.year == self.last_date.year else f" {self.first_date:%Y}"
        return f"{self.first_date:%-d %b}{year} – {self.last_date:%-d %b %Y}"


def period(page: Page, default: str = "28") -> Period:
    """Let the reader choose how many days up to the newest data the page shows.

    When nothing ran for four weeks, as after an import of old runs, all days are shown first.
    """
    if page.is_idle(page.newest_date()):
        default = "all"
    chosen = one_of("Period", "days", list(_PERIODS), default, _PERIODS.__getitem__)
    last_date, runs = page.last_date(), page.run_days()
    if chosen == "all":
        return Period(first_date=min(runs[0], last_date) if runs else last_date, last_date=last_date)
    return Period(first_date=last_date - dt.timedelta(days=int(chosen) - 1), last_date=last_date)


def team(page: Page) -> str | None:
    """Let the reader narrow the page to one team; a person who sees one team is not asked."""
    if len(page.teams_seen) < 2:
        return None
    return select("Team", "team", page.teams_seen, anything="All teams")


def one_of(
    label: str,
    name: str,
    options: Sequence[str],
    default: str,
    word: Callable[[str], str],
    *,
    show_label: bool = False,
) -> str:
    """One of a few ``options``, as buttons side by side; the URL parameter ``name`` carries it."""
    _begin(name, options, default)
    chosen = st.segmented_control(
        label,
        options,
        format_func=word,
        key=_key(name),
        required=True,
        label_visibility="visible" if show_label else "collapsed",
    )
    return _keep(name, chosen if chosen is not None else default, default)


def select(label: str, name: str, options: Mapping[str, str], *, anything: str) -> str | None:
    """One of many ``options`` (id to words), or None for ``anything``; the URL carries it as ``name``."""
    ids = [ANY, *options]
    _begin(name, ids, ANY)
    chosen = st.selectbox(
        label,
        ids,
        format_func=lambda option: anything if option == ANY else options[option],
        key=_key(name),
        label_visibility="collapsed",
    )
    return _keep(name, chosen or ANY, ANY) or None


def one_of_many(label: str, name: str, options: Mapping[str, str]) -> str:
    """Exactly one of many ``options`` (id to words), the first by default; the URL carries it as ``name``."""
    ids = list(options)
    _begin(name, ids, ids[0])
    chosen = st.selectbox(
        label, ids, format_func=options.__getitem__, key=_key(name), label_visibility="collapsed"
    )
    return _keep(name, chosen or ids[0], ids[0])


def text(label: str, name: str, placeholder: str) -> str:
    """A line of search text; the URL parameter ``name`` carries it."""
    if _key(name) not in st.session_state:
        st.session_state[_key(name)] = st.query_params.get(name, st.session_state.get(_kept(name), ""))
    typed = st.text_input(
        label,
        key=_key(name),
        type="search",
        placeholder=placeholder,
        label_visibility="collapsed",
        max_chars=200,
    )
    return _keep(name, (typed or "").strip(), "")


def page_number(name: str, page_count: int) -> int:
    """Which page of a long table, from 1; the URL parameter ``name`` carries it."""
    wanted = st.query_params.get(name, "1")
    current = min(max(int(wanted) if wanted.isdigit() else 1, 1), max(page_count, 1))
    if page_count < 2:
        return 1
    chosen = st.pagination(page_count, default=current, key=f"{_key(name)}_of_{page_count}")
    _keep(name, str(chosen), "1", remember=False)
    return chosen


def _key(name: str) -> str:
    return f"filter_{name}"


def _kept(name: str) -> str:
    return f"kept_{name}"


def _begin(name: str, options: Sequence[str], default: str) -> None:
    """Before the widget exists: the URL wins over what was chosen earlier; unknown words are ignored."""
    if st.session_state.get(_key(name)) in options:
        return
    wanted = (st.query_params.get(name), st.session_state.get(_kept(name)), default)
    st.session_state[_key(name)] = next(word for word in wanted if word in options)


def _keep(name: str, chosen: str, default: str, *, remember: bool = True) -> str:
    if remember:
        st.session_state[_kept(name)] = chosen
    if chosen != default:
        if st.query_params.get(name) != chosen:
            st.query_params[name] = chosen
    elif name in st.query_params:
        del st.query_params[name]
    return chosen
