"""Data: which tables are there, what does each column mean, and what do they answer to my own question?"""

from __future__ import annotations

from app.live import querying
from app.views._parts import controls, described, sql_asked
from app.views._parts.page import current, empty, heading

PARTS = {"ask": "Ask in SQL", "tables": "Tables and columns"}


def render() -> None:
    """Draw the page."""
    page = current()
    heading("Data", "Which tables are there, and what do they answer?")
    if not querying.may_query(page.desk, page.person.person_id):
        empty(
            "Your role may not take rows out (export_data), and asking in SQL is that. Ask a platform lead."
        )
        return
    page.built()
    part = controls.one_of("Part", "part", list(PARTS), "ask", PARTS.__getitem__)
    if part == "ask":
        sql_asked.panel(page)
    else:
        described.panel(page)


if __name__ == "__main__":
    render()
