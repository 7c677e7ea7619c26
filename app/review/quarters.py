"""Quarters of the calendar, in the company's days."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from app.errors import ReviewError

_LABEL = re.compile(r"^(\d{4})-?Q([1-4])$", re.IGNORECASE)


class Quarter(NamedTuple):
    """One quarter: year and number 1 to 4."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Quarter:
        """The quarter written as ``2026Q3``. Raises ReviewError."""
        found = _LABEL.match(text.strip())
        if found is None:
            raise ReviewError(f"No quarter: {text!r}. Write it as year and quarter, for example 2026Q3.")
        return cls(int(found.group(1)), int(found.group(2)))

    @classmethod
    def of(cls, day: dt.date) -> Quarter:
        """The quarter of ``day``."""
        return cls(day.year, (day.month + 2) // 3)

    @property
    def first_day(self) -> dt.date:
        """Its first day."""
        return dt.date(self.year, 3 * self.number - 2, 1)

    @property
    def last_day(self) -> dt.date:
        """Its last day."""
        return self.back(-1).first_day - dt.timedelta(days=1)

    def back(self, count: int) -> Quarter:
        """The quarter ``count`` quarters before; negative is after."""
        year, number = divmod(self.year * 4 + self.number - 1 - count, 4)
        return Quarter(year, number + 1)

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"
