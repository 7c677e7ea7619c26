"""Who of the registry signed in: found by subject or verified e-mail address, told once per sign-in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from app.desk import Desk, Person
from app.sign_in import Claims, identity_of

__all__ = ["Arrivals", "signed_in"]


def signed_in(desk: Desk, claims: Claims) -> Person | None:
    """The declared person whom the claims name, None when they name nobody.

    A person with a ``subject`` is found by it alone, because an e-mail address can be given to somebody else.
    """
    known = identity_of(claims)
    people = desk.control.registry().people
    for person_id, person in people.items():
        if person.subject is not None:
            is_meant = person.subject == known.subject
        else:
            is_meant = bool(known.email) and (person.email or "").casefold() == known.email
        if is_meant:
            return next(one for one in desk.people() if one.person_id == person_id)
    return None


@dataclass
class Arrivals:
    """The sign-ins that this process has seen: each is told once as ``signed_in``."""

    _seen: set[tuple[str, str]] = field(default_factory=set)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, desk: Desk, person: Person, claims: Claims) -> None:
        """Write ``signed_in``, once per person and sign-in (the time it was made)."""
        arrival = (person.person_id, f"{claims.get('sid') or ''}{claims.get('iat')}")
        with self._turn:
            if arrival in self._seen:
                return
            self._seen.add(arrival)
        with desk.control.store.write() as tx:
            tx.emit(
                "signed_in", actor_id=person.person_id, person_id=person.person_id, role_id=person.role_id
            )
        desk.control.relay.flush()
