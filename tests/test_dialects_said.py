"""What spans and logs say about runs: evaluations, annotations and tool decisions, by hand."""

from __future__ import annotations

import json
from typing import Any

from ingest.dialects.content import apart
from ingest.dialects.rows import MappedTables, mapped_rows
from tests.otlp_spans import SECOND, START, TRACE, agent, chat, log, span, tool

RUN = (agent(1, "triage", seconds=9), chat(2, parent=1), tool(3, parent=1, at=2))
CLAUDE: dict[str, Any] = {"scope": {"name": "com.anthropic.claude_code.events"}}


def said(*raws: dict[str, Any]) -> MappedTables:
    return mapped_rows(json.dumps(raw) for raw in raws)


def evaluation(name: str, **more: object) -> dict[str, Any]:
    return {"gen_ai.evaluation.name": name} | {
        f"gen_ai.evaluation.{key.replace('__', '.')}": value for key, value in more.items()
    }


def verdicts(tables: MappedTables) -> list[tuple[object, ...]]:
    names = ("run_id", "outcome_kind", "outcome_name", "is_good", "score_micro")
    return [tuple(row[name] for name in names) for row in tables.verdicts.to_pylist()]


def test_an_evaluation_is_a_verdict_on_the_run_of_its_span() -> None:
    told = log(
        "gen_ai.evaluation.result", evaluation("Relevance", score__value=4.0, score__label="pass"), of=2
    )
    assert verdicts(said(*RUN, told)) == [(f"otel-{TRACE}", "score", "Relevance", True, 4_000_000)]


def test_an_evaluation_as_a_span_event_counts_and_one_that_arrives_twice_counts_once() -> None:
    event = {
        "name": "gen_ai.evaluation.result",
        "time_ns": START + 5 * SECOND,
        "attributes": evaluation("Fluency", score__value=0.5),
    }
    judged = chat(2, parent=1, events=[event])
    assert verdicts(said(RUN[0], judged, judged, RUN[2])) == [
        (f"otel-{TRACE}", "score", "Fluency", None, 500_000)
    ]


def test_an_evaluation_without_a_span_finds_its_run_by_the_response_it_is_about() -> None:
    answer = chat(2, parent=1, attributes={"gen_ai.response.id": "resp-1"})
    about = evaluation("user_feedback", score__value=1) | {"gen_ai.response.id": "resp-1"}
    told = log("gen_ai.evaluation.result", about)
    lost = log("gen_ai.evaluation.result", about | {"gen_ai.response.id": "resp-2"})
    tables = said(RUN[0], answer, told, lost)
    assert verdicts(tables) == [(f"otel-{TRACE}", "user_rating", "user_feedback", None, 1_000_000)]


def test_openinference_annotations_say_whether_a_model_judged() -> None:
    given = {"name": "correctness", "score": 0.75, "label": "fail"}
    by_model = {f"evaluation.{key}": value for key, value in given.items()}
    by_person = {f"annotation.{key}": value for key, value in given.items()}
    tables = said(
        RUN[0],
        chat(2, parent=1, attributes=by_model | {"evaluation.annotator_kind": "LLM"}),
        chat(3, parent=1, attributes=by_person | {"annotation.annotator_kind": "HUMAN"}),
    )
    assert sorted(row[1:] for row in verdicts(tables)) == [
        ("judge", "correctness", False, 750_000),
        ("score", "correctness", False, 750_000),
    ]


def test_a_name_without_a_score_and_a_score_without_a_name_are_no_verdict() -> None:
    nameless = {"gen_ai.evaluation.score.value": 1}
    hostile = evaluation("x", score__value="1e400", score__label={"a": 1})
    records = [log("gen_ai.evaluation.result", one, of=2) for one in (evaluation("x"), nameless, hostile)]
    assert verdicts(said(*RUN, *records)) == []


def test_explanations_are_texts_and_leave_the_structure() -> None:
    told = evaluation("x", explanation="because") | {"annotation.explanation": "why", "annotation.score": 1}
    structure = apart(log("gen_ai.evaluation.result", told, of=2)).structure["attributes"]
    assert structure == {
        "gen_ai.evaluation.name": "x",
        "gen_ai.evaluation.explanation": None,
        "annotation.explanation": None,
        "annotation.score": 1,
    }


def decision(call_id: str, word: str, source: str) -> dict[str, Any]:
    stated = {"tool_name": "Bash", "tool_use_id": call_id, "decision": word, "source": source}
    return log("claude_code.tool_decision", stated | {"session.id": "s1", "prompt.id": "p1"}, **CLAUDE)


def result(call_id: str, *, success: bool) -> dict[str, Any]:
    stated = {"tool_name": "Bash", "tool_use_id": call_id, "success": str(success).lower()}
    return log("claude_code.tool_result", stated | {"session.id": "s1", "prompt.id": "p1"}, **CLAUDE)


def test_tool_decisions_of_claude_code_are_approvals_by_a_person_or_a_rule() -> None:
    tables = said(
        decision("t1", "accept", "user_temporary"),
        result("t1", success=True),
        decision("t2", "reject", "user_reject"),
        result("t2", success=False),
        decision("t3", "reject", "hook"),
        result("t3", success=False),
    )
    names = ("tool_name", "decision", "source_decision", "decider_kind")
    found = {
        row["approval_id"][-2:]: tuple(row[name] for name in names) for row in tables.approvals.to_pylist()
    }
    assert found == {
        "t1": ("Bash", "approved", "accept (user_temporary)", "person"),
        "t2": ("Bash", "rejected", "reject (user_reject)", "person"),
        "t3": ("Bash", "rejected", "reject (hook)", "policy"),
    }
    outcomes = {row["tool_call_id"]: row["tool_outcome"] for row in tables.tool_calls.to_pylist()}
    assert outcomes == {"t1": "succeeded", "t2": "denied", "t3": "refused"}
    assert tables.runs["is_log_only"].to_pylist() == [True]


def test_a_wait_for_the_user_in_spans_counts_where_no_log_tells_of_it() -> None:
    waited = span(
        4,
        {"span.type": "tool.blocked_on_user", "decision": "accept", "source": "user_permanent"},
        parent=3,
        name="claude_code.tool.blocked_on_user",
    )
    (row,) = said(*RUN, waited).approvals.to_pylist()
    assert (row["run_id"], row["decision"], row["decider_kind"]) == (f"otel-{TRACE}", "approved", "person")
    unknown = span(4, {"decision": "maybe"}, parent=3, name="claude_code.tool.blocked_on_user")
    assert said(*RUN, unknown).approvals.num_rows == 0
