"""What Inspect's figures and words mean in the contract's."""

from __future__ import annotations

import math

from ingest.importers.facts import Usage, Verdict
from ingest.importers.figures import is_cache_inside, millionths
from ingest.importers.inspect_shape import CallError, Limit, ModelUsage, Score

DECISIONS = {
    "approve": "approved",
    "modify": "approved_changed",
    "reject": "rejected",
    "terminate": "rejected",
}
# Inspect's own approvers; others are functions of the evaluation's author, and who decides there is unknown.
DECIDERS = {"human": "person", "auto": "policy"}
ERROR_CLASSES = {"parsing": "invalid_args", "timeout": "timeout"}
BUDGET_LIMITS = ("token", "cost")
STOPPED_BY_PERSON = "operator"


def usage_of(usage: ModelUsage | None) -> Usage:
    """Tokens in the contract's words. A kind that Inspect leaves out was not used: 0, not unknown."""
    if usage is None:
        return Usage()
    read, write = usage.input_tokens_cache_read or 0, usage.input_tokens_cache_write or 0
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=read,
        cache_write_tokens=write,
        reasoning_tokens=usage.reasoning_tokens or 0,
        is_cache_in_input=is_cache_inside(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=read + write,
            total_tokens=usage.total_tokens,
        ),
    )


def total_of(usages: dict[str, ModelUsage] | None) -> tuple[int | None, Usage]:
    """Total and kinds of tokens over all models of a sample, as the sample itself states them."""
    if not usages:
        return None, Usage()
    each = [usage_of(usage) for usage in usages.values()]
    totals = [usage.total_tokens for usage in usages.values()]
    inside = {usage.is_cache_in_input for usage in each} - {None}
    return (
        None if None in totals else sum(total for total in totals if total is not None),
        Usage(
            input_tokens=sum(usage.input_tokens or 0 for usage in each),
            output_tokens=sum(usage.output_tokens or 0 for usage in each),
            cache_read_tokens=sum(usage.cache_read_tokens or 0 for usage in each),
            cache_write_tokens=sum(usage.cache_write_tokens or 0 for usage in each),
            reasoning_tokens=sum(usage.reasoning_tokens or 0 for usage in each),
            is_cache_in_input=inside.pop() if len(inside) == 1 else None,
        ),
    )


def outcome_of(error: CallError | None, *, is_failed: bool, decision: str) -> tuple[str, str | None]:
    """Outcome and error class of a call, given its error and the last decision on it."""
    if decision in ("reject", "terminate") or (error and error.type == "approval"):
        return "denied", None
    if error:
        return "failed", ERROR_CLASSES.get(error.type, "upstream")
    return ("failed", "crash") if is_failed else ("succeeded", None)


def verdict_of(name: str, score: Score, *, is_first: bool) -> Verdict:
    """What the scorer ``name`` found: the first scorer's word is the task's reward, others are scores."""
    value = score.value
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    is_word = isinstance(value, str)
    return Verdict(
        kind="task_reward" if is_first and (is_number or is_word) else "score",
        name=name,
        is_good=(value in ("C", 1)) if is_first and (is_number or is_word) else None,
        score_micro=millionths(float(value)) if is_number else None,  # type: ignore[arg-type]  # a number
        reason=value if isinstance(value, str) else None,
    )


def end_of(error: object, limit: Limit | None) -> tuple[str, str | None]:
    """End state and error type of a sample: an error, a limit, or the plain end."""
    if error is not None:
        return "failed", "sample_error"
    if limit is None:
        return "completed", None
    if limit.type == STOPPED_BY_PERSON:
        return "cancelled", None
    return "stopped_budget" if limit.type in BUDGET_LIMITS else "failed", f"{limit.type}_limit"
