"""Judge reviews: an opinion that joins its run, whichever of both comes in first, and never guesses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.workspace import Workspace
from tests import tau2_files
from tests.imported import bring_in, columns, of_type, told, write, write_lines
from tests.test_import_auto import REVIEW

RUN_ID = f"tau2-{tau2_files.GOOD['id']}"


@pytest.mark.parametrize("is_review_first", [True, False])
def test_a_review_is_a_verdict_on_its_run_whichever_comes_first(
    workspace: Workspace, tmp_path: Path, is_review_first: bool
) -> None:
    paths = [
        write_lines(tmp_path / "reviews.jsonl.gz", REVIEW),
        write(tmp_path / "results.json", tau2_files.document(tau2_files.good())),
    ]
    for path in paths if is_review_first else reversed(paths):
        bring_in(workspace, "auto", path)
    verdicts = [event for event in of_type(told(workspace), "outcome_recorded") if event["run_id"] == RUN_ID]
    assert sorted(columns(verdicts, "outcome_kind", "outcome_name", "is_good")) == [
        ("judge", "triage", True),
        ("task_reward", None, True),
    ]
    again = bring_in(workspace, "auto", *paths)
    assert sum(file.events_written for file in again.files) == 0


@pytest.mark.parametrize(
    "response",
    ['{"verdict": "pass or fail"}', "I think it passed.", '```json\n{"verdict": null}\n```', '["pass"]', ""],
)
def test_an_unclear_answer_of_the_judge_is_no_verdict(
    workspace: Workspace, tmp_path: Path, response: str
) -> None:
    path = write_lines(tmp_path / "reviews.jsonl", REVIEW, {**REVIEW, "judge_response": response})
    report = bring_in(workspace, "tau2_reviews", path)
    assert (report.files[0].new, report.files[0].quarantined) == (1, 1)


def test_a_bare_verdict_without_a_fence_is_read(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(
        workspace,
        "tau2_reviews",
        write_lines(tmp_path / "r.jsonl", {**REVIEW, "judge_response": '{"verdict": "fail"}'}),
    )
    assert columns(of_type(told(workspace), "outcome_recorded"), "is_good") == [(False,)]
