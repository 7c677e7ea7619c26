"""What a refresh has to mend: the classes of failures of an agent's quarter, and its worst runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import polars as pl

from app.review.quarters import Quarter
from app.warehouse import Scoped

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSES = 5
RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One class of failures: what went wrong, in how many runs or tool calls, and how many there were.

    ``kind`` is run or tool call; ``name`` the end state, or the tool, with the error.
    """

    kind: str
    name: str
    count: int
    of: int


@dataclass(frozen=True, kw_only=True)
class WorstRun:
    """One run that did not succeed; cost in USD as text, None where it is unknown."""

    run_id: str
    outcome: str
    why: str
    cost_usd: str | None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Classes of failures, the most frequent first; runs, failed before intervened, the dearest first."""

    failures: tuple[Failure, ...]
    worst_runs: tuple[WorstRun, ...]

    def plain(self) -> Mapping[str, object]:
        """As JSON data."""
        return {
            "failures": [asdict(one) for one in self.failures],
            "worst_runs": [asdict(one) for one in self.worst_runs],
        }


def gather_evidence(scoped: Scoped, agent_id: str, quarter: Quarter, *, is_demo: bool) -> Evidence:
    """The evidence of ``agent_id`` in ``quarter``, within the scope."""

    def rows(mart: str) -> pl.DataFrame:
        first, last = quarter.first_day, quarter.last_day
        return scoped.table(mart, is_demo=is_demo, first_date=first, last_date=last, agent_id=agent_id)

    runs = rows("fct_runs").filter(pl.col("is_terminal"))
    calls = rows("fct_tool_calls").filter(pl.col("is_executed") & (pl.col("called_by") == "agent"))
    found = [*_run_failures(runs), *_call_failures(calls)]
    return Evidence(
        failures=tuple(sorted(found, key=lambda one: (-one.count, one.name))[:CLASSES]),
        worst_runs=tuple(_worst(runs)),
    )


def _run_failures(runs: pl.DataFrame) -> list[Failure]:
    bad = runs.filter(~pl.col("is_success")).with_columns(why=_why())
    counts = bad.group_by("why").len().sort("why")
    return [Failure(kind="run", name=why, count=n, of=runs.height) for why, n in counts.iter_rows()]


def _call_failures(calls: pl.DataFrame) -> list[Failure]:
    bad = calls.filter(pl.col("is_error")).with_columns(
        why=pl.concat_str(
            pl.col("tool_name"),
            pl.coalesce("tool_error_class", "error_type", pl.lit("failed")),
            separator=": ",
        )
    )
    counts = bad.group_by("why").len().sort("why")
    return [Failure(kind="tool call", name=why, count=n, of=calls.height) for why, n in counts.iter_rows()]


def _worst(runs: pl.DataFrame) -> list[WorstRun]:
    ranked = (
        runs.filter(~pl.col("is_success"))
        .with_columns(why=_why(), is_less_bad=pl.col("outcome") != "failed")
        .sort("is_less_bad", "cost_usd", "run_id", descending=[False, True, False], nulls_last=True)
        .head(RUNS)
    )
    return [
        WorstRun(
            run_id=row["run_id"],
            outcome=row["outcome"],
            why=row["why"],
            cost_usd=None if row["cost_usd"] is None else str(row["cost_usd"]),
        )
        for row in ranked.iter_rows(named=True)
    ]


def _why() -> pl.Expr:
    """What a run that did not succeed is counted under."""
    return (
        pl.when(pl.col("outcome") == "intervened")
        .then(pl.lit("completed, and a person stepped in"))
        .when((pl.col("end_state") == "completed") & ~pl.col("is_verdict_good"))
        .then(pl.lit("completed, and the verdict is not good"))
        .when(pl.col("error_type").is_not_null())
        .then(pl.concat_str("end_state", "error_type", separator=": "))
        .otherwise(pl.coalesce("end_state", pl.lit("lost")))
    )
