"""Signatures under the evidence pack of a month: who stands for it, over which manifest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.contract import new_event_id
from runner.control import notices
from runner.control.access import WHOLE_COMPANY
from runner.control.assurance_tables import report_signatures
from runner.control.store import Transaction
from runner.errors import AssuranceRefused

if TYPE_CHECKING:
    from runner.control.core import Core

_S = report_signatures.c


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One signature over the manifest of a month's pack; ``is_second_needed`` as declared then."""

    signature_id: str
    check_month: str
    content_sha256: str
    person_id: str
    statement: str
    signed_at: dt.datetime
    is_second_signature: bool
    is_second_needed: bool


_FIELDS = tuple(Signature.__dataclass_fields__)


def sign(
    control: Core, check_month: str, content_sha256: str, person_id: str, statement: str, *, is_second: bool
) -> Signature:
    """Sign the pack whose manifest has ``content_sha256``; whoever calls this has checked the pack.

    Raises AssuranceRefused when the person signed it already, when it is signed and no second signature is
    asked for, or when a second one is given to a pack that nobody signed; AccessRefused.
    """
    registry = control.registry()
    control.require(registry, person_id, "sign_report", WHOLE_COMPANY)
    with control.store.write() as tx:
        given = [one for one in of_month(tx.sql, check_month) if one.content_sha256 == content_sha256]
        _check(check_month, given, person_id, statement, is_second=is_second)
        signature = Signature(
            signature_id=new_event_id(tx.now),
            check_month=check_month,
            content_sha256=content_sha256,
            person_id=person_id,
            statement=statement.strip(),
            signed_at=tx.now,
            is_second_signature=is_second,
            is_second_needed=registry.oversight.signatures_needed > 1,
        )
        row = {name: getattr(signature, name) for name in _FIELDS}
        tx.sql.execute(sa.insert(report_signatures), row)
        tx.emit(
            "report_signed",
            actor_id=person_id,
            person_id=person_id,
            check_month=check_month,
            content_sha256=content_sha256,
            reason=signature.statement,
            is_second_signature=is_second,
            is_confirmation_needed=signature.is_second_needed,
        )
        if signature.is_second_needed and not is_second:
            _ask_for_second(tx, signature)
    control.relay.flush()
    return signature


def of_month(connection: Connection, check_month: str | None = None) -> list[Signature]:
    """Signatures of the month, or of all, oldest first."""
    query = sa.select(report_signatures).order_by(_S.signed_at, _S.signature_id)
    if check_month is not None:
        query = query.where(_S.check_month == check_month)
    return [Signature(**{name: getattr(row, name) for name in _FIELDS}) for row in connection.execute(query)]


def is_complete(given: list[Signature]) -> bool:
    """Whether the signatures over one pack are all that were needed."""
    people = {one.person_id for one in given}
    return bool(given) and len(people) >= (2 if given[-1].is_second_needed else 1)


def _check(
    check_month: str, given: list[Signature], person_id: str, statement: str, *, is_second: bool
) -> None:
    about = f"the pack of {check_month}"
    if not statement.strip():
        raise AssuranceRefused(about, "a statement is missing", "Say in one sentence what you sign.")
    if person_id in {one.person_id for one in given}:
        advice = "A second signature is another person's."
        raise AssuranceRefused(about, f"{person_id} has signed it", advice)
    if given and not is_second:
        problem = f"{given[0].person_id} has signed it"
        raise AssuranceRefused(about, problem, "Add --second to sign as the second person.")
    if is_second and not given:
        raise AssuranceRefused(about, "nobody signed it yet", "Leave --second out.")


def _ask_for_second(tx: Transaction, signature: Signature) -> None:
    notices.put(
        tx,
        kind="second-signature",
        team_id=None,
        title=f"The check of {signature.check_month} needs a second signature",
        text=f"{signature.person_id} signed it. `fleetbook sign --month {signature.check_month} --second`.",
        about={"actor_id": signature.person_id},
    )
