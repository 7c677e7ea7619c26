"""The palette: colours of the light and the dark theme, of teams and of outcomes, the same on every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours of one theme (light or dark), as hex."""

    series: tuple[str, ...]
    accent: str
    muted: str
    faint: str
    text: str
    background: str
    good: str
    fair: str
    bad: str
    off: str


# Series: Okabe and Ito (2008), told apart with every common colour vision deficiency; also in config.toml.
LIGHT = Palette(
    series=("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    accent="#1F5F99",
    muted="#5B6875",
    faint="#E6EAEE",
    text="#1B2530",
    background="#FFFFFF",
    good="#0072B2",
    fair="#E69F00",
    bad="#D55E00",
    off="#B8C0C8",
)
DARK = Palette(
    series=("#4FA8E0", "#F0B53C", "#3CC49A", "#E3A0C6", "#8FD0F5", "#F08A4B"),
    accent="#6FB3E8",
    muted="#9AA7B4",
    faint="#26303A",
    text="#E4E9EE",
    background="#10161C",
    good="#4FA8E0",
    fair="#F0B53C",
    bad="#F08A4B",
    off="#55626F",
)


def palette(theme: str | None) -> Palette:
    """The palette of a theme named ``light`` or ``dark``; light when it is not known."""
    return DARK if theme == "dark" else LIGHT


def outcome_colours(colours: Palette) -> dict[str, str]:
    """Outcome to colour; the same four everywhere."""
    return {
        "clean": colours.good,
        "intervened": colours.fair,
        "failed": colours.bad,
        "cancelled": colours.off,
    }


def team_colours(team_ids: Sequence[str], colours: Palette) -> dict[str, str]:
    """Team to colour by its place among all teams of the directory, so that it keeps it on every page."""
    return {team: colours.series[index % len(colours.series)] for index, team in enumerate(sorted(team_ids))}
