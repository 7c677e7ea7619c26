"""Caps of the running month: the sales team is to be in trouble on whatever day the demo is made.

The sales agents' month is played once without caps. The cap of the costliest agent is then set below what it
would spend, so that it runs out, and the team's cap closely above what is spent with that.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from app.demo import habits
from app.demo.cast import Cast
from app.demo.days import Days, Wallet, of_last_month
from app.demo.record import Charge
from app.demo.stages import rehearsed_versions
from app.demo.story import Plan
from runner.control.registry import Registry

# In the first days of a month nothing has run out yet: the caps stay as declared.
LEAST_SPENT_USD = 20
AGENT_CAP_SHARE = Decimal("0.86")  # of what the agent would have spent
TEAM_UTILISATION = Decimal("0.955")  # of the team's cap
NANO = Decimal(10**9)


def sales_caps(plan: Plan, registry: Registry) -> dict[str, str]:
    """Caps in USD of the running month by wallet (``team:sales``, ``agent:…``), as text with two decimals.

    Empty when the month is too young for trouble.
    """
    free = _sales_month(plan, registry, None)
    if sum(free.values()) < LEAST_SPENT_USD * NANO:
        return {}
    wanted = Decimal(free.get(habits.OVER_BUDGET_AGENT, 0)) / NANO
    agent_cap = _rounded(wanted * AGENT_CAP_SHARE, ROUND_FLOOR)
    wallet = Wallet(habits.OVER_BUDGET_AGENT, int(agent_cap * NANO))
    spent = sum(_sales_month(plan, registry, wallet).values())
    team_cap = _rounded(Decimal(spent) / NANO / TEAM_UTILISATION, ROUND_CEILING)
    return {
        f"agent:{habits.OVER_BUDGET_AGENT}": f"{agent_cap:.2f}",
        f"team:{habits.OVER_BUDGET_TEAM}": f"{team_cap:.2f}",
    }


def with_caps(text: str, caps: dict[str, str]) -> str:
    """The registry file's ``text`` with these caps."""
    for wallet, cap in caps.items():
        line = re.compile(rf'(wallet: "{re.escape(wallet)}", window: month, cap_usd: ")[0-9.]+(")')
        text, found = line.subn(rf"\g<1>{cap}\g<2>", text)
        if found != 1:
            raise ValueError(f"the demo registry has {found} lines for wallet {wallet}")
    return text


def _sales_month(plan: Plan, registry: Registry, wallet: Wallet | None) -> dict[str, int]:
    """Nano-USD per sales agent in the running month, with this wallet or without any."""
    days = Days(plan, registry, Cast(plan, registry, rehearsed_versions(plan)), wallet)
    first = plan.month_start.astimezone(plan.zone).date()
    charges: list[Charge] = []
    for day in plan.days:
        # A run that began on the last evening may be charged in this month.
        if (first - day).days <= 1:
            for played in days.day(day, only_team=habits.OVER_BUDGET_TEAM):
                charges += played.charges
    return of_last_month(charges, plan)


def _rounded(usd: Decimal, direction: str) -> Decimal:
    """Whole fives above 100 USD, whole dollars above 10, else dimes: a number a person would set."""
    step = Decimal(5) if usd >= 100 else Decimal(1) if usd >= 10 else Decimal("0.1")
    return (usd / step).to_integral_value(direction) * step
