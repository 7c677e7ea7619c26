"""Notices on their way: routed by registry.yaml, sent through Apprise, tried again, each try an event.

A notice is sent at least once: whoever dies between sending and writing it down leaves it to be sent again.
Nothing here logs a URL: it may hold a password.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ingest.contract import Value
from runner.control.registry_extras import Notification
from runner.control.store import Transaction
from runner.control.tables import notice_sends, notices

if TYPE_CHECKING:
    from pathlib import Path

    from runner.control.core import Core

FILE = "file"
# Within one try Apprise tries again by itself, this often and after this many seconds.
_TRIES, _TRY_PAUSE_S = 2, 1.0
# After a failed try: a mail server that restarts is back in minutes, one that is down may need the morning.
_PAUSES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480))
# Longer than one try may take; then somebody else may send it.
_SENDING = dt.timedelta(minutes=5)
_BATCH = 50

_N, _S = notices.c, notice_sends.c
_HTTP_STATUS = re.compile(r"error=(\d{3})")


@dataclass(frozen=True, kw_only=True)
class Send:
    """One notice for one place; ``attempt`` is the number of this try, from 1."""

    notice_id: str
    notification_id: str
    notice_kind: str
    team_id: str | None
    title: str
    text: str
    about: Mapping[str, Value]
    raised_at: dt.datetime
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A try and its end: ``problem`` is None when it was taken; ``again_at`` is None when it was given up."""

    send: Send
    problem: str | None
    again_at: dt.datetime | None = None


class NotTaken(Exception):
    """The place did not take the notice; the message says why, without the URL."""


def send_due(control: Core) -> list[Tried]:
    """Send every notice that is due; returns each try. Slow places make it slow: up to seconds per notice."""
    tried = []
    while _is_due(control) and (batch := _claim(control)):
        places = {one.id: one for one in control.registry().notifications}
        for send in batch:
            problem = _try(control.workspace.notices_file, places.get(send.notification_id), send)
            tried.append(_note(control, send, problem))
    if tried:
        control.relay.flush()
    return tried


def _is_due(control: Core) -> bool:
    """Looked up before anything is locked: most of the time nothing is due."""
    with control.store.read() as connection:
        new = sa.select(_N.notice_id).where(_N.routed_at.is_(None)).limit(1)
        due = (
            sa.select(_S.notice_id).where(_S.status == "waiting", _S.due_at <= control.store.clock()).limit(1)
        )
        return any(connection.execute(query).first() is not None for query in (new, due))


def _claim(control: Core) -> list[Send]:
    """Route what is new, and take what is due; others leave it alone for a while."""
    with control.store.write() as tx:
        _route(tx, control.registry_in(tx.sql).notifications)
        due = sa.and_(_S.status == "waiting", _S.due_at <= tx.now)
        query = (
            sa.select(notices, _S.notification_id, _S.attempt, _S.due_at)
            .join(notice_sends, _S.notice_id == _N.notice_id)
            .where(due)
            .order_by(_S.due_at, _N.notice_id)
            .limit(_BATCH)
        )
        taken = []
        for row in tx.sql.execute(query).all():
            this = sa.and_(
                _S.notice_id == row.notice_id,
                _S.notification_id == row.notification_id,
                _S.due_at == row.due_at,
            )
            mine = sa.update(notice_sends).where(this)
            if tx.sql.execute(mine.values(due_at=tx.now + _SENDING, attempt=_S.attempt + 1)).rowcount:
                taken.append(_send(row))
    return taken


def _send(row: sa.Row[tuple[object, ...]]) -> Send:
    return Send(
        notice_id=row.notice_id,
        notification_id=row.notification_id,
        notice_kind=row.notice_kind,
        team_id=row.team_id,
        title=row.title,
        text=row.text,
        about=json.loads(row.about),
        raised_at=row.raised_at,
        attempt=row.attempt + 1,
    )


def _route(tx: Transaction, places: Sequence[Notification]) -> None:
    new = tx.sql.execute(sa.select(notices).where(_N.routed_at.is_(None)).with_for_update()).all()
    if not new:
        return
    rows = [
        {
            "notice_id": row.notice_id,
            "notification_id": place_id,
            "status": "waiting",
            "attempt": 0,
            "due_at": tx.now,
        }
        for row in new
        for place_id in (FILE, *_places_of(row, places))
    ]
    tx.sql.execute(sa.insert(notice_sends), rows)
    ids = [row.notice_id for row in new]
    tx.sql.execute(sa.update(notices).where(_N.notice_id.in_(ids)).values(routed_at=tx.now))


def _places_of(row: sa.Row[tuple[object, ...]], places: Sequence[Notification]) -> list[str]:
    """Ids of the notifications that a notice goes to: those it names, else those that want it."""
    if row.places:
        named = json.loads(row.places)
        return [one.id for one in places if one.id in named]
    return [one.id for one in places if wants(one, row.notice_kind, row.team_id)]


def wants(place: Notification, kind: str, team_id: str | None) -> bool:
    """Whether ``place`` gets notices of this kind about this team."""
    return (not place.kinds or kind in place.kinds) and (place.team is None or place.team == team_id)


def _try(file: Path, place: Notification | None, send: Send) -> str | None:
    """One try; None when it was taken, else why not."""
    try:
        if send.notification_id == FILE:
            _write_line(file, send)
        elif place is None:
            return "the notification is no longer declared in registry.yaml"
        else:
            _send_by_url(place.url, send.title, send.text)
    except (NotTaken, OSError) as error:
        return str(error)
    return None


def _write_line(file: Path, send: Send) -> None:
    line = {
        "raised_at": send.raised_at.isoformat(),
        "kind": send.notice_kind,
        "team_id": send.team_id,
        "title": send.title,
        "text": send.text,
        **send.about,
        "notice_id": send.notice_id,
    }
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _send_by_url(url: str, title: str, text: str) -> None:
    """Raises NotTaken."""
    import apprise  # a sixth of a second, and only senders need it

    try:
        full = Template(url).substitute(os.environ)
    except KeyError as error:
        raise NotTaken(f"environment variable {error.args[0]} is not set") from None
    except ValueError:
        raise NotTaken("a ${VARIABLE} of the URL is misspelt") from None
    asset = apprise.AppriseAsset(default_service_retry=_TRIES, default_service_wait=_TRY_PAUSE_S)
    places = apprise.Apprise(asset=asset)
    # Apprise tells failures to Python's logging only.
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as captured:  # type: ignore[no-untyped-call]
        is_known = places.add(full)
        is_taken = is_known and places.notify(body=text, title=title)
        status = _HTTP_STATUS.search(captured.getvalue())
    if not is_known:
        raise NotTaken("the URL is none that Apprise knows")
    if not is_taken:
        scheme = url.partition(":")[0] if "$" not in url.partition(":")[0] else "the service"
        raise NotTaken(f"{scheme} did not take it" + (f" (HTTP status {status[1]})" if status else ""))


def _note(control: Core, send: Send, problem: str | None) -> Tried:
    about: dict[str, Value] = {
        **send.about,
        "team_id": send.team_id,
        "notice_id": send.notice_id,
        "notice_kind": send.notice_kind,
        "notification_id": send.notification_id,
        "attempt": send.attempt,
    }
    columns = {name: about[name] for name in about if name not in ("approval_id", "wallet_id", "rule_id")}
    this = sa.and_(_S.notice_id == send.notice_id, _S.notification_id == send.notification_id)
    change = sa.update(notice_sends).where(this)
    with control.store.write() as tx:
        if problem is None:
            tx.sql.execute(change.values(status="sent"))
            tx.emit("notice_sent", columns)
            return Tried(send=send, problem=None)
        pause = _PAUSES[send.attempt - 1] if send.attempt <= len(_PAUSES) else None
        again_at = None if pause is None else tx.now + pause
        tx.sql.execute(
            change.values(status="given_up") if again_at is None else change.values(due_at=again_at)
        )
        tx.emit("notice_failed", columns, reason=problem, expires_at=again_at)
    return Tried(send=send, problem=problem, again_at=again_at)
