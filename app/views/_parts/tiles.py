"""A number tile: label, value with unit, k of n and interval, change in words and sign, and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from app.export.page_pdf import TileShown
from app.labels import MINUS, NBSP, UNKNOWN
from app.views._parts import behind, printed
from app.views._parts.behind import Behind

Good = Literal["up", "down", "neither"]
_COLOURS: dict[str, Literal["green", "red", "gray"]] = {"better": "green", "worse": "red", "": "gray"}


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number: ``basis`` is k of n and interval, ``is_small`` greys it, ``good`` is the better way.

    ``behind`` is the rows it is made of: no number stands on a page without. ``against`` is what it is
    compared with: value, k of n and interval.
    """

    label: str
    shown: str
    behind: Behind
    basis: str = ""
    change: str = ""
    against: str = ""
    meaning: str = ""
    is_small: bool = False
    good: Good = "neither"

    @property
    def verdict(self) -> str:
        """The change in a word, so that its colour says nothing that words do not; empty when it is none."""
        if self.good == "neither" or self.change[:1] not in ("+", MINUS):
            return ""
        return "better" if (self.change[0] == "+") == (self.good == "up") else "worse"


def row(tiles: Sequence[Tile], *, per_row: int = 4, is_alone: bool = False) -> None:
    """The tiles in rows of ``per_row``, of two on a narrow screen.

    ``is_alone``: they stand in a part of the page that refreshes by itself.
    """
    printed.add(f"tiles_{tiles[0].behind.key}" if tiles else "tiles", lambda: [_shown(one) for one in tiles])
    for start in range(0, len(tiles), per_row):
        with st.container(horizontal=True):
            for one in tiles[start : start + per_row]:
                _tile(one, is_alone)


def _shown(one: Tile) -> TileShown:
    change = f"{one.change} {one.verdict}".strip()
    basis = f"{one.basis}; {one.against}" if one.against else one.basis
    return TileShown(label=one.label, shown=one.shown, basis=basis, change=change)


def _tile(one: Tile, is_alone: bool) -> None:
    is_grey = one.is_small or one.shown == UNKNOWN
    shown = one.shown.replace(f"{NBSP}USD", f"{NBSP}:small[USD]")
    with st.container(border=True, width="stretch", height="stretch", gap="xsmall"):
        st.metric(
            one.label,
            f":gray[{shown}]" if is_grey else shown,
            one.change or None,
            delta_color="gray" if is_grey else _COLOURS[one.verdict],
            delta_arrow="off",
            delta_description=one.verdict or None,
            help=one.meaning or None,
        )
        st.caption(one.basis or "\u00a0", width="stretch")
        if one.against:
            st.caption(one.against, width="stretch")
        behind.button(one.behind, is_alone=is_alone)
