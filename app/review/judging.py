"""Judges a trial: its two arms against each other, one word for all measures, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import polars as pl

from app.review.rules import Rules
from app.review.verdict import Verdict, Word, ended_runs, measured
from app.warehouse import Scoped
from runner.control import refreshes
from runner.control.refreshes import Outcome, Refresh
from runner.control.trials import ArmName

if TYPE_CHECKING:
    from runner.control.plane import Control


def judge(
    control: Control,
    scoped: Scoped,
    agent_id: str,
    *,
    rules: Rules,
    is_demo: bool,
    person_id: str,
    keep: ArmName,
    reason: str,
) -> Refresh:
    """Close the trial with what its runs say; where the old version is kept, registry.yaml says it again.

    Raises ReviewRefused before the day of the verdict, AccessRefused, NotFound.
    """
    with control.store.read() as connection:
        task = refreshes.find_task(connection, agent_id)
    found = trial_verdicts(scoped, task, is_demo=is_demo, minimum_runs=rules.minimum_runs)
    outcome = Outcome(verdict=overall(found), measures=[asdict(one) for one in found])
    done = refreshes.close(control, agent_id, person_id, outcome=outcome, keep=keep, reason=reason)
    if keep == "old":
        refreshes.write_old(control, task, person_id, reason)
    return done


def trial_verdicts(scoped: Scoped, task: Refresh, *, is_demo: bool, minimum_runs: int) -> list[Verdict]:
    """Each measure of the new arm against the old one, from the runs that are marked with the trial.

    A replacement has no old arm: it is compared with all runs of the old version before it.
    """
    marked = ended_runs(scoped, task.agent_id, is_demo=is_demo, trial_id=task.trial_id)
    old, new = (marked.filter(pl.col("trial_arm") == arm) for arm in ("old", "new"))
    if task.share_percent == 100:
        before = ended_runs(scoped, task.agent_id, is_demo=is_demo, agent_version=task.old_version)
        old = before.filter(pl.col("trial_id").is_null())
    return measured(old, new, minimum_runs)


def overall(found: Sequence[Verdict]) -> Word:
    """One word for all measures: what got worse counts most, then what improved."""
    words = {one.word for one in found}
    ranked: tuple[Word, ...] = ("worse", "improved", "no difference seen")
    return next((word for word in ranked if word in words), "not enough data")


def shown(task: Refresh) -> list[Verdict]:
    """The verdict on each measure as it was kept when the trial was closed; empty before."""
    return [Verdict(**one) for one in json.loads(task.verdicts or "[]")]
