"""Tools for tests, whose effects can be counted: each call adds a line to the file named by EFFECTS_FILE."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from runner.agent.simulated_tools import Usd


def _effect(line: str) -> None:
    with Path(os.environ["EFFECTS_FILE"]).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def lookup_order(order_id: str) -> dict[str, object]:
    """Look up an order."""
    _effect(f"lookup {order_id}")
    return {
        "order_id": order_id,
        "customer": "Ines Weber",
        "total_usd": "240.00",
        "paid_by": "card",
        "delivered_on": "2026-11-01",
        "is_refundable": True,
    }


def refund_payment(
    order_id: str, amount_usd: Usd, reason: str = "", idempotency_key: str = ""
) -> dict[str, object]:
    """Pay money back."""
    _effect(f"refund {order_id} {amount_usd} {idempotency_key}")
    if os.environ.get("REFUND_DIES"):
        # The effect is out, the process dies before anybody hears of it.
        os.kill(os.getpid(), signal.SIGKILL)
    return {"refund_id": "RF-1", "order_id": order_id, "amount_usd": str(amount_usd)}


def refund_hangs(order_id: str, amount_usd: Usd, reason: str = "") -> dict[str, object]:
    """Never comes back in time."""
    _effect(f"refund {order_id} {amount_usd}")
    time.sleep(0.5)
    return {}


def refund_fails(order_id: str, amount_usd: Usd, reason: str = "") -> dict[str, object]:
    """A tool with a defect."""
    raise ValueError("the amount has three decimals")


def hangs(query: str) -> str:
    """Never comes back."""
    threading.Event().wait()
    return query


def quits(query: str) -> str:
    """Wants the process to end."""
    sys.exit(query)


def recurses(query: str) -> str:
    """Calls itself for ever."""
    return recurses(query)


def times_out(query: str) -> str:
    """Had to do with a slow service."""
    raise TimeoutError("the service was slow")


def talks(query: str) -> str:
    """Says far too much."""
    return "word " * 100_000


def leaks(query: str) -> dict[str, str]:
    """Gives away a key."""
    return {"api_key": "sk-proj-" + "a1B2c3D4" * 6}


def books(query: str, idempotency_key: str = "") -> str:
    """Book something at a service that heeds the key."""
    _effect(f"book {query} {idempotency_key}")
    if os.environ.get("BOOKING_DIES"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "booked"


def refund_waits(order_id: str, amount_usd: Usd, reason: str = "") -> dict[str, object]:
    """Comes back when the file named by EFFECTS_FILE with the ending ``.go`` is there."""
    _effect(f"refund {order_id} {amount_usd}")
    go = Path(os.environ["EFFECTS_FILE"] + ".go")
    deadline = time.monotonic() + 60
    while not go.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return {"refund_id": "RF-1"}
