"""Tables of reviews and checks in the control store; see :mod:`runner.control.tables`."""

from __future__ import annotations

import sqlalchemy as sa

from runner.control.columns import moment, text
from runner.control.tables import METADATA

__all__ = ["METADATA", "review_decisions"]

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
)
