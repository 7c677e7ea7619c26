"""How each agent of the demo company behaves in the history: how often, for whom, how well, with which steps.

The inventory itself (names, owners, tools, rules) is app/demo/registry.yaml; a test keeps the two in step.
"""

from __future__ import annotations

from app.demo.habits import Habit, Past

GPT41_MINI, GPT5_MINI, GPT4O_MINI = "openai:gpt-4.1-mini", "openai:gpt-5-mini", "openai:gpt-4o-mini"
HAIKU, SONNET = "anthropic:claude-haiku-4-5", "anthropic:claude-sonnet-4-5"
FLASH = "google:gemini-2.5-flash"
QWEN = "ollama:qwen3-32b"


def _only(model: str, clean: float, since: float = 0.0) -> tuple[Past, ...]:
    return (Past(since=since, model=model, clean=clean),)


# fmt: off
# Tables: what an agent is like stands in two or three lines, and a reader compares rows.
PLATFORM = (
    Habit(agent_id="meeting-notes", runs=22, rhythm="office", audience="everyone", growth=0.9,
          steps=(("write_report",),), prompt_tokens=20800, answer_tokens=780,
          past=(Past(since=0.0, model=GPT41_MINI, clean=0.955, instructions="Write decisions and tasks."),
                Past(since=0.34, model=GPT41_MINI, clean=0.968))),
    Habit(agent_id="policy-answers", runs=17, rhythm="office", audience="everyone", growth=0.6,
          steps=(("search_help_center",), ("search_help_center",)), prompt_tokens=14400, answer_tokens=320,
          past=_only(HAIKU, 0.964)),
    Habit(agent_id="it-helpdesk", runs=26, rhythm="office", audience="everyone", rated=0.0,
          steps=(("search_help_center",), ("reply_to_ticket",)), prompt_tokens=10400, answer_tokens=280,
          past=_only(GPT41_MINI, 0.90)),
    Habit(agent_id="log-summarizer", runs=6, rhythm="night", audience="owner", growth=0.0, rated=0.0,
          steps=(("read_logs",), ("read_logs",), ("write_report",)), prompt_tokens=56000, answer_tokens=1050,
          past=_only(QWEN, 0.93)),
    Habit(agent_id="access-reviewer", runs=2.4, rhythm="month_start", rated=0.0,
          steps=(("list_access",), ("revoke_access",)), prompt_tokens=12000, answer_tokens=270,
          past=_only(HAIKU, 0.95)),
    Habit(agent_id="weekly-report", runs=1.2, rhythm="monday", audience="owner",
          steps=(("query_metrics", "query_metrics"), ("write_report",)),
          prompt_tokens=15200, answer_tokens=930, past=_only(HAIKU, 0.94)),
    Habit(agent_id="service-doctor", runs=2.5, rhythm="office", rated=0.0,
          steps=(("read_logs",), ("restart_service",)), prompt_tokens=24800, answer_tokens=360,
          past=_only(SONNET, 0.86)),
)

MARKETING = (
    Habit(agent_id="campaign-writer", runs=10, rhythm="office",
          steps=(("brand_guide", "keyword_ideas"), ("draft_copy",)), prompt_tokens=13600, answer_tokens=960,
          past=(Past(since=0.0, model=HAIKU, clean=0.84, instructions="Follow the brand guide."),
                Past(since=0.41, model=SONNET, clean=0.87))),
    Habit(agent_id="social-poster", runs=5, rhythm="office",
          steps=(("brand_guide",), ("draft_copy",), ("publish_post",)),
          prompt_tokens=10400, answer_tokens=270, past=_only(HAIKU, 0.90, since=0.12)),
    Habit(agent_id="newsletter-drafter", runs=0, rhythm="office", steps=(("draft_copy",),),
          past=_only(GPT4O_MINI, 0.8)),
    Habit(agent_id="social-listener", runs=1.25, rhythm="office", growth=-0.5,
          steps=(("web_search", "web_search"), ("write_report",)), prompt_tokens=36000, answer_tokens=1050,
          past=_only(FLASH, 0.28)),
    Habit(agent_id="survey-summarizer", runs=1.6, rhythm="office",
          steps=(("survey_results",), ("write_report",)), prompt_tokens=44000, answer_tokens=900,
          past=_only(HAIKU, 0.92, since=0.22)),
    Habit(agent_id="keyword-scout", runs=6, rhythm="morning", audience="owner", growth=0.0, rated=0.0,
          steps=(("keyword_ideas", "web_search"), ("web_search",)), prompt_tokens=12800, answer_tokens=570,
          past=_only(GPT41_MINI, 0.91)),
    Habit(agent_id="ad-copy-tester", runs=8, rhythm="office", growth=0.7,
          steps=(("brand_guide",), ("draft_copy",)), prompt_tokens=11200, answer_tokens=840,
          past=_only(GPT5_MINI, 0.89)),
)

SALES = (
    Habit(agent_id="lead-researcher", runs=12, rhythm="office",
          steps=(("web_search", "crm_lookup"), ("crm_update",)), prompt_tokens=16800, answer_tokens=480,
          past=_only(GPT41_MINI, 0.90)),
    Habit(agent_id="lead-router", runs=14, rhythm="office",
          steps=(("crm_lookup",), ("crm_update",)), prompt_tokens=8800, answer_tokens=180,
          past=_only(GPT41_MINI, 0.92)),
    Habit(agent_id="company-profiler", runs=3, rhythm="office",
          steps=(("web_search", "web_search"),), prompt_tokens=25600, answer_tokens=1140,
          past=_only(SONNET, 0.93)),
    Habit(agent_id="quote-builder", runs=11, rhythm="office",
          steps=(("crm_lookup",), ("price_quote",), ("send_quote",)), prompt_tokens=12000, answer_tokens=360,
          past=(Past(since=0.0, model=HAIKU, clean=0.90, instructions="Use list prices."),
                Past(since=0.20, model=HAIKU, clean=0.93, instructions="Use list prices and discounts."),
                Past(since=0.55, model=HAIKU, clean=0.74, tokens=1.25))),
    Habit(agent_id="pipeline-cleaner", runs=5, rhythm="evening", audience="owner", growth=0.0, rated=0.0,
          steps=(("open_deals",), ("crm_update", "crm_update")), prompt_tokens=19200, answer_tokens=390,
          past=_only(GPT41_MINI, 0.92, since=0.08)),
    Habit(agent_id="prospect-writer", runs=8, rhythm="office", growth=0.8,
          steps=(("web_search", "crm_lookup"), ("web_search",), ("draft_copy",)),
          prompt_tokens=38000, answer_tokens=1350, past=_only(SONNET, 0.87)),
    Habit(agent_id="contract-explainer", runs=1.3, rhythm="office", growth=-0.4,
          steps=(("read_contract",), ("note_risk",)), prompt_tokens=28000, answer_tokens=450,
          past=_only(GPT4O_MINI, 0.31)),
)

SUPPORT = (
    Habit(agent_id="refund-agent", runs=18, rhythm="service",
          steps=(("lookup_order",), ("refund_payment",)), prompt_tokens=9600, answer_tokens=210,
          past=(Past(since=0.0, model=GPT41_MINI, clean=0.92, instructions="Look the order up first."),
                Past(since=0.30, model=HAIKU, clean=0.94))),
    Habit(agent_id="ticket-triage", runs=34, rhythm="service",
          steps=(("search_tickets",), ("classify_ticket", "classify_ticket", "classify_ticket")),
          prompt_tokens=7600, answer_tokens=160,
          past=(Past(since=0.0, model=GPT4O_MINI, clean=0.83, instructions="One category, one priority."),
                Past(since=0.52, model=GPT41_MINI, clean=0.925))),
    Habit(agent_id="order-status", runs=46, rhythm="service", growth=0.35,
          steps=(("lookup_order",), ("reply_to_ticket",)), prompt_tokens=6000, answer_tokens=140,
          past=_only(GPT41_MINI, 0.94)),
    Habit(agent_id="help-center-answers", runs=26, rhythm="service", growth=0.8,
          steps=(("search_help_center",), ("reply_to_ticket",)), prompt_tokens=12000, answer_tokens=280,
          past=_only(HAIKU, 0.91, since=0.05)),
    Habit(agent_id="escalation-helper", runs=8, rhythm="service",
          steps=(("search_tickets",), ("escalate_ticket",)), prompt_tokens=10400, answer_tokens=200,
          past=_only(GPT41_MINI, 0.88)),
    Habit(agent_id="warranty-checker", runs=12, rhythm="service",
          steps=(("lookup_order",), ("search_help_center",)), prompt_tokens=11200, answer_tokens=220,
          past=_only(FLASH, 0.90)),
    Habit(agent_id="legacy-faq-bot", runs=0, rhythm="service", steps=(("search_help_center",),),
          past=_only(GPT4O_MINI, 0.8)),
)

FINANCE = (
    Habit(agent_id="invoice-matcher", runs=11, rhythm="month_end", audience="owner", rated=0.0,
          steps=(("fetch_invoice",), ("match_po",), ("schedule_payment",)),
          prompt_tokens=11600, answer_tokens=220, past=_only(HAIKU, 0.95)),
    Habit(agent_id="expense-checker", runs=8, rhythm="month_end",
          steps=(("fetch_expense",), ("check_policy", "check_policy"), ("flag_expense",)),
          prompt_tokens=10000, answer_tokens=260, past=_only(GPT41_MINI, 0.92)),
    Habit(agent_id="payment-reminder", runs=6, rhythm="morning", audience="owner", growth=0.0, rated=0.0,
          steps=(("open_items",), ("send_reminder",)), prompt_tokens=8400, answer_tokens=220,
          past=_only(GPT41_MINI, 0.93, since=0.15)),
    Habit(agent_id="quarter-close-assistant", runs=9, rhythm="season", growth=0.0,
          steps=(("open_items", "fetch_invoice"), ("fetch_invoice",), ("write_report",)),
          prompt_tokens=48000, answer_tokens=1350, past=_only(SONNET, 0.93)),
    Habit(agent_id="scan-reader", runs=0, rhythm="office", steps=(("fetch_invoice",),),
          past=_only(GPT4O_MINI, 0.8)),
    Habit(agent_id="document-intake", runs=13, rhythm="office", audience="finance_sales_support", growth=0.5,
          steps=(("read_contract",), ("note_risk", "note_risk")), prompt_tokens=30400, answer_tokens=500,
          past=_only(GPT41_MINI, 0.966)),
)
# fmt: on

FLEET: tuple[Habit, ...] = (*PLATFORM, *MARKETING, *SALES, *SUPPORT, *FINANCE)
