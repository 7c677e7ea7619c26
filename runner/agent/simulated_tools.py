"""Simulated tools of support, sales and marketing: typed functions with believable, deterministic results.

An id that ends in 404 does not exist; one that ends in 503 makes the service behind the tool fail.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from runner.agent.tools import NotThere, UpstreamError

Usd = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
Choice = TypeVar("Choice")

# A fixed day, so that the same call gives the same result for ever.
TODAY = dt.date(2026, 11, 20)
_CUSTOMERS = ("Ines Weber", "Tom Kaya", "Lena Fuchs", "Omar Haddad", "Julia Brandt", "Piotr Nowak")
_SUBJECTS = (
    ("Parcel is five days late", "delivery"),
    ("Wrong size delivered", "returns"),
    ("Charged twice for one order", "billing"),
    ("Voucher code not accepted", "billing"),
    ("Tracking link does not open", "delivery"),
    ("Where do I find the invoice?", "account"),
)


def number(seed: str, low: int, high: int) -> int:
    """A number from ``low`` to ``high`` that depends on ``seed`` only."""
    digest = hashlib.sha256(seed.encode()).digest()
    return low + int.from_bytes(digest[:8], "big") % (high - low + 1)


def pick(seed: str, choices: Sequence[Choice]) -> Choice:
    """One of ``choices`` that depends on ``seed`` only."""
    return choices[number(seed, 0, len(choices) - 1)]


def reach(service: str, reference: str) -> None:
    """The call to the service behind a tool, which fails for the ids said above."""
    if reference.endswith("404"):
        raise NotThere(f"{service} knows no {reference}")
    if reference.endswith("503"):
        raise UpstreamError(f"{service} answered 503 Service Unavailable for {reference}")


def money(seed: str, low: int, high: int) -> str:
    """An amount in USD with cents, from ``low`` to ``high`` dollars."""
    cents = number(seed, low * 100, high * 100)
    return f"{cents // 100}.{cents % 100:02d}"


def lookup_order(order_id: str) -> dict[str, object]:
    """Look up an order: customer, total, delivery, and whether it can be refunded."""
    reach("order service", order_id)
    days = number(f"{order_id} delivered", 3, 33)
    return {
        "order_id": order_id,
        "customer": pick(order_id, _CUSTOMERS),
        "total_usd": money(order_id, 260, 900),
        "paid_by": pick(f"{order_id} paid", ("original card", "bank account", "PayPal account")),
        "delivered_on": (TODAY - dt.timedelta(days=days)).isoformat(),
        "is_refundable": days <= 30,
    }


def refund_payment(
    order_id: str, amount_usd: Usd, reason: str = "customer request", idempotency_key: str = ""
) -> dict[str, object]:
    """Pay money back to the customer of an order."""
    reach("payment service", order_id)
    return {
        "refund_id": f"RF-{number(order_id + idempotency_key, 10_000, 99_999)}",
        "order_id": order_id,
        "amount_usd": str(amount_usd),
        "reason": reason,
        "status": "booked",
    }


def search_tickets(query: str, limit: Annotated[int, Field(ge=1, le=20)] = 5) -> dict[str, object]:
    """Search open support tickets."""
    tickets = []
    for place in range(limit):
        seed = f"{query} {place}"
        subject, topic = pick(seed, _SUBJECTS)
        tickets.append(
            {
                "ticket_id": f"T-{number(seed, 1000, 9999)}",
                "subject": subject,
                "topic": topic,
                "waiting_days": number(f"{seed} wait", 0, 5),
            }
        )
    return {"query": query, "tickets": tickets}


def classify_ticket(
    ticket_id: str, category: str, priority: Literal["low", "normal", "high"], idempotency_key: str = ""
) -> dict[str, object]:
    """Set category and priority of a ticket."""
    reach("ticket system", ticket_id)
    return {"ticket_id": ticket_id, "category": category, "priority": priority, "status": "sorted"}


def search_help_center(question: str) -> dict[str, object]:
    """Search the help center for articles that answer a question."""
    articles = (
        ("Where is my parcel?", "Open the tracking link in your mail; it is updated every two hours."),
        (
            "How do I return something?",
            "Print the label from your account and drop the parcel within 30 days.",
        ),
        ("When do I get my money back?", "Two to five days after we have booked the refund."),
        ("How do I change my address?", "Under account, addresses; orders on their way keep the old one."),
    )
    title, excerpt = pick(question, articles)
    article_id = f"HC-{number(title, 100, 999)}"
    return {"articles": [{"article_id": article_id, "title": title, "excerpt": excerpt}]}


def reply_to_ticket(ticket_id: str, text: str, idempotency_key: str = "") -> dict[str, object]:
    """Answer a ticket; the customer gets the text by mail."""
    reach("ticket system", ticket_id)
    return {"ticket_id": ticket_id, "status": "answered", "words": len(text.split())}


def escalate_ticket(ticket_id: str, team: str, reason: str, idempotency_key: str = "") -> dict[str, object]:
    """Hand a ticket to another team."""
    reach("ticket system", ticket_id)
    answer_by = (TODAY + dt.timedelta(days=2)).isoformat()
    return {"ticket_id": ticket_id, "team": team, "reason": reason, "answer_by": answer_by}


def web_search(query: str) -> dict[str, object]:
    """Search the public web."""
    employees = number(query, 20, 900)
    summaries = (
        f"The company has about {employees} employees and opened a second site this year.",
        f"It closed a funding round of {number(f'{query} round', 4, 60)} million USD in spring.",
        "A new head of operations started in September.",
    )
    return {
        "query": query,
        "results": [
            {"title": f"Result {place + 1}", "summary": summary} for place, summary in enumerate(summaries)
        ],
    }


def crm_lookup(company: str) -> dict[str, object]:
    """What the CRM knows about a company."""
    reach("CRM", company)
    return {
        "company": company,
        "stage": pick(company, ("new", "contacted", "customer")),
        "contact": pick(f"{company} contact", _CUSTOMERS),
        "idle_days": number(f"{company} idle", 1, 80),
    }


def crm_update(company: str, stage: str, note: str, idempotency_key: str = "") -> dict[str, object]:
    """Set the stage of a company in the CRM and add a note."""
    reach("CRM", company)
    return {"company": company, "stage": stage, "note": note, "status": "saved"}


def open_deals(owner_team: str) -> dict[str, object]:
    """Open deals of a team, with the days since the last contact."""
    names = ("Acme Robotics", "Harbor Foods", "Nordlicht Energie", "Blue Crane Travel", "Kern & Söhne")
    deals = []
    for name in names:
        idle = number(f"{owner_team} {name}", 4, 55)
        deals.append({"company": name, "idle_days": idle, "is_stale": idle > 30})
    deals[0]["is_stale"], deals[0]["idle_days"] = True, 41
    return {"owner_team": owner_team, "deals": deals}


def price_quote(
    product: Literal["team", "pro", "enterprise"], seats: Annotated[int, Field(ge=1, le=10_000)]
) -> dict[str, object]:
    """The list price of a product for a number of seats, with the discount for the size."""
    per_seat = {"team": 96, "pro": 180, "enterprise": 320}[product]
    discount = 0 if seats < 20 else 8 if seats < 100 else 15
    total = Decimal(per_seat * seats * (100 - discount)) / 100
    return {
        "product": product,
        "seats": seats,
        "discount_percent": discount,
        "total_usd": f"{total:.2f}",
    }


def send_quote(
    company: str,
    amount_usd: Usd,
    valid_days: Annotated[int, Field(ge=1, le=90)] = 30,
    idempotency_key: str = "",
) -> dict[str, object]:
    """Send a binding quote to a company."""
    reach("mail service", company)
    quote_id = f"Q-{number(company + idempotency_key, 2000, 9999)}"
    return {"quote_id": quote_id, "company": company, "amount_usd": str(amount_usd), "valid_days": valid_days}


def brand_guide(topic: str) -> dict[str, object]:
    """Tone, audience and words to avoid, for a topic."""
    return {
        "topic": topic,
        "tone": pick(topic, ("warm and plain", "short and confident", "curious, never loud")),
        "audience": pick(f"{topic} audience", ("returning customers", "new visitors", "business buyers")),
        "avoid": ["revolutionary", "cheap", "click here"],
    }


def keyword_ideas(topic: str) -> dict[str, object]:
    """Search terms people use around a topic, with monthly searches."""
    base = topic.lower()
    return {
        "topic": topic,
        "keywords": [f"{base} ideas", f"best {base}", f"{base} for beginners", f"{base} offers"],
        "monthly_searches": number(topic, 400, 9000),
    }


def draft_copy(channel: str, audience: str, brief: str, idempotency_key: str = "") -> dict[str, object]:
    """Write and store a draft for a channel."""
    topic = brief.partition(":")[0].strip() or "our news"
    headline = pick(
        brief, (f"{topic.capitalize()}, made simple", f"Your {topic} starts here", f"What is new: {topic}")
    )
    return {
        "draft_id": f"D-{number(channel + brief, 100, 999)}",
        "channel": channel,
        "audience": audience,
        "headline": headline,
        "words": number(brief, 60, 180),
    }


def publish_post(
    channel: Literal["linkedin", "mastodon", "blog"], draft_id: str, idempotency_key: str = ""
) -> dict[str, object]:
    """Publish a draft under the company's name."""
    reach(channel, draft_id)
    number_of_post = number(draft_id + channel, 10_000, 99_999)
    return {
        "draft_id": draft_id,
        "channel": channel,
        "url": f"https://{channel}.example/posts/{number_of_post}",
    }


def survey_results(survey: str) -> dict[str, object]:
    """Counts and the most frequent wishes of a survey."""
    reach("survey tool", survey)
    return {
        "survey": survey,
        "answers": number(survey, 80, 900),
        "satisfied_percent": number(f"{survey} satisfied", 61, 93),
        "top_wish": pick(survey, ("faster delivery", "a dark mode", "better invoices")),
        "top_complaint": pick(f"{survey} bad", ("late parcels", "confusing returns", "slow support")),
    }
