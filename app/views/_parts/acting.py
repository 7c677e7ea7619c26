"""What a click does: act, begin anew with what was written, and say it once; a refusal is said at once."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.labels import md_escape


def act(key: str, do: Callable[[], str], *, icon: str = ":material/error:") -> None:
    """Do it and rerun the page; the sentence that ``do`` returns (Markdown) waits for :func:`said`.

    A product error is shown where it happened, with ``icon``, and nothing is rerun.
    """
    try:
        st.session_state[key] = do()
    except PRODUCT_ERRORS as error:
        st.error(md_escape(error), icon=icon)
        return
    st.rerun()


def said(key: str) -> None:
    """Say what the last click under ``key`` wrote, once, after the rerun that follows it."""
    line = st.session_state.pop(key, None)
    if line:
        st.success(line, icon=":material/check_circle:")
