"""Verdicts on a new version: intervals from the literature, and words that flip with the data."""

from __future__ import annotations

import pytest

from app.review.verdict import mean_verdict, share_verdict


def test_the_interval_of_two_shares_is_newcombes() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table II, method 10: 56 of 70 against 48 of 80.
    found = share_verdict("success", 48, 80, 56, 70, 20)
    assert found.low is not None
    assert found.high is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert (found.old, found.new, found.word) == (0.6, 0.8, "improved")


def test_the_verdict_flips_when_the_data_does() -> None:
    assert share_verdict("success", 56, 70, 48, 80, 20).word == "worse"
    assert share_verdict("tool errors", 48, 80, 56, 70, 20, is_more_better=False).word == "worse"
    assert share_verdict("tool errors", 56, 70, 48, 80, 20, is_more_better=False).word == "improved"


def test_an_interval_that_holds_zero_is_no_difference() -> None:
    found = share_verdict("success", 50, 100, 52, 100, 20)
    assert found.word == "no difference seen"


@pytest.mark.parametrize(("n_old", "n_new"), [(19, 500), (500, 19), (0, 0)])
def test_too_few_rows_are_not_enough(n_old: int, n_new: int) -> None:
    found = share_verdict("success", 0, n_old, n_new, n_new, 20)
    assert (found.word, found.low, found.high) == ("not enough data", None, None)
    assert mean_verdict("cost per run", "usd", [1.0] * n_old, [2.0] * n_new, 20).word == "not enough data"


def test_means_are_compared_by_resampling() -> None:
    cheap, dear = [1.0, 1.2] * 50, [1.5, 1.7] * 50
    up, down = mean_verdict("cost", "usd", cheap, dear, 20), mean_verdict("cost", "usd", dear, cheap, 20)
    assert (up.word, down.word) == ("worse", "improved")
    assert up.low is not None
    assert up.high is not None
    # The difference is 0.5; each mean has a standard error of 0.01, so 95 % is about ± 0.028.
    assert 0.46 < up.low < 0.48 < 0.52 < up.high < 0.54
    assert mean_verdict("cost", "usd", cheap, cheap, 20).word == "no difference seen"
    assert mean_verdict("cost", "usd", cheap, dear, 20) == up  # the same rows, the same interval
