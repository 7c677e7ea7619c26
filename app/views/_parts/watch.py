"""A page that looks again by itself: it runs anew only when what it shows has changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import streamlit as st

from app.views._parts.page import Page, current

REFRESH_S = 5


@st.fragment(run_every=REFRESH_S)
def run_anew_on_change(ask: Callable[[Page], Hashable], shown: Hashable) -> None:
    """Every few seconds ask again; when the answer is another than ``shown``, run the page anew."""
    if ask(current()) != shown:
        st.rerun()
