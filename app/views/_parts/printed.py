"""The page on paper: what its parts drew in this run, and the button that takes it out as a PDF."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.errors import PRODUCT_ERRORS
from app.export.package import Order
from app.export.page_pdf import Sheet, Shown
from app.export.service import export_order
from app.labels import md_escape
from app.views._parts import exporting
from app.views._parts.page import Page

_PARTS = "fleetbook_printed"


def begin() -> None:
    """Before a page is drawn: a new sheet."""
    st.session_state[_PARTS] = {}


def add(key: str, part: Callable[[], list[Shown]]) -> None:
    """A part of the page under ``key``, worked out when the page is printed; drawn anew it is replaced."""
    st.session_state.setdefault(_PARTS, {})[key] = part


def button(page: Page, name: str, title: str) -> None:
    """At the page's end: take it out as a PDF, as an export with a manifest and an event."""
    parts: dict[str, Callable[[], list[Shown]]] = st.session_state.get(_PARTS, {})
    if not parts:
        return
    if st.button("PDF of this page", icon=":material/picture_as_pdf:", type="tertiary", key="print_page"):
        try:
            exporting.keep(_exported(page, name, title, [one for part in parts.values() for one in part()]))
        except PRODUCT_ERRORS as error:
            st.error(md_escape(error), icon=":material/error:")
    exporting.offer(page, name)


def _exported(page: Page, name: str, title: str, parts: list[Shown]) -> exporting.Made:
    filters = {key: value for key, value in st.query_params.items() if key not in ("as", "rows")}
    told = ", ".join(f"{key}: {value}" for key, value in filters.items())
    build = page.warehouse
    order = Order(
        scope=page.scope,
        mart=name,
        filters=filters,
        is_demo=page.is_demo,
        build_id=build.build_id if build else "none",
        data_until=(build.data_until or build.built_at) if build else page.now,
        content=Sheet(
            title=title,
            lines=(f"Seen by {page.person.name}", *((told,) if told else ())),
            parts=parts,
            is_demo=page.is_demo,
        ),
        suffix="pdf",
    )
    return export_order(order, page.desk, page.export_dir, page.now)
