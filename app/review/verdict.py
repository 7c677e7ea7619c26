"""The verdict on a new version: each measure against the version before, with the interval of the difference.

Shares by Newcombe's interval of two proportions, means by a bootstrap (both 95 %). A measure whose interval
holds 0 has no verdict but "no difference seen"; too few runs are "not enough data".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import polars as pl

from app.errors import ReviewError
from app.warehouse import Scoped

if TYPE_CHECKING:
    from numpy.typing import NDArray

Word: TypeAlias = Literal["improved", "worse", "no difference seen", "not enough data"]
# The same rows give the same interval.
_SEED = 20_260_401
_RESAMPLES = 2_000
_MOST_ROWS = 20_000


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One measure of two versions: values, number of rows, and the 95 % interval of new − old.

    ``unit`` is share, usd or ms. Values and bounds are None where there are not enough rows.
    """

    measure: str
    unit: str
    word: Word
    old: float | None
    old_count: int
    new: float | None
    new_count: int
    low: float | None
    high: float | None


def verdicts(
    scoped: Scoped, agent_id: str, old_version: int, new_version: int, *, is_demo: bool, minimum_runs: int
) -> list[Verdict]:
    """The measures of two versions of one agent over all their runs, see :func:`measured`.

    Raises ReviewError when one of the versions never ran within the scope.
    """
    runs = {
        number: ended_runs(scoped, agent_id, is_demo=is_demo, agent_version=number)
        for number in (old_version, new_version)
    }
    for number, frame in runs.items():
        if frame.is_empty():
            raise ReviewError(
                f"No verdict: v{number} of {agent_id} has no ended run here. "
                "`fleetbook agents versions` lists the versions; choose two that ran."
            )
    return measured(runs[old_version], runs[new_version], minimum_runs)


def ended_runs(scoped: Scoped, agent_id: str, *, is_demo: bool, **narrowed: str | int) -> pl.DataFrame:
    """Ended runs of the agent within the scope; ``narrowed`` are values of columns."""
    wanted = [pl.col(name) == value for name, value in narrowed.items()]
    found = scoped.table("fct_runs", is_demo=is_demo, agent_id=agent_id)
    return found.filter(pl.col("is_terminal"), *wanted)


def measured(old: pl.DataFrame, new: pl.DataFrame, minimum_runs: int) -> list[Verdict]:
    """Success, tool errors, cost per run and active time of two sets of ended runs."""
    return [
        share_verdict(
            "success",
            _total(old, "is_success"),
            old.height,
            _total(new, "is_success"),
            new.height,
            minimum_runs,
        ),
        share_verdict(
            "tool errors",
            _total(old, "tool_error_count"),
            _total(old, "executed_tool_call_count"),
            _total(new, "tool_error_count"),
            _total(new, "executed_tool_call_count"),
            minimum_runs,
            is_more_better=False,
        ),
        mean_verdict("cost per run", "usd", _costs(old), _costs(new), minimum_runs),
        mean_verdict(
            "active time", "ms", _numbers(old, "machine_ms"), _numbers(new, "machine_ms"), minimum_runs
        ),
    ]


def share_verdict(
    measure: str, k_old: int, n_old: int, k_new: int, n_new: int, minimum: int, *, is_more_better: bool = True
) -> Verdict:
    """The verdict on ``k`` of ``n``, old and new; both need ``minimum`` rows."""
    values = (k_old / n_old if n_old else None, k_new / n_new if n_new else None)
    low = high = None
    word: Word = "not enough data"
    if min(n_old, n_new) >= minimum:
        from statsmodels.stats.proportion import confint_proportions_2indep

        low, high = confint_proportions_2indep(k_new, n_new, k_old, n_old, compare="diff", method="newcomb")
        word = _word(low, high, is_more_better=is_more_better)
    return Verdict(
        measure=measure,
        unit="share",
        word=word,
        old=values[0],
        old_count=n_old,
        new=values[1],
        new_count=n_new,
        low=None if low is None else float(low),
        high=None if high is None else float(high),
    )


def mean_verdict(measure: str, unit: str, old: list[float], new: list[float], minimum: int) -> Verdict:
    """The verdict on a mean that is better when it is smaller; both need ``minimum`` rows."""
    enough = min(len(old), len(new)) >= minimum
    low, high = _bootstrap(old, new) if enough else (None, None)
    word: Word = "not enough data"
    if low is not None and high is not None:
        word = _word(low, high, is_more_better=False)
    return Verdict(
        measure=measure,
        unit=unit,
        word=word,
        old=sum(old) / len(old) if old else None,
        old_count=len(old),
        new=sum(new) / len(new) if new else None,
        new_count=len(new),
        low=low,
        high=high,
    )


def _bootstrap(old: list[float], new: list[float]) -> tuple[float, float]:
    import numpy as np
    from scipy.stats import bootstrap

    def difference(a: NDArray[np.float64], b: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.asarray(np.mean(a, axis=axis) - np.mean(b, axis=axis))

    found = bootstrap(
        (np.array(new[-_MOST_ROWS:]), np.array(old[-_MOST_ROWS:])),
        difference,
        n_resamples=_RESAMPLES,
        batch=50,
        method="percentile",
        random_state=np.random.default_rng(_SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def _word(low: float, high: float, *, is_more_better: bool) -> Word:
    if low <= 0 <= high:
        return "no difference seen"
    return "improved" if (low > 0) == is_more_better else "worse"


def _costs(frame: pl.DataFrame) -> list[float]:
    """Cost of the runs whose cost is exact: a floor or an unknown cost is no number to compare."""
    return _numbers(frame.filter(pl.col("cost_status") == "exact"), "cost_usd")


def _numbers(frame: pl.DataFrame, column: str) -> list[float]:
    return [float(value) for value in frame[column].drop_nulls().to_list()]


def _total(frame: pl.DataFrame, column: str) -> int:
    return int(frame[column].sum())
