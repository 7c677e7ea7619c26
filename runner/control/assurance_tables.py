"""Tables of reviews, checks and alerts in the control store; see :mod:`runner.control.tables`."""

from __future__ import annotations

import sqlalchemy as sa

from runner.control.columns import SERIAL, count, moment, text
from runner.control.tables import METADATA

__all__ = [
    "METADATA",
    "alert_incidents",
    "attestations",
    "case_entries",
    "cases",
    "content_grants",
    "refreshes",
    "report_signatures",
    "review_decisions",
    "risk_findings",
    "risk_scans",
    "waivers",
]

# status: waiting (for a second person), done, withdrawn
review_decisions = sa.Table(
    "review_decisions",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("review_period", sa.Text, primary_key=True),
    text("review_decision"),
    text("status"),
    text("decided_by"),
    moment("decided_at"),
    text("reason"),
    text("snapshot"),
    text("confirmed_by", null=True),
    moment("confirmed_at", null=True),
    # A retirement with a sunset: the day it was set to, and when it took effect.
    moment("effective_at", null=True),
    moment("in_effect_at", null=True),
)

# The task that a decision to refresh opens on its agent. status: open (waits for a trial), trial, closed.
# share_percent 100 is a replacement. new_version is what was judged; kept_arm new or old.
refreshes = sa.Table(
    "refreshes",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("review_period", sa.Text, primary_key=True),
    text("status"),
    text("reason"),
    text("evidence"),
    count("old_version"),
    text("opened_by"),
    moment("opened_at"),
    count("share_percent", null=True),
    text("started_by", null=True),
    moment("started_at", null=True),
    moment("judge_at", null=True),
    count("new_version", null=True),
    text("verdict", null=True),
    text("verdicts", null=True),
    text("kept_arm", null=True),
    text("closed_by", null=True),
    text("closed_reason", null=True),
    moment("closed_at", null=True),
)

# From when on the time to the next attestation of an agent counts: its last one, or when it was first seen.
attestations = sa.Table(
    "attestations",
    METADATA,
    sa.Column("agent_id", sa.Text, primary_key=True),
    moment("counted_from"),
    text("attested_by", null=True),
    moment("reminded_at", null=True),
    moment("lapsed_at", null=True),
)

# Who signed the evidence pack of which month; content_sha256 is of the pack's manifest.
report_signatures = sa.Table(
    "report_signatures",
    METADATA,
    sa.Column("signature_id", sa.Text, primary_key=True),
    text("check_month"),
    text("content_sha256"),
    text("person_id"),
    text("statement"),
    moment("signed_at"),
    sa.Column("is_second_signature", sa.Boolean, nullable=False),
    sa.Column("is_second_needed", sa.Boolean, nullable=False),
)

# What people accept that a check finds; a waiver without a finding is about the whole check.
waivers = sa.Table(
    "waivers",
    METADATA,
    sa.Column("waiver_id", sa.Text, primary_key=True),
    text("check_id"),
    text("finding_id", null=True),
    text("first_month"),
    text("granted_by"),
    text("reason"),
    moment("granted_at"),
    text("last_date"),
    moment("expires_at"),
    text("withdrawn_by", null=True),
    moment("withdrawn_at", null=True),
)

# A failed check, until somebody has seen to it; months are those in which it failed, separated by blanks.
cases = sa.Table(
    "cases",
    METADATA,
    sa.Column("case_id", sa.Text, primary_key=True),
    text("check_id"),
    text("severity"),
    text("title"),
    text("months"),
    text("owner_id", null=True),
    text("deadline_rule"),
    moment("opened_at"),
    moment("due_at"),
    text("closed_by", null=True),
    moment("closed_at", null=True),
)

# The timeline of each case. kind: opened, continued, noted, closed
case_entries = sa.Table(
    "case_entries",
    METADATA,
    sa.Column("entry_id", SERIAL, primary_key=True, autoincrement=True),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    text("kind"),
    text("person_id", null=True),
    text("reason"),
    text("evidence", null=True),
    moment("told_at"),
)

# What the checks between months found, each finding once; settled when a person has said what it was.
risk_findings = sa.Table(
    "risk_findings",
    METADATA,
    sa.Column("finding_id", sa.Text, primary_key=True),
    text("risk_kind"),
    text("severity"),
    text("agent_id", null=True),
    text("team_id", null=True),
    text("run_id", null=True),
    text("person_id", null=True),
    sa.Column("is_demo", sa.Boolean, nullable=False),
    text("reason"),
    text("evidence"),
    text("places"),
    moment("found_at"),
    text("settled_by", null=True),
    moment("settled_at", null=True),
    text("settled_reason", null=True),
)

# Each look of the checks between months; populations is a JSON object of check to objects looked at.
risk_scans = sa.Table(
    "risk_scans",
    METADATA,
    sa.Column("scan_id", sa.Text, primary_key=True),
    moment("scanned_at"),
    text("first_date"),
    text("last_date"),
    sa.Column("is_demo", sa.Boolean, nullable=False),
    sa.Column("is_whole", sa.Boolean, nullable=False),
    sa.Column("rule_version", sa.Integer, nullable=False),
    text("populations"),
    sa.Column("unread_texts", sa.Integer, nullable=False),
    sa.Column("new_findings", sa.Integer, nullable=False),
)

# Who may read texts until when, and who decided it; without run and agent all that the person may see.
content_grants = sa.Table(
    "content_grants",
    METADATA,
    sa.Column("grant_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, nullable=False, index=True),
    text("agent_id", null=True),
    text("run_id", null=True),
    text("reason"),
    text("granted_by"),
    moment("granted_at"),
    moment("expires_at"),
    text("ended_by", null=True),
    moment("ended_at", null=True),
)

# An alert from when it was raised until it ended. true_at: when its condition was last found true.
alert_incidents = sa.Table(
    "alert_incidents",
    METADATA,
    sa.Column("alert_incident_id", sa.Text, primary_key=True),
    text("alert_id"),
    text("target"),
    text("metric_id"),
    text("team_id", null=True),
    text("agent_id", null=True),
    text("title"),
    count("observed_micro", null=True),
    count("bound_micro", null=True),
    moment("raised_at"),
    moment("true_at"),
    text("acknowledged_by", null=True),
    moment("acknowledged_at", null=True),
    text("acknowledgement", null=True),
    moment("resolved_at", null=True),
    text("resolution", null=True),
    # Whoever looks at the same moment: one alert is raised once.
    sa.Index(
        "one_open_incident",
        "alert_id",
        "target",
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    ),
)
