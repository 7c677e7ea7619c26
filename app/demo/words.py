"""The words of the demo history: tasks, tool arguments, results and answers, short and invented.

Texts are kept for the last two weeks only; arguments of calls that need a decision are made for all, because
their digest and their amount are part of the record.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from hashlib import sha256
from typing import TypeAlias

Arguments: TypeAlias = "dict[str, str | int | float]"

COMPANIES = (
    "Acme Robotics",
    "Brightwater Foods",
    "Calder Optics",
    "Dunmore Textiles",
    "Ellery Logistics",
    "Fjordline Energy",
    "Granta Labs",
    "Hollis Paper",
)
TOPICS = ("winter jackets", "trail shoes", "gift cards", "returns made easy", "spring sale", "members' week")
SUBJECTS = (
    "late deliveries",
    "damaged parcels",
    "wrong sizes",
    "missing invoices",
    "double charges",
    "lost vouchers",
)
SYSTEMS = ("crm", "warehouse", "payroll", "code hosting", "data platform")
SERVICES = ("checkout-api", "search", "stock-sync", "mail-out", "login")
QUESTIONS = (
    "How many days of leave may I carry over?",
    "May I book a first-class train?",
    "Who signs orders above 1,000 EUR?",
    "How do I report a lost laptop?",
    "How long are customer records kept?",
)
PROBLEMS = (
    "VPN drops every few minutes",
    "password expired",
    "printer on floor 2 is offline",
    "no sound in meetings",
    "mailbox is full",
)


def _cents(dice: random.Random, median: float, spread: float) -> float:
    return round(median * dice.lognormvariate(0.0, spread), 2)


def _order(dice: random.Random) -> str:
    return f"W-{dice.randint(1000, 9899)}"


def _ticket(dice: random.Random) -> str:
    return f"T-{dice.randint(1000, 9899)}"


def _invoice(dice: random.Random) -> str:
    return f"INV-{dice.randint(2000, 9899)}"


ARGUMENTS: dict[str, Callable[[random.Random], Arguments]] = {
    "lookup_order": lambda dice: {"order_id": _order(dice)},
    "refund_payment": lambda dice: {
        "order_id": _order(dice),
        "amount_usd": _cents(dice, 62, 0.8),
        "reason": "article returned",
    },
    "search_tickets": lambda dice: {"query": dice.choice(SUBJECTS), "limit": 3},
    "classify_ticket": lambda dice: {
        "ticket_id": _ticket(dice),
        "category": dice.choice(("delivery", "refund", "product")),
        "priority": dice.choice(("low", "normal", "high")),
    },
    "search_help_center": lambda dice: {"question": dice.choice(QUESTIONS)},
    "reply_to_ticket": lambda dice: {
        "ticket_id": _ticket(dice),
        "text": "Thank you for waiting. Here is what we found.",
    },
    "escalate_ticket": lambda dice: {
        "ticket_id": _ticket(dice),
        "team": "logistics",
        "reason": "third reply without an answer",
    },
    "web_search": lambda dice: {"query": dice.choice(COMPANIES)},
    "crm_lookup": lambda dice: {"company": dice.choice(COMPANIES)},
    "crm_update": lambda dice: {
        "company": dice.choice(COMPANIES),
        "stage": dice.choice(("qualified", "proposal", "lost")),
        "note": "checked by agent",
    },
    "open_deals": lambda dice: {"owner_team": "sales"},
    "price_quote": lambda dice: {
        "product": dice.choice(("pro", "team", "enterprise")),
        "seats": dice.randint(5, 200),
    },
    "send_quote": lambda dice: {
        "company": dice.choice(COMPANIES),
        "amount_usd": _cents(dice, 3100, 0.9),
        "valid_days": 30,
    },
    "brand_guide": lambda dice: {"topic": dice.choice(TOPICS)},
    "keyword_ideas": lambda dice: {"topic": dice.choice(TOPICS)},
    "draft_copy": lambda dice: {
        "channel": dice.choice(("newsletter", "landing", "ads")),
        "audience": "members",
        "brief": dice.choice(TOPICS),
    },
    "publish_post": lambda dice: {
        "channel": dice.choice(("linkedin", "mastodon", "blog")),
        "draft_id": f"D-{dice.randint(100, 989)}",
    },
    "survey_results": lambda dice: {"survey": "customer survey"},
    "fetch_invoice": lambda dice: {"invoice_id": _invoice(dice)},
    "match_po": lambda dice: {"invoice_id": _invoice(dice), "po_number": f"PO-{dice.randint(100, 989)}"},
    "schedule_payment": lambda dice: {
        "invoice_id": _invoice(dice),
        "amount_usd": _cents(dice, 900, 1.1),
        "pay_on": "end of month",
    },
    "fetch_expense": lambda dice: {"report_id": f"EXP-{dice.randint(100, 989)}"},
    "check_policy": lambda dice: {
        "category": dice.choice(("hotel", "train", "meal")),
        "amount_usd": _cents(dice, 95, 0.6),
    },
    "flag_expense": lambda dice: {
        "report_id": f"EXP-{dice.randint(100, 989)}",
        "finding": "over the daily limit",
    },
    "open_items": lambda dice: {"customer": dice.choice(COMPANIES)},
    "send_reminder": lambda dice: {"customer": dice.choice(COMPANIES), "level": dice.randint(1, 3)},
    "read_contract": lambda dice: {"contract_id": f"C-{dice.randint(10, 98)}"},
    "note_risk": lambda dice: {
        "contract_id": f"C-{dice.randint(10, 98)}",
        "clause": "§ 7",
        "risk": "notice period of twelve months",
    },
    "query_metrics": lambda dice: {"metric": dice.choice(("runs", "cost", "errors")), "period": "last week"},
    "write_report": lambda dice: {"title": "Summary", "body": "Decisions, tasks and open points."},
    "read_logs": lambda dice: {"service": dice.choice(SERVICES), "minutes": 60},
    "restart_service": lambda dice: {"service": dice.choice(SERVICES), "reason": "connection pool exhausted"},
    "list_access": lambda dice: {"system": dice.choice(SYSTEMS)},
    "revoke_access": lambda dice: {
        "person": f"leaver-{dice.randint(10, 98)}",
        "system": dice.choice(SYSTEMS),
    },
}

TASKS: dict[str, Callable[[random.Random], str]] = {
    "meeting-notes": lambda dice: (
        f"Notes of the {dice.choice(('weekly', 'planning', 'budget'))} meeting, transcript attached."
    ),
    "policy-answers": lambda dice: dice.choice(QUESTIONS),
    "it-helpdesk": lambda dice: f"My {dice.choice(PROBLEMS)}.",
    "refund-agent": lambda dice: f"Customer asks for a refund of order {_order(dice)}.",
    "ticket-triage": lambda dice: f"Triage new tickets about {dice.choice(SUBJECTS)}.",
    "order-status": lambda dice: f"Where is order {_order(dice)}?",
    "quote-builder": lambda dice: f'Quote for "{dice.choice(COMPANIES)}", {dice.randint(5, 200)} seats.',
    "invoice-matcher": lambda dice: f"Match and pay {_invoice(dice)}.",
    "campaign-writer": lambda dice: f'Newsletter draft on "{dice.choice(TOPICS)}".',
}
ANSWERS = (
    "Done. The details are in the record.",
    "Finished; one point is open and named in the note.",
    "Here is the summary you asked for.",
    "The answer is sent and the source is linked.",
)
REJECTIONS = (
    "amount does not agree with the order",
    "customer is disputed",
    "wording is off",
    "not needed any more",
    "wrong recipient",
)
CORRECTIONS = ("wording changed by hand", "category was wrong", "figures corrected", "answer was incomplete")


def task(agent_id: str, agent_name: str, dice: random.Random) -> str:
    """What a person asked the agent to do."""
    return (
        TASKS[agent_id](dice)
        if agent_id in TASKS
        else f"{agent_name}: please do the next item of today's list."
    )


def arguments(tool: str, dice: random.Random) -> Arguments:
    """Arguments of one call of ``tool``."""
    return ARGUMENTS[tool](dice)


def as_json(given: Arguments) -> str:
    """Canonical JSON: sorted keys, compact."""
    return json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text: str) -> str:
    """SHA256 of canonical arguments, in hex."""
    return sha256(text.encode()).hexdigest()


def result(tool: str, error_class: str | None) -> str:
    """What the tool gave back."""
    return f"{tool}: ok" if error_class is None else f"{tool}: failed ({error_class})"


def answer(dice: random.Random) -> str:
    """The last words of a run."""
    return dice.choice(ANSWERS)
