"""What waits between reviews: refreshes that are open, agents that are to be attested."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from app.labels import plural
from app.live import attesting, refreshing
from app.views._parts.need import Need, named
from app.views._parts.page import Page


def refreshes(page: Page, now: dt.datetime) -> Iterator[Need]:
    """Refreshes that are not closed."""
    tasks = [one for one in refreshing.tasks(page.desk, page.person.person_id) if one.status != "closed"]
    if tasks:
        due = sum(one.is_due for one in tasks)
        tried = sum(one.status == "trial" for one in tasks)
        yield Need(
            icon=":material/build:",
            headline=plural(len(tasks), "refresh is open", "refreshes are open"),
            detail=f"{named([one.agent_name for one in tasks])} · {tried} on trial, {due} due",
            view="views/review.py",
            label="Open the refreshes",
            parameters={"part": "refreshes"},
        )


def attestations(page: Page, now: dt.datetime) -> Iterator[Need]:
    """Agents whose attestation is due soon, or was."""
    found = attesting.standings(page.desk, page.person.person_id)
    wanted = [one for one in found if one.word in ("due soon", "overdue", "lapsed")]
    if wanted:
        lapsed = sum(one.word == "lapsed" for one in wanted)
        yield Need(
            icon=":material/verified:",
            headline=f"{plural(len(wanted), 'agent is', 'agents are')} to be attested",
            detail=f"{named([one.agent_name for one in wanted])} · {lapsed} lapsed",
            view="views/review.py",
            label="Attest",
            parameters={"part": "between"},
        )
