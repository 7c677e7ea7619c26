"""Notices: what people should hear of, kept in the transaction that makes it true, sent afterwards.

Whoever changes state calls :func:`put`; :mod:`runner.control.sending` brings notices to the workspace's
file and to the places that registry.yaml names under notifications.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from ingest.contract import Value, new_event_id
from runner.control.store import Transaction
from runner.control.tables import notices

_PUT = sa.insert(notices)
# What a reader of the notice needs to find the thing it is about.
_ABOUT = ("agent_id", "run_id", "approval_id", "wallet_id", "rule_id", "actor_id")


def put(
    tx: Transaction,
    *,
    kind: str,
    team_id: str | None,
    title: str,
    text: str,
    about: Mapping[str, Value] | None = None,
    places: Sequence[str] = (),
) -> str:
    """Keep a notice within ``tx`` and tell it as notice_raised; returns its id.

    ``kind`` is a word of registry.yaml's notifications (``wallet-threshold``, ``approval-waiting``, …),
    ``title`` one line, ``text`` some sentences without secrets or payload texts. ``about`` are event columns
    that say what it is about: agent_id, run_id, approval_id, wallet_id, rule_id, actor_id; others are
    left out. Without a team it goes to notifications without a team only. ``places`` are ids of
    notifications that get it whatever kinds and team they want, and no others do.
    """
    notice_id = new_event_id(tx.now)
    named = {name: (about or {}).get(name) for name in _ABOUT if (about or {}).get(name) is not None}
    row = {
        "notice_id": notice_id,
        "notice_kind": kind,
        "team_id": team_id,
        "title": title,
        "text": text,
        "about": json.dumps(named),
        "raised_at": tx.now,
        "places": json.dumps(list(places)) if places else None,
    }
    tx.sql.execute(_PUT, row)
    tx.emit(
        "notice_raised",
        named,
        notice_id=notice_id,
        notice_kind=kind,
        team_id=team_id,
        reason=title,
    )
    return notice_id
