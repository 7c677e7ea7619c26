"""What one person did just now is told once: a page that draws itself anew is no second reading."""

from __future__ import annotations

import threading
import time


class Lately:
    """Remembers keys for ``seconds``. Thread-safe; what is older is forgotten."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[tuple[str, str], float] = {}
        self._turn = threading.Lock()

    def is_new(self, key: tuple[str, str]) -> bool:
        """True when ``key`` was not noted within the time; it is noted then."""
        now = time.monotonic()
        with self._turn:
            self._seen = {one: at for one, at in self._seen.items() if now - at < self._seconds}
            if key in self._seen:
                return False
            self._seen[key] = now
            return True
