"""Rates with their interval: the one place where Wilson's formula stands."""

from __future__ import annotations

import polars as pl

_Z = 1.959963984540054
"""Standard normal quantile of 97.5 %: two-sided 95 %."""


def wilson(successes: pl.Expr, total: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper bound of Wilson's 95 % score interval for ``successes`` of ``total``; null for total 0.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n): Wilson, JASA 22 (1927).
    """
    n = pl.when(total > 0).then(total.cast(pl.Float64))
    p = successes.cast(pl.Float64) / n
    centre = p + _Z**2 / (2 * n)
    spread = _Z * (p * (1 - p) / n + _Z**2 / (4 * n**2)).sqrt()
    scale = 1 + _Z**2 / n
    return ((centre - spread) / scale).clip(0, 1), ((centre + spread) / scale).clip(0, 1)


def with_rate(frame: pl.DataFrame, rate: str, successes: str, total: str) -> pl.DataFrame:
    """``frame`` with ``rate``, ``<rate>_low`` and ``<rate>_high``; null where ``total`` is 0 or null."""
    k, n = pl.col(successes), pl.col(total)
    low, high = wilson(k, n)
    share = pl.when(n > 0).then(k.cast(pl.Float64) / n.cast(pl.Float64))
    return frame.with_columns(share.alias(rate), low.alias(f"{rate}_low"), high.alias(f"{rate}_high"))
