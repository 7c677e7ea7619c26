"""Applied registries: the newest revision counts, for every question and every process."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control.prepared import Prepared
from runner.control.registry import Registry
from runner.control.tables import registry_revisions

# Number of the applied registry, null before the first time.
REVISION = sa.func.max(registry_revisions.c.revision).label("revision")
_REVISION = Prepared(sa.select(REVISION))
_LATEST = sa.select(registry_revisions.c.body).order_by(registry_revisions.c.revision.desc()).limit(1)


def latest_revision(connection: Connection) -> int:
    """Number of the applied registry, 0 before the first time."""
    return int(_REVISION.one(connection, {}).revision or 0)


def applied_registry(connection: Connection) -> Registry | None:
    """What is applied, or None before the first time."""
    body = connection.execute(_LATEST).scalar_one_or_none()
    return None if body is None else Registry.model_validate_json(body)
