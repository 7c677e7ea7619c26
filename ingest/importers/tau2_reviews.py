"""Reviews of tau2 runs by a judge model: JSON lines, one verdict per simulation.

Source: the judge viewer of sierra-research/tau2-bench. The verdict stands in ``judge_response``, as JSON in a
fence. It is a judge's opinion, shown beside the task's reward and never in its place. The reviews say neither
when they were made nor by which agent the run was: they join the run by its id, whenever that comes in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import msgspec

from ingest.contract import derived_event_id
from ingest.errors import SourceError
from ingest.importers.draft import attempt
from ingest.importers.facts import MalformedError
from ingest.importers.formats import Draft, EventDict, ImportedRun, Item, Reading, Rejected
from ingest.importers.lines import read_lines
from ingest.importers.probe import Probe
from ingest.importers.source import Json, SourceFile
from ingest.importers.tau2_run import UUID_PATTERN
from ingest.importers.times import EPOCH

NAME = "tau2_reviews"
VERDICTS = {"pass": True, "fail": False}
FENCED = re.compile(r"```(?:json)?\s*(\{.*?\})\s*```", re.DOTALL)


class Review(msgspec.Struct, frozen=True):
    """One review."""

    simulation_id: Annotated[str, msgspec.Meta(min_length=1)]
    judge_response: str
    label: str = ""
    judge_model: str = ""
    judge_prompt_name: str = ""


class Tau2Reviews:
    """The importer ``tau2_reviews``."""

    name = NAME
    summary = "judge reviews of tau2 simulations (.jsonl)"

    def recognises(self, probe: Probe) -> bool:
        """Objects with a simulation and a judge's response."""
        return probe.kind in ("lines", "object") and probe.has("simulation_id", "judge_response")

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """One verdict per line. Raises SourceError when the file holds no line."""
        is_any = False
        for line in read_lines(source):
            is_any = True
            if line.problem:
                yield Rejected(position=line.number, source_run_id="", reason=line.problem, raw=line.text)
            else:
                yield attempt(partial(_review, line.value, reading), raw=line.text, position=line.number)
        if not is_any:
            raise SourceError(f"Nothing imported: {source.title} holds no review. Export it again.")


FORMAT = Tau2Reviews()


def _review(raw: Json, reading: Reading) -> ImportedRun:
    review = msgspec.convert(raw, type=Review)
    if not UUID_PATTERN.fullmatch(review.simulation_id):
        raise MalformedError(f"simulation_id {review.simulation_id[:40]!r} is no UUID")
    run_id = f"tau2-{review.simulation_id}"
    name = review.judge_prompt_name or review.label or "judge"
    event: EventDict = {
        "event_id": derived_event_id(EPOCH, NAME, run_id, name, review.judge_model),
        "event_type": "outcome_recorded",
        "occurred_at": reading.imported_at,
        "run_id": run_id,
        "outcome_kind": "judge",
        "outcome_name": name,
        "is_good": VERDICTS[_word(review.judge_response)],
    }
    return ImportedRun(
        source_run_id=review.simulation_id,
        run_id=run_id,
        source_agent=review.judge_model or "judge",
        agent_id="the runs they judge",
        drafts=(Draft(event=event, occurred_at=reading.imported_at),),
    )


def _word(response: str) -> str:
    """``pass`` or ``fail``. Raises MalformedError for any other answer: an unclear verdict is none."""
    fenced = FENCED.search(response)
    try:
        answer = json.loads(fenced.group(1) if fenced else response)
    except (ValueError, RecursionError):
        raise MalformedError("the judge's response is no JSON") from None
    word = answer.get("verdict") if isinstance(answer, dict) else None
    if word not in VERDICTS:
        raise MalformedError(f"the verdict is {str(word)[:40]!r}, neither pass nor fail")
    return str(word)
