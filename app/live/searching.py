"""Searching the texts of runs: only of those that a person may read, and each search leaves an event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.desk import Desk
from app.lately import Lately
from app.warehouse import Scoped
from ingest.payload_search import TextHits, runs_with_text
from runner.control import content_grants
from runner.control.access import Target

__all__ = ["Found", "Searches", "TextHits", "may_read_texts"]

SECONDS = 0.8
MAX_RUNS = 2_000
# A page asks again at every click: the same words within this time count, and are recorded, as one search.
_ONE_SEARCH_S = 900.0


class Found(NamedTuple):
    """Runs found by their texts, of those the person may read; ``unread`` says what was not looked at."""

    run_ids: tuple[str, ...]
    unread: str


def may_read_texts(desk: Desk, person_id: str) -> bool:
    """Whether the person may read texts at all; of which runs, each search decides."""
    control = desk.control
    registry = control.registry()
    person = registry.people.get(person_id)
    if person is None or "read_payload" in registry.roles[person.role].may:
        return person is not None
    now = control.store.clock()
    with control.store.read() as connection:
        return any(one.is_in_force(now) for one in content_grants.of_person(connection, person_id))


def hits(desk: Desk, wanted: str, first_date: dt.date) -> TextHits:
    """Runs with ``wanted`` in a text since ``first_date``, whoever may read them: never shown as they are."""
    # A run's texts may have been written a little before the day that it is counted on.
    since = first_date - dt.timedelta(days=31)
    return runs_with_text(
        desk.control.workspace.record, wanted, first_month=f"{since:%Y-%m}", seconds=SECONDS
    )


@dataclass
class Searches:
    """Lets searches through by the right to read texts and tells each once."""

    _told: Lately = field(default_factory=lambda: Lately(_ONE_SEARCH_S))

    def found(self, desk: Desk, scoped: Scoped, wanted: str, found: TextHits, *, is_demo: bool) -> Found:
        """``found`` without the runs whose texts the person may not read. Writes ``texts_searched``."""
        person_id = scoped.scope.person_id
        asked = sorted(found.run_ids, reverse=True)[:MAX_RUNS]
        readable = tuple(self._readable(desk, scoped, asked, is_demo)) if asked else ()
        self._tell(desk, person_id, wanted, len(readable))
        return Found(readable, _unread(found, len(asked)))

    def _readable(self, desk: Desk, scoped: Scoped, run_ids: list[str], is_demo: bool) -> Iterable[str]:
        control, person_id = desk.control, scoped.scope.person_id
        registry, now = control.registry(), control.store.clock()
        rows = scoped.query("targets_of_runs", is_demo=is_demo, text_run_ids="\n".join(run_ids))
        with control.store.read() as connection:
            for run_id, agent_id, team_id, actor_id in rows.iter_rows():
                target = Target(agent_id=agent_id, team_id=team_id, person_id=actor_id)
                reading = content_grants.reading(connection, registry, person_id, target, now, run_id=run_id)
                if reading.is_allowed:
                    yield run_id

    def _tell(self, desk: Desk, person_id: str, wanted: str, count: int) -> None:
        if not self._told.is_new((person_id, wanted)):
            return
        with desk.control.store.write() as tx:
            tx.emit(
                "texts_searched",
                actor_id=person_id,
                person_id=person_id,
                role_id=desk.control.registry().people[person_id].role,
                query_text=wanted,
                row_count=count,
            )
        desk.control.relay.flush()


def _unread(found: TextHits, asked: int) -> str:
    """What was not looked at, in words; empty when everything was."""
    told = []
    if found.unread_month:
        told.append(f"texts of {found.unread_month} and before were not read: name a shorter period")
    if len(found.run_ids) > asked:
        told.append(f"only {asked:,} of the runs with these words were looked at: search for more words")
    if found.locked:
        told.append(f"{found.locked:,} texts are encrypted with a key that is not at hand")
    return "; ".join(told)
