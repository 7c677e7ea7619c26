"""Asking in SQL: whether a person may, and the two events of each query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.desk import Desk
from runner.control.access import Target, may
from runner.control.declared import Action
from runner.control.registry import Registry

__all__ = ["Queries", "may_query"]

# Free SQL takes rows out in any shape, as an export does.
_RIGHT: Action = "export_data"


def may_query(desk: Desk, person_id: str) -> bool:
    """Whether the person may ask in SQL; asking this leaves no event."""
    return may(desk.control.registry(), person_id, _RIGHT, Target(person_id=person_id)).allowed


@dataclass(frozen=True)
class Queries:
    """Lets queries of one desk's people through and writes them into the log."""

    desk: Desk

    def asked(self, person_id: str, query_id: str, sql: str) -> None:
        """Write ``query_asked``, durable when this returns. Raises AccessRefused, with an event."""
        control = self.desk.control
        registry: Registry = control.registry()
        control.require(registry, person_id, _RIGHT, Target(person_id=person_id))
        role = registry.people[person_id].role
        with control.store.write() as tx:
            tx.emit(
                "query_asked",
                actor_id=person_id,
                person_id=person_id,
                role_id=role,
                scope=registry.roles[role].scope,
                query_id=query_id,
                query_text=sql.encode(errors="replace").decode(),  # a lone surrogate is no UTF-8
            )
        control.relay.flush()

    def ended(
        self,
        person_id: str,
        query_id: str,
        outcome: Literal["answered", "refused", "failed", "stopped"],
        rows: int | None,
        ms: int,
    ) -> None:
        """Write ``query_ended``; ``ms`` is its duration."""
        control = self.desk.control
        told = {} if rows is None else {"row_count": rows}
        with control.store.write() as tx:
            tx.emit(
                "query_ended",
                told,
                actor_id=person_id,
                person_id=person_id,
                query_id=query_id,
                query_outcome=outcome,
                duration_ns=ms * 1_000_000,
            )
        control.relay.flush()
