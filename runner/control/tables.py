"""The control store's tables: live state only. Money is integer nano-USD, time is UTC.

The same definitions serve SQLite and PostgreSQL; nothing here is specific to either.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

# Goes up with every release that adds a table or a column; columns come as nullable (see Store).
STORE_VERSION = 2
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FAR_FUTURE = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

# SQLite counts up by itself in INTEGER primary keys only.
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Moment(sa.types.TypeDecorator[dt.datetime]):
    """An aware datetime, kept as microseconds since 1970 UTC: exact and comparable on both engines."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> int | None:
        """Microseconds since 1970 of an aware datetime."""
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> dt.datetime | None:
        """The aware UTC datetime of microseconds since 1970."""
        return None if value is None else EPOCH + dt.timedelta(microseconds=value)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _count(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[dt.datetime]:
    return sa.Column(name, Moment, nullable=null)


METADATA = sa.MetaData()

store_facts = sa.Table(
    "store_facts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    _text("content"),
)

# What was applied of registry.yaml, whole, newest revision last.
registry_revisions = sa.Table(
    "registry_revisions",
    METADATA,
    sa.Column("revision", _SERIAL, primary_key=True, autoincrement=True),
    _moment("applied_at"),
    _text("body"),
)

# Status is decided by events only; the registry never overwrites it. The version is the one in force; a first
# version stands here before it is approved, so that the agent is known.
agents = sa.Table(
    "agents",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    _text("team_id"),
    _count("agent_version"),
    _text("version_hash"),
    _text("status"),
    _text("status_reason", null=True),
    _moment("status_decided_at"),
)

agent_versions = sa.Table(
    "agent_versions",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("agent_version", sa.BigInteger, primary_key=True),
    _text("version_hash"),
    _text("spec"),
    _moment("declared_at"),
    _text("declared_by", null=True),
    # Null for versions of stores from before versions were approved: they stay in force.
    sa.Column("is_approval_needed", sa.Boolean, nullable=True),
    _text("approved_by", null=True),
    _moment("approved_at", null=True),
)

# status: queued, running (under a lease), waiting (for a person), ready (decided), ended, refused
runs = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    _text("parent_run_id", null=True),
    _text("agent_id"),
    _count("agent_version"),
    _text("team_id"),
    _text("status"),
    _text("trigger_kind"),
    _text("requested_by"),
    _text("role_id"),
    _text("task"),
    _text("messages", null=True),
    _count("turn_count"),
    _count("attempt_count"),
    _count("tool_call_count"),
    _count("event_count"),
    _count("spent_nano_usd"),
    _count("machine_ns"),
    _text("lease_owner", null=True),
    _moment("lease_until", null=True),
    _moment("requested_at"),
    _moment("started_at", null=True),
    _text("pause_reason", null=True),
    _text("end_state", null=True),
    _text("reason", null=True),
    _moment("ended_at", null=True),
    # Since store version 2: the call of the parent run that this run answers.
    _count("parent_call_index", null=True),
    # Since store version 2: the order that stops this run.
    _text("stop_id", null=True),
    sa.Index("runs_by_status", "status", "requested_at"),
)

# state: requested, started (an effect may have happened), finished
tool_calls = sa.Table(
    "tool_calls",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("call_index", sa.BigInteger, primary_key=True),
    _count("turn_index"),
    _text("tool_call_id"),
    _text("tool_name"),
    _text("tool_effect", null=True),
    _text("arguments"),
    _text("arguments_digest", null=True),
    _text("state"),
    _text("tool_outcome", null=True),
    _text("result", null=True),
    _moment("started_at", null=True),
)

# What tool servers showed of their tools, by its hash: description and argument schema as canonical JSON.
tool_schemas = sa.Table(
    "tool_schemas",
    METADATA,
    sa.Column("schema_sha256", sa.Text, primary_key=True),
    _text("shown"),
    _moment("recorded_at"),
)

# The schema that an agent version met first, for tools whose declaration names none.
tool_pins = sa.Table(
    "tool_pins",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("agent_version", sa.BigInteger, primary_key=True),
    sa.Column("tool_name", sa.Text, primary_key=True),
    _text("schema_sha256"),
    _moment("pinned_at"),
)

# status: waiting, approved, approved_changed, rejected, expired
approvals = sa.Table(
    "approvals",
    METADATA,
    sa.Column("approval_id", sa.Text, primary_key=True),
    _text("run_id"),
    _count("call_index"),
    _text("pause_reason"),
    _text("agent_id"),
    _count("agent_version"),
    _text("team_id"),
    _text("tool_name"),
    _text("arguments"),
    _text("arguments_digest"),
    _text("rule_id"),
    _text("rule_text"),
    _text("approver_role"),
    sa.Column("is_other_than_requester", sa.Boolean, nullable=False),
    _count("money_at_stake_nano_usd", null=True),
    _text("requested_by"),
    _moment("requested_at"),
    _moment("expires_at"),
    _text("status"),
    _text("decided_by", null=True),
    _moment("decided_at", null=True),
    _text("reason", null=True),
    _text("changed_arguments", null=True),
    _text("approved_digest", null=True),
    _moment("consumed_at", null=True),
    # Since store version 2.
    _text("batch_id", null=True),
    _moment("reminded_at", null=True),
    _moment("escalated_at", null=True),
    sa.Index("approvals_by_run", "run_id", "call_index"),
    sa.Index("approvals_by_status", "status", "expires_at"),
)

approval_views = sa.Table(
    "approval_views",
    METADATA,
    sa.Column("approval_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, primary_key=True),
    _moment("shown_at"),
)

# One row per window: spent and held are what the gate enforces and what pages show.
wallets = sa.Table(
    "wallets",
    METADATA,
    sa.Column("wallet_id", sa.Text, primary_key=True),
    sa.Column("window_start_at", Moment, primary_key=True),
    _moment("window_end_at"),
    _text("wallet_kind"),
    _text("owner_id"),
    _text("team_id"),
    _text("wallet_window"),
    _count("cap_nano_usd", null=True),
    sa.Column("is_unlimited", sa.Boolean, nullable=False),
    _text("reason"),
    _count("spent_nano_usd"),
    _count("held_nano_usd"),
    _count("swept_nano_usd"),
    _count("imported_nano_usd"),
    # Since store version 2. raised is the part of the cap that goes back at raised_until at the latest.
    _count("raised_nano_usd", null=True),
    _moment("raised_until", null=True),
    _moment("opened_at", null=True),
    _count("threshold_percent", null=True),
    _moment("projection_told_at", null=True),
    sa.CheckConstraint("is_unlimited OR cap_nano_usd IS NOT NULL", name="a_cap_is_a_number_or_unlimited"),
)

holds = sa.Table(
    "holds",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("turn_index", sa.BigInteger, primary_key=True),
    sa.Column("attempt", sa.BigInteger, primary_key=True),
    sa.Column("wallet_id", sa.Text, primary_key=True),
    sa.Column("window_start_at", Moment, primary_key=True),
    _count("amount_nano_usd"),
    _text("turn"),
    _moment("held_at"),
    _moment("expires_at"),
    sa.Index("holds_by_expiry", "expires_at"),
)

# status: waiting, approved, rejected, expired (after approval, or without a decision)
raises = sa.Table(
    "raises",
    METADATA,
    sa.Column("raise_id", sa.Text, primary_key=True),
    _text("wallet_id"),
    _count("raise_nano_usd"),
    _moment("expires_at"),
    _text("reason"),
    _text("requested_by"),
    _moment("requested_at"),
    _text("status"),
    _text("decided_by", null=True),
    _moment("decided_at", null=True),
    sa.Index("raises_by_status", "status", "expires_at"),
)

# What people should hear of. routed_at: its sends have been made, one for each place it goes to.
notices = sa.Table(
    "notices",
    METADATA,
    sa.Column("notice_id", sa.Text, primary_key=True),
    _text("notice_kind"),
    _text("team_id", null=True),
    _text("title"),
    _text("text"),
    _text("about"),
    _moment("raised_at"),
    _moment("routed_at", null=True),
    sa.Index("notices_by_routing", "routed_at"),
)

# status: waiting, sent, given_up. due_at lies in the future while somebody is sending it.
notice_sends = sa.Table(
    "notice_sends",
    METADATA,
    sa.Column("notice_id", sa.Text, primary_key=True),
    sa.Column("notification_id", sa.Text, primary_key=True),
    _text("status"),
    _count("attempt"),
    _moment("due_at"),
    sa.Index("notice_sends_by_due", "status", "due_at"),
)

# Every slot of every schedule that has come: fired, refused or missed, once. Slots to come are not here.
schedule_slots = sa.Table(
    "schedule_slots",
    METADATA,
    sa.Column("schedule_id", sa.Text, primary_key=True),
    sa.Column("slot_at", Moment, primary_key=True),
    _text("agent_id"),
    _text("status"),
    sa.Column("is_late", sa.Boolean, nullable=False),
    _moment("decided_at"),
    _text("run_id", null=True),
    _text("reason", null=True),
)

# How far each schedule's slots are accounted for, and the declaration by which they were.
schedule_cursors = sa.Table(
    "schedule_cursors",
    METADATA,
    sa.Column("schedule_id", sa.Text, primary_key=True),
    _text("spec"),
    _moment("accounted_until"),
)

# stop_scope: run, agent, company. An order over an agent or the company stands until it is lifted.
stop_orders = sa.Table(
    "stop_orders",
    METADATA,
    sa.Column("stop_id", sa.Text, primary_key=True),
    _text("stop_scope"),
    _text("target_id"),
    sa.Column("is_drill", sa.Boolean, nullable=False),
    _text("ordered_by"),
    _moment("ordered_at"),
    _text("reason"),
    _moment("lifted_at", null=True),
    sa.Index("stop_orders_by_target", "lifted_at", "stop_scope", "target_id"),
)

# status: working, stopping. A row leaves when its process ends in order; seen_at is its heartbeat.
workers = sa.Table(
    "workers",
    METADATA,
    sa.Column("owner", sa.Text, primary_key=True),
    _text("status"),
    _moment("started_at"),
    _moment("seen_at"),
    _count("playing_count"),
    _count("played_count"),
)

# A row leaves when its event is durable in the log; writer_id marks a row that a writer has taken.
outbox = sa.Table(
    "outbox",
    METADATA,
    sa.Column("outbox_id", _SERIAL, primary_key=True, autoincrement=True),
    _text("event_id"),
    _text("event"),
    _text("payload", null=True),
    _text("writer_id", null=True),
    sqlite_autoincrement=True,
)

relay_lock = sa.Table(
    "relay_lock",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    _text("owner", null=True),
    _moment("until", null=True),
)
