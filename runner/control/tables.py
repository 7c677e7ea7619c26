"""The control store's tables: live state only. Money is integer nano-USD, time is UTC.

The same definitions serve SQLite and PostgreSQL; nothing here is specific to either.
"""

from __future__ import annotations

import sqlalchemy as sa

from runner.control.columns import SERIAL, Moment, count, moment, text

# Goes up with every release that adds a table or a column; columns come as nullable (see Store).
STORE_VERSION = 2

METADATA = sa.MetaData()

store_facts = sa.Table(
    "store_facts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    text("content"),
)

# What was applied of registry.yaml, whole, newest revision last.
registry_revisions = sa.Table(
    "registry_revisions",
    METADATA,
    sa.Column("revision", SERIAL, primary_key=True, autoincrement=True),
    moment("applied_at"),
    text("body"),
)

# Status is decided by events only; the registry never overwrites it. The version is the one in force; a first
# version stands here before it is approved, so that the agent is known.
agents = sa.Table(
    "agents",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    text("team_id"),
    count("agent_version"),
    text("version_hash"),
    text("status"),
    text("status_reason", null=True),
    moment("status_decided_at"),
)

agent_versions = sa.Table(
    "agent_versions",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("agent_version", sa.BigInteger, primary_key=True),
    text("version_hash"),
    text("spec"),
    moment("declared_at"),
    text("declared_by", null=True),
    # Null for versions of stores from before versions were approved: they stay in force.
    sa.Column("is_approval_needed", sa.Boolean, nullable=True),
    text("approved_by", null=True),
    moment("approved_at", null=True),
)

# A run that is neither ended nor refused.
OPEN_RUN_STATUSES = ("queued", "running", "waiting", "ready")

# status: queued, running (under a lease), waiting (for a person), ready (decided), ended, refused
runs = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    text("parent_run_id", null=True),
    text("agent_id"),
    count("agent_version"),
    text("team_id"),
    text("status"),
    text("trigger_kind"),
    text("requested_by"),
    text("role_id"),
    text("task"),
    text("messages", null=True),
    count("turn_count"),
    count("attempt_count"),
    count("tool_call_count"),
    count("event_count"),
    count("spent_nano_usd"),
    count("machine_ns"),
    text("lease_owner", null=True),
    moment("lease_until", null=True),
    moment("requested_at"),
    moment("started_at", null=True),
    text("pause_reason", null=True),
    text("end_state", null=True),
    text("reason", null=True),
    moment("ended_at", null=True),
    # Since store version 2: the call of the parent run that this run answers.
    count("parent_call_index", null=True),
    # Since store version 2: the order that stops this run.
    text("stop_id", null=True),
    sa.Index("runs_by_status", "status", "requested_at"),
)

# state: requested, started (an effect may have happened), finished
tool_calls = sa.Table(
    "tool_calls",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("call_index", sa.BigInteger, primary_key=True),
    count("turn_index"),
    text("tool_call_id"),
    text("tool_name"),
    text("tool_effect", null=True),
    text("arguments"),
    text("arguments_digest", null=True),
    text("state"),
    text("tool_outcome", null=True),
    text("result", null=True),
    moment("started_at", null=True),
)

# What tool servers showed of their tools, by its hash: description and argument schema as canonical JSON.
tool_schemas = sa.Table(
    "tool_schemas",
    METADATA,
    sa.Column("schema_sha256", sa.Text, primary_key=True),
    text("shown"),
    moment("recorded_at"),
)

# The schema that an agent version met first, for tools whose declaration names none.
tool_pins = sa.Table(
    "tool_pins",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("agent_version", sa.BigInteger, primary_key=True),
    sa.Column("tool_name", sa.Text, primary_key=True),
    text("schema_sha256"),
    moment("pinned_at"),
)

# status: waiting, approved, approved_changed, rejected, expired
approvals = sa.Table(
    "approvals",
    METADATA,
    sa.Column("approval_id", sa.Text, primary_key=True),
    text("run_id"),
    count("call_index"),
    text("pause_reason"),
    text("agent_id"),
    count("agent_version"),
    text("team_id"),
    text("tool_name"),
    text("arguments"),
    text("arguments_digest"),
    text("rule_id"),
    text("rule_text"),
    text("approver_role"),
    sa.Column("is_other_than_requester", sa.Boolean, nullable=False),
    count("money_at_stake_nano_usd", null=True),
    text("requested_by"),
    moment("requested_at"),
    moment("expires_at"),
    text("status"),
    text("decided_by", null=True),
    moment("decided_at", null=True),
    text("reason", null=True),
    text("changed_arguments", null=True),
    text("approved_digest", null=True),
    moment("consumed_at", null=True),
    # Since store version 2.
    text("batch_id", null=True),
    moment("reminded_at", null=True),
    moment("escalated_at", null=True),
    # How many people have to approve (null: one), and who did as the first of two.
    count("approvers_needed", null=True),
    text("first_approved_by", null=True),
    moment("first_approved_at", null=True),
    sa.Index("approvals_by_run", "run_id", "call_index"),
    sa.Index("approvals_by_status", "status", "expires_at"),
)

approval_views = sa.Table(
    "approval_views",
    METADATA,
    sa.Column("approval_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, primary_key=True),
    moment("shown_at"),
)

# One row per window: spent and held are what the gate enforces and what pages show.
wallets = sa.Table(
    "wallets",
    METADATA,
    sa.Column("wallet_id", sa.Text, primary_key=True),
    sa.Column("window_start_at", Moment, primary_key=True),
    moment("window_end_at"),
    text("wallet_kind"),
    text("owner_id"),
    text("team_id"),
    text("wallet_window"),
    count("cap_nano_usd", null=True),
    sa.Column("is_unlimited", sa.Boolean, nullable=False),
    text("reason"),
    count("spent_nano_usd"),
    count("held_nano_usd"),
    count("swept_nano_usd"),
    count("imported_nano_usd"),
    # Since store version 2. raised is the part of the cap that goes back at raised_until at the latest.
    count("raised_nano_usd", null=True),
    moment("raised_until", null=True),
    moment("opened_at", null=True),
    count("threshold_percent", null=True),
    moment("projection_told_at", null=True),
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
    count("amount_nano_usd"),
    text("turn"),
    moment("held_at"),
    moment("expires_at"),
    sa.Index("holds_by_expiry", "expires_at"),
)

# status: waiting, approved, rejected, expired (after approval, or without a decision)
raises = sa.Table(
    "raises",
    METADATA,
    sa.Column("raise_id", sa.Text, primary_key=True),
    text("wallet_id"),
    count("raise_nano_usd"),
    moment("expires_at"),
    text("reason"),
    text("requested_by"),
    moment("requested_at"),
    text("status"),
    text("decided_by", null=True),
    moment("decided_at", null=True),
    sa.Index("raises_by_status", "status", "expires_at"),
)

# What people should hear of. routed_at: its sends have been made, one for each place it goes to.
notices = sa.Table(
    "notices",
    METADATA,
    sa.Column("notice_id", sa.Text, primary_key=True),
    text("notice_kind"),
    text("team_id", null=True),
    text("title"),
    text("text"),
    text("about"),
    moment("raised_at"),
    moment("routed_at", null=True),
    # Since store version 2: ids of the notifications it goes to, as a JSON list; null where their kinds say.
    text("places", null=True),
    sa.Index("notices_by_routing", "routed_at"),
)

# status: waiting, sent, given_up. due_at lies in the future while somebody is sending it.
notice_sends = sa.Table(
    "notice_sends",
    METADATA,
    sa.Column("notice_id", sa.Text, primary_key=True),
    sa.Column("notification_id", sa.Text, primary_key=True),
    text("status"),
    count("attempt"),
    moment("due_at"),
    sa.Index("notice_sends_by_due", "status", "due_at"),
)

# Every slot of every schedule that has come: fired, refused or missed, once. Slots to come are not here.
schedule_slots = sa.Table(
    "schedule_slots",
    METADATA,
    sa.Column("schedule_id", sa.Text, primary_key=True),
    sa.Column("slot_at", Moment, primary_key=True),
    text("agent_id"),
    text("status"),
    sa.Column("is_late", sa.Boolean, nullable=False),
    moment("decided_at"),
    text("run_id", null=True),
    text("reason", null=True),
)

# How far each schedule's slots are accounted for, and the declaration by which they were.
schedule_cursors = sa.Table(
    "schedule_cursors",
    METADATA,
    sa.Column("schedule_id", sa.Text, primary_key=True),
    text("spec"),
    moment("accounted_until"),
)

# stop_scope: run, agent, company. An order over an agent or the company stands until it is lifted.
stop_orders = sa.Table(
    "stop_orders",
    METADATA,
    sa.Column("stop_id", sa.Text, primary_key=True),
    text("stop_scope"),
    text("target_id"),
    sa.Column("is_drill", sa.Boolean, nullable=False),
    text("ordered_by"),
    moment("ordered_at"),
    text("reason"),
    moment("lifted_at", null=True),
    sa.Index("stop_orders_by_target", "lifted_at", "stop_scope", "target_id"),
)

# status: working, stopping. A row leaves when its process ends in order; seen_at is its heartbeat.
workers = sa.Table(
    "workers",
    METADATA,
    sa.Column("owner", sa.Text, primary_key=True),
    text("status"),
    moment("started_at"),
    moment("seen_at"),
    count("playing_count"),
    count("played_count"),
)

# A row leaves when its event is durable in the log; writer_id marks a row that a writer has taken.
outbox = sa.Table(
    "outbox",
    METADATA,
    sa.Column("outbox_id", SERIAL, primary_key=True, autoincrement=True),
    text("event_id"),
    text("event"),
    text("payload", null=True),
    text("writer_id", null=True),
    sqlite_autoincrement=True,
)

relay_lock = sa.Table(
    "relay_lock",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    text("owner", null=True),
    moment("until", null=True),
)
