"""The tables of a generation: their keys, the day a period applies to, and what an own-only person sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Own = Literal["shared", "hidden", "run", "everyone"] | str


@dataclass(frozen=True, kw_only=True)
class Mart:
    """One table of the generation.

    ``keys`` order its rows without ties; ``date`` is the column a period applies to, empty when it has none;
    ``agent`` is the column an agent filter applies to.
    ``own`` says which rows an own-only person sees: ``shared`` all of the team's, ``hidden`` none, ``run``
    the rows of the person's runs, ``everyone`` all rows, which name no team (catalogues); else the name of
    the column that must hold the person.
    """

    keys: tuple[str, ...]
    date: str = ""
    agent: str = "agent_id"
    own: Own = "hidden"


MARTS: Mapping[str, Mart] = {
    "dim_teams": Mart(keys=("team_id",), own="shared"),
    "dim_people": Mart(keys=("person_id",), own="person_id"),
    "dim_agents": Mart(keys=("agent_id",), own="shared"),
    "dim_agent_versions": Mart(keys=("agent_id", "agent_version"), own="shared"),
    "dim_agent_history": Mart(keys=("agent_id", "valid_from_at"), own="shared"),
    "dim_agent_tools": Mart(keys=("agent_id", "agent_version", "tool_name"), own="shared"),
    "dim_tools": Mart(keys=("tool_name",), own="everyone"),
    "dim_templates": Mart(keys=("template_id", "template_version"), own="everyone"),
    "dim_models": Mart(keys=("provider_name", "model_name"), own="everyone"),
    "dim_prices": Mart(keys=("provider_name", "model_name", "price_version"), own="everyone"),
    "dim_dates": Mart(keys=("calendar_date",), date="calendar_date", own="everyone"),
    "fct_runs": Mart(keys=("run_date", "run_id"), date="run_date", own="actor_id"),
    "fct_turns": Mart(keys=("turn_date", "run_id", "turn_index", "attempt"), date="turn_date", own="run"),
    "fct_tool_calls": Mart(keys=("call_date", "run_id", "call_index"), date="call_date", own="run"),
    "fct_approvals": Mart(keys=("requested_at", "approval_id"), date="requested_date", own="run"),
    "fct_verdicts": Mart(keys=("verdict_date", "event_id"), date="verdict_date", own="run"),
    "fct_charges": Mart(keys=("charge_date", "charge_id"), date="charge_date", own="run"),
    "fct_wallet_windows": Mart(
        keys=("window_start_date", "wallet_id"), date="window_start_date", agent="owner_id"
    ),
    "fct_wallet_days": Mart(
        keys=("used_date", "wallet_id", "window_start_date"), date="used_date", agent="owner_id"
    ),
    "fct_schedule_fires": Mart(keys=("told_at", "event_id"), date="slot_date"),
    "fct_retrievals": Mart(keys=("retrieved_at", "event_id"), date="retrieved_date", own="actor_id"),
    "fct_stops": Mart(keys=("ordered_at", "stop_id"), date="ordered_date"),
    "fct_notices": Mart(keys=("raised_at", "notice_id"), date="raised_date"),
    "fct_alert_incidents": Mart(keys=("raised_at", "alert_incident_id"), date="raised_date"),
    "fct_refusals": Mart(keys=("refused_at", "event_id"), date="refused_date", own="actor_id"),
    "fct_exports": Mart(keys=("created_at", "export_id"), date="created_date", own="person_id"),
    "fct_source_scans": Mart(keys=("scanned_at", "event_id"), date="scan_date"),
    "fct_provider_usage": Mart(keys=("usage_date", "event_id"), date="usage_date"),
    "rpt_provider_days": Mart(keys=("usage_date", "provider_name", "model_name"), date="usage_date"),
    "rpt_provider_months": Mart(keys=("month_start_date", "provider_name"), date="month_start_date"),
    "fct_check_findings": Mart(keys=("month_start_date", "finding_id"), date="month_start_date"),
    "fct_risk_findings": Mart(keys=("found_at", "finding_id"), date="found_date"),
    "fct_assurance": Mart(keys=("occurred_at", "event_id"), date="occurred_date"),
    "rpt_check_months": Mart(keys=("month_start_date", "check_id", "agent_id"), date="month_start_date"),
    "rpt_agent_days": Mart(keys=("run_date", "team_id", "agent_id", "is_delegated"), date="run_date"),
    "rpt_agent_weeks": Mart(
        keys=("week_start_date", "team_id", "agent_id", "is_delegated"), date="week_start_date"
    ),
    "rpt_agent_months": Mart(
        keys=("month_start_date", "team_id", "agent_id", "is_delegated"), date="month_start_date"
    ),
    "rpt_model_days": Mart(
        keys=("charge_date", "team_id", "agent_id", "provider_name", "model_name", "is_delegated"),
        date="charge_date",
    ),
    "rpt_tool_days": Mart(
        keys=("call_date", "team_id", "agent_id", "tool_name", "is_delegated"), date="call_date"
    ),
    "rpt_model_weeks": Mart(
        keys=("week_start_date", "team_id", "agent_id", "provider_name", "model_name", "is_delegated"),
        date="week_start_date",
    ),
    "rpt_model_months": Mart(
        keys=("month_start_date", "team_id", "agent_id", "provider_name", "model_name", "is_delegated"),
        date="month_start_date",
    ),
    "rpt_tool_weeks": Mart(
        keys=("week_start_date", "team_id", "agent_id", "tool_name", "is_delegated"), date="week_start_date"
    ),
    "rpt_tool_months": Mart(
        keys=("month_start_date", "team_id", "agent_id", "tool_name", "is_delegated"), date="month_start_date"
    ),
    "rpt_restated_days": Mart(
        keys=("charge_date", "team_id", "agent_id", "provider_name", "model_name"), date="charge_date"
    ),
    "rpt_version_quarters": Mart(
        keys=("quarter_start_date", "agent_id", "agent_version"), date="quarter_start_date"
    ),
    "rpt_agent_quarters": Mart(keys=("quarter_start_date", "agent_id"), date="quarter_start_date"),
}
"""Every table with rows of a population; ``build_info`` and the ``dim_`` catalogues belong to nobody."""
