"""The scenarios of the simulated model, by name: ``model: sim:<name>`` in registry.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from runner.agent import scenarios_backoffice as back
from runner.agent import scenarios_frontoffice as front
from runner.agent.scenarios_errands import errands
from runner.agent.script import Scenario

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "refund": front.refund,
        "triage": front.triage,
        "faq": front.faq,
        "escalation": front.escalation,
        "lead-research": front.lead_research,
        "quote": front.quote,
        "pipeline-hygiene": front.pipeline_hygiene,
        "campaign-draft": front.campaign_draft,
        "social-post": front.social_post,
        "survey-summary": front.survey_summary,
        "invoice-matching": back.invoice_matching,
        "expense-check": back.expense_check,
        "dunning": back.dunning,
        "contract-summary": back.contract_summary,
        "report": back.report,
        "infra": back.infra,
        "access-review": back.access_review,
        "errands": errands,
    }
)
