"""A number tile: label, value with unit, k of n and interval in small type, change in words and sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from app.labels import MINUS, NBSP, UNKNOWN

Good = Literal["up", "down", "neither"]
_COLOURS: dict[str, Literal["green", "red", "gray"]] = {"better": "green", "worse": "red", "": "gray"}


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number: ``basis`` is k of n and interval, ``is_small`` greys it, ``good`` is the better way."""

    label: str
    shown: str
    basis: str = ""
    change: str = ""
    meaning: str = ""
    is_small: bool = False
    good: Good = "neither"

    @property
    def verdict(self) -> str:
        """The change in a word, so that its colour says nothing that words do not; empty when it is none."""
        if self.good == "neither" or self.change[:1] not in ("+", MINUS):
            return ""
        return "better" if (self.change[0] == "+") == (self.good == "up") else "worse"


def row(tiles: Sequence[Tile], *, per_row: int = 4) -> None:
    """The tiles in rows of ``per_row``, of two on a narrow screen."""
    for start in range(0, len(tiles), per_row):
        with st.container(horizontal=True):
            for one in tiles[start : start + per_row]:
                _tile(one)


def _tile(one: Tile) -> None:
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
        st.caption(one.basis or "\u00a0")
