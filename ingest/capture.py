"""Content capture: whether prompt, answer, argument and result texts are kept, kept as a hash, or dropped.

A team and an agent may each say so in registry.yaml, a sender's token for what comes with it; the strictest
counts. The event of a text that was not kept says why in ``content_capture``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Capture: TypeAlias = Literal["off", "hashed", "on"]
STRICTEST_FIRST: tuple[Capture, ...] = ("off", "hashed", "on")


def capture_word(declared: object) -> object:
    """``declared`` as a word: YAML 1.1 reads a bare ``off`` as false and ``on`` as true."""
    return {True: "on", False: "off"}.get(declared, declared) if isinstance(declared, bool) else declared


def capture_of(declared: object) -> Capture:
    """The capture that a file declares: on when it says nothing, off when what it says is no such word."""
    word = capture_word(declared)
    if word is None:
        return "on"
    return next((capture for capture in STRICTEST_FIRST if capture == word), "off")


def strictest(*captures: Capture) -> Capture:
    """The one that keeps least; on when there is none."""
    return min(captures, key=STRICTEST_FIRST.index, default="on")
