"""Characters that the font of PDF files and pictures has; the others are written as their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

# PDF/A refuses a character without a glyph, and names may hold any.
_NO_GLYPH = re.compile(
    r"[^ -~\u00a0-\u024f\u0370-\u03ff\u0400-\u045f\u2010-\u2026\u2030-\u203a\u20ac\u2190-\u2193\u2212]"
)


def with_glyphs(told: object) -> object:
    """``told`` with each character that the font lacks as its number; the data files hold it as it is."""
    if isinstance(told, str):
        spaced = " ".join(told.split())
        return "".join(char if _has_glyph(char) else f"[U+{ord(char):04X}]" for char in spaced)
    if isinstance(told, Mapping):
        return {name: with_glyphs(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [with_glyphs(value) for value in told]
    return told


def _has_glyph(char: str) -> bool:
    """Whether the font has the character; numbers that Unicode has not assigned are in no font."""
    return char.isprintable() and not _NO_GLYPH.match(char)
