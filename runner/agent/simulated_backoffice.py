"""Simulated tools of finance and platform; see :mod:`runner.agent.simulated_tools`."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from runner.agent.simulated_tools import TODAY, Usd, money, number, pick, reach

_SUPPLIERS = ("Kontor Bürobedarf", "Vega Hosting", "Alpine Logistics", "Print & Co", "Northern Catering")
_EMPLOYEES = ("Clara Neumann", "Ben Adeyemi", "Sofia Rossi", "Jonas Lind")
_LIMITS = {"hotel": 180, "meal": 45, "taxi": 60, "train": 250, "software": 100}


def fetch_invoice(invoice_id: str) -> dict[str, object]:
    """Fetch a supplier's invoice."""
    reach("invoice archive", invoice_id)
    return {
        "invoice_id": invoice_id,
        "supplier": pick(invoice_id, _SUPPLIERS),
        "total_usd": money(invoice_id, 90, 4200),
        "po_number": f"PO-{number(invoice_id, 300, 999)}",
        "due_on": (TODAY + dt.timedelta(days=number(f"{invoice_id} due", 5, 30))).isoformat(),
    }


def match_po(invoice_id: str, po_number: str) -> dict[str, object]:
    """Compare an invoice with its purchase order."""
    reach("purchasing", po_number)
    is_match = number(f"{invoice_id} match", 1, 5) > 1
    difference = "0.00" if is_match else money(f"{invoice_id} difference", 5, 90)
    return {
        "invoice_id": invoice_id,
        "po_number": po_number,
        "is_match": is_match,
        "difference_usd": difference,
    }


def schedule_payment(
    invoice_id: str, amount_usd: Usd, pay_on: dt.date, idempotency_key: str = ""
) -> dict[str, object]:
    """Schedule the payment of an invoice."""
    reach("bank", invoice_id)
    return {
        "payment_id": f"PAY-{number(invoice_id + idempotency_key, 10_000, 99_999)}",
        "invoice_id": invoice_id,
        "amount_usd": str(amount_usd),
        "pay_on": pay_on.isoformat(),
    }


def fetch_expense(report_id: str) -> dict[str, object]:
    """Open an expense report."""
    reach("expense tool", report_id)
    categories = ("hotel", "meal") if number(report_id, 0, 1) else ("taxi", "software")
    return {
        "report_id": report_id,
        "employee": pick(report_id, _EMPLOYEES),
        "lines": [
            {"category": category, "amount_usd": money(f"{report_id} {category}", 15, 210)}
            for category in categories
        ],
    }


def check_policy(category: str, amount_usd: Usd) -> dict[str, object]:
    """Whether an amount is within the travel and expense policy."""
    limit = _LIMITS.get(category, 50)
    return {
        "category": category,
        "amount_usd": str(amount_usd),
        "limit_usd": limit,
        "is_within": amount_usd <= Decimal(limit),
    }


def flag_expense(report_id: str, finding: str, idempotency_key: str = "") -> dict[str, object]:
    """Flag an expense report for the manager, with the finding."""
    reach("expense tool", report_id)
    return {"report_id": report_id, "status": "flagged", "finding": finding}


def open_items(customer: str) -> dict[str, object]:
    """Unpaid invoices of a customer."""
    reach("ledger", customer)
    return {
        "customer": customer,
        "open_usd": money(customer, 300, 5200),
        "oldest_days": number(customer, 12, 75),
        "invoices": number(f"{customer} n", 1, 4),
    }


def send_reminder(
    customer: str, level: Annotated[int, Field(ge=1, le=3)], idempotency_key: str = ""
) -> dict[str, object]:
    """Send a payment reminder of a level to a customer."""
    reach("mail service", customer)
    reminder_id = f"RM-{number(customer + idempotency_key, 1000, 9999)}"
    return {"reminder_id": reminder_id, "customer": customer, "level": level}


def read_contract(contract_id: str) -> dict[str, object]:
    """Read a contract: party, term, price, notice and the clause that differs from the standard."""
    reach("contract archive", contract_id)
    clause, text = pick(
        contract_id,
        (
            ("7.2", "renews by itself for two years"),
            ("9.1", "liability without an upper limit"),
            ("4.3", "price rises with an index nobody publishes"),
        ),
    )
    return {
        "contract_id": contract_id,
        "party": pick(contract_id, _SUPPLIERS),
        "term_months": pick(f"{contract_id} term", (12, 24, 36)),
        "yearly_usd": money(f"{contract_id} year", 2000, 48_000),
        "notice_days": pick(f"{contract_id} notice", (30, 60, 90)),
        "odd_clause": clause,
        "odd_text": text,
    }


def note_risk(contract_id: str, clause: str, risk: str, idempotency_key: str = "") -> dict[str, object]:
    """Note a risk on a clause of a contract."""
    reach("contract archive", contract_id)
    return {"contract_id": contract_id, "clause": clause, "risk": risk, "status": "noted"}


def query_metrics(
    metric: Literal["runs", "cost", "errors"], period: Literal["week", "month", "quarter"]
) -> dict[str, object]:
    """A number about the agent fleet for a period, with the change against the one before."""
    scale = {"week": 1, "month": 4, "quarter": 13}[period]
    units = {"runs": "runs", "cost": "USD", "errors": "errors"}
    change = number(f"{metric} {period}", -12, 18)
    return {
        "metric": metric,
        "period": period,
        "value": number(metric, 400, 2400) * scale,
        "unit": units[metric],
        "change": f"{change:+d} %",
    }


def write_report(title: str, body: str, idempotency_key: str = "") -> dict[str, object]:
    """Store a report in the shared folder."""
    return {"report_id": f"RPT-{number(title + body, 100, 999)}", "title": title, "words": len(body.split())}


def read_logs(service: str, minutes: Annotated[int, Field(ge=1, le=1440)] = 30) -> dict[str, object]:
    """Errors in the log of a service during the last minutes."""
    reach("log store", service)
    is_stuck = number(service, 0, 3) > 0
    return {
        "service": service,
        "minutes": minutes,
        "errors": number(f"{service} errors", 40, 400) if is_stuck else number(service, 0, 6),
        "top_error": pick(service, ("connection pool exhausted", "worker timed out", "too many open files")),
        "is_stuck": is_stuck,
    }


def restart_service(service: str, reason: str, idempotency_key: str = "") -> dict[str, object]:
    """Restart a production service."""
    reach("orchestrator", service)
    minute = number(service + reason, 0, 59)
    return {"service": service, "restarted_at": f"14:{minute:02d}", "health": "healthy"}


def list_access(system: str) -> dict[str, object]:
    """Who has access to a system, and who of them has left the company."""
    reach("identity provider", system)
    left_on = (TODAY - dt.timedelta(days=number(system, 3, 40))).isoformat()
    people: list[dict[str, object]] = [{"person": name, "has_left": False} for name in _EMPLOYEES[:3]]
    people.append({"person": _EMPLOYEES[3], "has_left": True, "left_on": left_on})
    return {"system": system, "people": people}


def revoke_access(person: str, system: str, idempotency_key: str = "") -> dict[str, object]:
    """Take a person's access to a system away."""
    reach("identity provider", system)
    return {"person": person, "system": system, "status": "revoked"}
