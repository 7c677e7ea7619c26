"""What tool servers show of their tools, recorded: a version stays with the schema it began with.

A server may show another description or schema tomorrow. What a person reviewed is named by its hash in
registry.yaml (``schema_sha256``); a version without it stays with what it met first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runner.control.store import Transaction
from runner.control.tables import tool_pins, tool_schemas
from runner.control.versions import FrozenTool

HASH_LABEL = b"fleetbook/tool-schema/v1\0"
_S, _P = tool_schemas.c, tool_pins.c


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A tool as its server shows it: the description and the schema that a model would be given."""

    description: str
    input_schema: Mapping[str, object]

    @property
    def canonical(self) -> str:
        """Canonical JSON: sorted keys, compact."""
        tree = {"description": self.description, "input_schema": self.input_schema}
        return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def sha256(self) -> str:
        """SHA256 of label and canonical JSON, in hex."""
        return hashlib.sha256(HASH_LABEL + self.canonical.encode("utf-8", "replace")).hexdigest()


def expected(connection: Connection, agent_id: str, agent_version: int, tool: FrozenTool) -> str | None:
    """The hash that this version expects of a server's tool; None before its first use."""
    if tool.schema_sha256 is not None:
        return tool.schema_sha256
    this = sa.and_(_P.agent_id == agent_id, _P.agent_version == agent_version, _P.tool_name == tool.name)
    found: str | None = connection.execute(sa.select(_P.schema_sha256).where(this)).scalar_one_or_none()
    return found


def of_version(connection: Connection, agent_id: str, agent_version: int, tool: FrozenTool) -> Shown | None:
    """What this version froze of a server's tool, or None where that is not recorded here."""
    digest = expected(connection, agent_id, agent_version, tool)
    query = sa.select(_S.shown).where(_S.schema_sha256 == digest)
    text = connection.execute(query).scalar_one_or_none() if digest else None
    return None if text is None else Shown(**json.loads(text))


def record(tx: Transaction, tool_name: str, shown: Shown, *, person_id: str | None = None) -> None:
    """Keep what a server showed; told once per content."""
    known = sa.select(_S.schema_sha256).where(_S.schema_sha256 == shown.sha256)
    if tx.sql.execute(known).first() is not None:
        return
    row = {"schema_sha256": shown.sha256, "shown": shown.canonical, "recorded_at": tx.now}
    tx.sql.execute(sa.insert(tool_schemas), row)
    tx.emit(
        "tool_schema_recorded",
        text=shown.canonical,
        kind="specification",
        actor_id=person_id,
        person_id=person_id,
        tool_name=tool_name,
        schema_sha256=shown.sha256,
    )


def pin(tx: Transaction, agent_id: str, agent_version: int, tool: FrozenTool, shown: Shown) -> None:
    """A version meets a server's tool: record it, and stay with it from now on unless it stays already."""
    record(tx, tool.name, shown)
    if expected(tx.sql, agent_id, agent_version, tool) is not None:
        return
    row = {
        "agent_id": agent_id,
        "agent_version": agent_version,
        "tool_name": tool.name,
        "schema_sha256": shown.sha256,
        "pinned_at": tx.now,
    }
    tx.sql.execute(sa.insert(tool_pins), row)
    tx.emit(
        "tool_schema_recorded",
        agent_id=agent_id,
        agent_version=agent_version,
        tool_name=tool.name,
        schema_sha256=shown.sha256,
    )
