"""Tools for tests, whose effects can be counted: each call adds a line to the file named by EFFECTS_FILE."""

from __future__ import annotations

import os
import signal
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
