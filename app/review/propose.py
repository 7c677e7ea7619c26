"""From an agent's figures to a proposal: pure rules, the first that fits decides, and says why."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from app.review.figures import Figures, Rate, Subject, Version
from app.review.rules import Rules

Kind: TypeAlias = Literal["retire", "refresh", "promote", "keep", "not_enough_data"]
KINDS: tuple[Kind, ...] = ("retire", "refresh", "promote", "keep", "not_enough_data")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What the rules propose: ``rule`` names the one that decided, ``reason`` says why, with its numbers."""

    kind: Kind
    rule: str
    reason: str


def propose(subject: Subject, rules: Rules) -> Proposal:
    """The proposal for ``subject``."""
    return (
        _idle(subject, rules)
        or _weak(subject, rules)
        or _too_few(subject, rules)
        or _worse(subject, rules)
        or _good(subject, rules)
        or Proposal(kind="keep", rule="keep", reason=_kept(subject, rules))
    )


def _idle(subject: Subject, rules: Rules) -> Proposal | None:
    count = rules.retire.idle_quarters
    if any(subject.figures(back).runs for back in range(count)):
        return None
    if subject.expected_use.strip():
        reason = f"no run in {_quarters(count)}, and its use is expected: {subject.expected_use.strip()}"
        return Proposal(kind="keep", rule="season.expected", reason=reason)
    if subject.figures(4).runs:
        earlier = subject.quarter.back(4)
        reason = (
            f"no run in {_quarters(count)}, and {subject.figures(4).runs} in {earlier}: it may be seasonal"
        )
        return Proposal(kind="keep", rule="season.earlier-cycle", reason=reason)
    known = subject.known_since
    if known is None or known > subject.quarter.back(count - 1).first_day:
        since = f"since {known.isoformat()}" if known else "only now"
        reason = f"no run yet, and it is known {since}: shorter than {_quarters(count)}"
        return Proposal(kind="not_enough_data", rule="retire.idle_quarters", reason=reason)
    first = subject.quarter.back(count - 1)
    reason = f"no run in {_quarters(count)} ({first} to {subject.quarter}), none expected"
    return Proposal(kind="retire", rule="retire.idle_quarters", reason=reason)


def _weak(subject: Subject, rules: Rules) -> Proposal | None:
    count, floor = rules.retire.weak_quarters, rules.retire.success_under
    rates = [subject.figures(back).success for back in range(count)]
    if any(one.n < rules.minimum_runs or one.high is None or one.high >= floor for one in rates):
        return None
    told = "; ".join(f"{subject.quarter.back(back)} {rate_text(one)}" for back, one in enumerate(rates))
    reason = f"success stayed under {floor:.0%} for {_quarters(count)}, interval included: {told}"
    return Proposal(kind="retire", rule="retire.success_under", reason=reason)


def _too_few(subject: Subject, rules: Rules) -> Proposal | None:
    runs = subject.figures().runs
    if runs >= rules.minimum_runs:
        return None
    season = f"; expected use: {subject.expected_use.strip()}" if subject.expected_use.strip() else ""
    reason = f"{counted(runs, 'run')} in {subject.quarter}, {rules.minimum_runs} are needed to judge{season}"
    return Proposal(kind="not_enough_data", rule="minimum_runs", reason=reason)


def _worse(subject: Subject, rules: Rules) -> Proposal | None:
    pair = compared(subject, rules)
    if pair is None:
        return None
    new, old = pair
    found = [text for text in _losses(new.figures, old.figures, rules) if text]
    if not found:
        return None
    reason = f"v{new.agent_version} against v{old.agent_version}: {'; '.join(found)}"
    return Proposal(kind="refresh", rule="refresh", reason=reason)


def compared(subject: Subject, rules: Rules) -> tuple[Version, Version] | None:
    """The newest version that ran and the one before it, when both have enough runs to be compared."""
    if len(subject.versions) < 2:
        return None
    new, old = subject.versions[:2]
    enough = min(new.figures.runs, old.figures.runs) >= rules.minimum_runs
    return (new, old) if enough else None


def _losses(new: Figures, old: Figures, rules: Rules) -> list[str]:
    points = rules.refresh.worse_by_points
    found = []
    if _points(old.success, new.success) >= points:
        found.append(f"success fell from {rate_text(old.success)} to {rate_text(new.success)}")
    enough_calls = min(new.tool_calls_executed, old.tool_calls_executed) >= rules.minimum_runs
    if enough_calls and _points(new.tool_error, old.tool_error) >= points:
        found.append(f"tool errors rose from {rate_text(old.tool_error)} to {rate_text(new.tool_error)}")
    before, after = old.cost_per_run_usd, new.cost_per_run_usd
    enough_costs = min(new.runs_cost_exact, old.runs_cost_exact) >= rules.minimum_runs
    is_better = _points(new.success, old.success) >= points
    if (
        before
        and after
        and enough_costs
        and not is_better
        and after / before >= 1 + Decimal(rules.refresh.cost_up_by)
    ):
        found.append(f"cost per run rose from {before:.4f} to {after:.4f} USD")
    return found


def _points(more: Rate, less: Rate) -> float:
    """By how many percentage points ``more`` is above ``less``."""
    return 0.0 if more.value is None or less.value is None else round(100 * (more.value - less.value), 9)


def _good(subject: Subject, rules: Rules) -> Proposal | None:
    missing = unmet(subject, rules)
    if missing:
        return None
    now = subject.figures()
    reason = (
        f"success {rate_text(now.success)}, used by {counted(now.users, 'person', 'people')} of "
        f"{counted(now.user_teams, 'team')}, "
        "no wallet refused it"
    )
    return Proposal(kind="promote", rule="promote", reason=reason)


def unmet(subject: Subject, rules: Rules) -> list[str]:
    """The gates of a promotion that the agent does not pass, as sentences; empty when it passes all."""
    now, gate = subject.figures(), rules.promote
    found = []
    if now.success.n < rules.minimum_runs:
        found.append(f"{counted(now.success.n, 'run')}, {rules.minimum_runs} are needed")
    elif now.success.low is None or now.success.low < gate.success_at_least:
        found.append(
            f"success {rate_text(now.success)}: its lower bound is under {gate.success_at_least:.0%}"
        )
    if now.user_teams < gate.user_teams:
        found.append(f"used by people of {counted(now.user_teams, 'team')}, {gate.user_teams} are needed")
    if now.wallet_refusals > gate.wallet_refusals:
        found.append(f"wallets refused it {counted(now.wallet_refusals, 'time')}")
    if subject.open_cases:
        found.append(counted(subject.open_cases, "open case"))
    return found


def _kept(subject: Subject, rules: Rules) -> str:
    return f"success {rate_text(subject.figures().success)}; no promotion: {'; '.join(unmet(subject, rules))}"


def rate_text(one: Rate) -> str:
    """A rate as a person reads it: ``91 % (273 of 300, 87–94 %)``."""
    if one.value is None or one.low is None or one.high is None:
        return "unknown (0 of 0)"
    return f"{one.value:.0%} ({one.k} of {one.n}, {one.low:.0%}–{one.high:.0%})"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 team``, ``3 teams``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _quarters(count: int) -> str:
    return "one quarter" if count == 1 else f"{count} quarters"
