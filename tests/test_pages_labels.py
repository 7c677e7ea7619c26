"""How numbers, times and foreign words are written on the pages."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import charts, labels, palette, wallet_chart

BERLIN = ZoneInfo("Europe/Berlin")


def spaced(text: str) -> str:
    """``text`` with plain spaces, so that expectations can be typed."""
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Decimal("1234567.891"), "1,234,567.89 USD"),
        (Decimal("1"), "1.00 USD"),
        (Decimal("0.0421398"), "0.04214 USD"),
        (Decimal("0.000001234"), "0.000001234 USD"),
        (Decimal("-3.505"), "−3.50 USD"),
        (0.1 + 0.2, "0.30 USD"),
        (Decimal("0.0008"), "0.0008 USD"),
        (Decimal(0), "0 USD"),
        (None, "unknown"),
    ],
)
def test_money_has_two_decimals_above_one_and_four_digits_below(amount: Decimal | None, shown: str) -> None:
    assert spaced(labels.money(amount)) == shown


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 ms"),
        (820, "820 ms"),
        (1_800, "1.8 s"),
        (60_000, "60 s"),
        (180_000, "3 min"),
        (9_000_000, "2.5 h"),
        (4 * 86_400_000, "4 d"),
        (None, "unknown"),
    ],
)
def test_a_duration_has_the_unit_a_person_would_say(milliseconds: float | None, shown: str) -> None:
    assert spaced(labels.duration(milliseconds)) == shown


def test_a_rate_is_shown_with_its_basis_and_interval() -> None:
    assert spaced(labels.share(Decimal("0.9342"))) == "93.4 %"
    assert labels.fraction(1234, 1300) == "1,234 of 1,300"
    assert spaced(labels.interval(0.914, 0.951)) == "95 %: 91–95 %"
    assert labels.interval(None, None) == ""


def test_a_change_says_its_direction_in_a_sign_and_is_empty_without_meaning() -> None:
    assert spaced(labels.change(103, 100)) == "+3.0 %"
    assert spaced(labels.change(50, 100)) == "−50 %"
    assert spaced(labels.change(100, 100)) == "±0.0 %"
    assert labels.change(5, 0) == labels.change(None, 4) == labels.change(4, None) == ""
    assert spaced(labels.points(-0.031)) == "−3.1 points"


def test_times_are_in_the_companys_zone_and_freshness_in_utc() -> None:
    time = dt.datetime(2026, 11, 22, 23, 5, tzinfo=dt.UTC)
    assert labels.moment(time, BERLIN) == "23 Nov 2026, 00:05"
    assert labels.moment_utc(time) == "2026-11-22 23:05 UTC"
    assert labels.clock(time, time) == "23:05 UTC"
    assert labels.clock(time, time + dt.timedelta(hours=1)) == "22 Nov 2026, 23:05 UTC"


@given(st.text())
def test_escaped_text_keeps_no_active_markdown_character(text: str) -> None:
    escaped = labels.md_escape(text)
    bare = escaped.replace("\\\\", "")
    for char in "`*_{}[]()<>#!|~:$&^":
        assert bare.count(char) == bare.count(f"\\{char}"), (char, escaped)
    shown = escaped.replace("\\", "")
    assert not re.search(r"(?<!\u2060)(://|@)|www\.", shown, re.IGNORECASE)
    assert "\n" not in escaped
    assert "\r" not in escaped


def test_a_label_of_a_chart_keeps_no_tag_and_no_template() -> None:
    figure = charts.ranked(
        ["<a href='http://evil.test'>x</a> %{x}"], [1.0], palette.LIGHT, bar_colours=["#000000"]
    )
    drawn = figure.to_json()
    assert "<a" not in drawn
    assert "%{x}" not in drawn.replace("%{text}", "")


def test_a_team_keeps_its_colour_whatever_else_is_shown() -> None:
    everyone = palette.team_colours(["support", "finance", "sales"], palette.LIGHT)
    assert everyone == palette.team_colours(["sales", "support", "finance"], palette.LIGHT)
    assert len(set(everyone.values())) == 3


def test_the_free_part_of_a_wallet_bar_is_never_negative() -> None:
    bar = wallet_chart.WalletBar(name="team", spent_usd=12, held_usd=1, cap_usd=10)
    figure = wallet_chart.wallets([bar], palette.LIGHT)
    bars = [trace.x[0] for trace in figure.data if trace.type == "bar"]
    assert bars == [12, 1, 0]
