"""What `fleetbook doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "look", "broken"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: ``ok``, worth a ``look``, or ``broken``, which includes unreadable.

    ``words`` say what is so, with its values; ``advice`` what to do, empty where nothing is to be done.
    """

    subject: str
    state: State
    words: str
    advice: str = ""
