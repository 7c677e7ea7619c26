"""A number tile: label, value with unit, k of n and interval in small type, change in words and sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from app.labels import UNKNOWN

Good = Literal["up", "down", "neither"]
_DELTA: dict[Good, Literal["normal", "inverse", "off"]] = {
    "up": "normal",
    "down": "inverse",
    "neither": "off",
}


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number: ``basis`` is k of n and interval, ``is_small`` greys it, ``good`` is the better way."""

    label: str
    shown: str
    basis: str = ""
    change: str = ""
    compared_with: str = ""
    meaning: str = ""
    is_small: bool = False
    good: Good = "neither"


def row(tiles: Sequence[Tile], *, per_row: int = 4) -> None:
    """The tiles in rows of ``per_row``; on a narrow screen one below the other."""
    for start in range(0, len(tiles), per_row):
        for column, one in zip(st.columns(per_row), tiles[start : start + per_row], strict=False):
            with column:
                _tile(one)


def _tile(one: Tile) -> None:
    is_grey = one.is_small or one.shown == UNKNOWN
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.metric(
            one.label,
            f":gray[{one.shown}]" if is_grey else one.shown,
            one.change or None,
            delta_color="off" if is_grey else _DELTA[one.good],
            delta_arrow="off",
            delta_description=one.compared_with if one.change else None,
            help=one.meaning or None,
        )
        st.caption(one.basis or "\u00a0")
