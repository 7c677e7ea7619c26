"""The worked questions of docs/analysts.md, read from there, so that page and document agree."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "analysts.md"
_QUESTION = re.compile(r"^(\d+)\. (.+?)\n\n```sql\n(.+?)```", re.MULTILINE | re.DOTALL)
_REAL_ROWS = re.compile(r"\bnot (?=(?:\w+\.)?is_demo\b)")


class WorkedQuestion(NamedTuple):
    """A question in words and in SQL, over real rows."""

    number: int
    title: str
    sql: str

    def over(self, *, is_demo: bool) -> str:
        """The SQL over demo rows, or as it is over real ones."""
        return _REAL_ROWS.sub("", self.sql) if is_demo else self.sql


@lru_cache(maxsize=1)
def worked_questions() -> tuple[WorkedQuestion, ...]:
    """All of them, in order; none where the documents are not installed."""
    if not _DOCUMENT.exists():
        return ()
    found = _QUESTION.findall(_DOCUMENT.read_text(encoding="utf-8"))
    return tuple(
        WorkedQuestion(int(number), title.split(" (")[0], sql.strip()) for number, title, sql in found
    )
