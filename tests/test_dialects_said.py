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


def test_claude_codes_own_event_name_counts_without_its_prefix() -> None:
    stated = {"event.name": "tool_decision", "tool_name": "Bash", "tool_use_id": "t1", "session.id": "s1"}
    made = log("", stated | {"decision": "reject", "source": "user_reject"}, **CLAUDE)
    ended = stated | {"event.name": "tool_result", "success": "false"}
    tables = said(made, log("", ended, **CLAUDE))
    assert tables.approvals["decider_kind"].to_pylist() == ["person"]
    assert tables.tool_calls["tool_outcome"].to_pylist() == ["denied"]


def codex(name: str, second: int, **stated: object) -> dict[str, Any]:
    """A log record of Codex CLI: Rust's tracing puts the line of source where the event's name belongs."""
    attributes = {"event.name": name, "conversation.id": "c1", "model": "gpt-5", "user.account_id": "u1"}
    moment = START + second * SECOND
    return log("event session_telemetry.rs:123", attributes | stated, time_ns=moment)


def test_codex_events_are_a_run_with_its_calls_and_who_allowed_them() -> None:
    usage = {
        "event.kind": "response.completed",
        "input_token_count": "120",
        "output_token_count": "40",
        "cached_token_count": 100,
        "reasoning_token_count": 30,
    }
    asked = {"t1": ("approved_for_session", "user"), "t2": ("denied", "user"), "t3": ("abort", "config")}
    tables = said(
        codex("codex.sse_event", 1, **{"event.kind": "response.created"}),
        codex("codex.sse_event", 2, **usage),
        *(
            codex("codex.tool_decision", 3, tool_name="shell", call_id=call_id, decision=word, source=source)
            for call_id, (word, source) in asked.items()
        ),
        *(
            codex("codex.tool_result", 4, tool_name="shell", call_id=call_id, success=success)
            for call_id, success in (("t1", "true"), ("t2", "false"), ("t3", "false"))
        ),
    )
    (turn,) = tables.turns.to_pylist()
    assert (turn["requested_model"], turn["input_tokens"], turn["output_tokens"]) == ("gpt-5", 120, 40)
    assert (turn["cache_read_tokens"], turn["reasoning_tokens"]) == (100, 30)
    assert {
        row["approval_id"][-2:]: (row["decision"], row["decider_kind"], row["person_id"])
        for row in tables.approvals.to_pylist()
    } == {
        "t1": ("approved", "person", "u1"),
        "t2": ("rejected", "person", "u1"),
        "t3": ("rejected", "policy", None),
    }
    outcomes = {row["tool_call_id"]: row["tool_outcome"] for row in tables.tool_calls.to_pylist()}
    assert outcomes == {"t1": "succeeded", "t2": "denied", "t3": "refused"}
    assert tables.runs["conversation_id"].to_pylist() == ["c1"]


def test_gemini_cli_tells_of_a_call_and_of_its_decision_in_one_event() -> None:
    decided = ("accept", "auto_accept", "modify", "reject", None)
    events = []
    for second, word in enumerate(decided):
        stated = {"event.name": "gemini_cli.tool_call", "session.id": "s1", "function_name": "write_file"}
        stated |= {"success": word != "reject", "duration_ms": 500} | ({"decision": word} if word else {})
        events.append(log("", stated, time_ns=START + (second + 1) * SECOND))
    answered = {"session.id": "s1", "gen_ai.request.model": "gemini-2.5-pro", "gen_ai.usage.input_tokens": 7}
    details = log("", answered | {"event.name": "gen_ai.client.inference.operation.details"})
    repeated = log("", {"event.name": "gemini_cli.api_response", "session.id": "s1", "input_token_count": 7})
    tables = said(*events, details, repeated)
    assert tables.turns["input_tokens"].to_pylist() == [7]
    assert [
        (row["tool_name"], row["call_index"], row["decision"], row["decider_kind"])
        for row in tables.approvals.to_pylist()
    ] == [
        ("write_file", 0, "approved", "person"),
        ("write_file", 1, "approved", "unknown"),
        ("write_file", 2, "approved_changed", "person"),
        ("write_file", 3, "rejected", "person"),
    ]
    outcomes = tables.tool_calls["tool_outcome"].to_pylist()
    assert outcomes == ["succeeded", "succeeded", "succeeded", "denied", "succeeded"]


def test_arguments_and_results_of_coding_agents_are_texts() -> None:
    record = codex("codex.tool_result", 1, tool_name="shell", arguments="rm x", output="gone", success="true")
    structure = apart(record).structure["attributes"]
    assert (structure["arguments"], structure["output"], structure["tool_name"]) == (None, None, "shell")


def test_raw_requests_and_answers_of_litellm_are_texts_and_their_counts_are_not() -> None:
    told = {
        "llm.openai.choices": "[{'content': 'yes'}]",
        "llm.openai.messages": "[]",
        "llm.openai.model": "x",
    }
    counts = {"llm.token_count.prompt": 3, "llm.cost.completion": 0.5}
    structure = apart(span(1, told | counts)).structure["attributes"]
    assert (
        structure
        == {"llm.openai.choices": None, "llm.openai.messages": None, "llm.openai.model": "x"} | counts
    )


def test_what_claude_code_says_in_spans_and_in_logs_is_one_run() -> None:
    """As version 2.1.330 sends it: every log stands in the span of the prompt and names the request."""
    shared = {"session.id": "s1", "prompt.id": "p1"}
    tracing = {"scope": {"name": "com.anthropic.claude_code.tracing"}}
    usage = shared | {"model": "claude-opus-5-5", "input_tokens": 10, "output_tokens": 5, "request_id": "r1"}
    called = shared | {"tool_use_id": "t1", "tool_name": "Bash"}
    spans = (
        span(1, shared | {"span.type": "interaction"}, name="claude_code.interaction", seconds=9, **tracing),
        span(2, usage | {"span.type": "llm_request"}, parent=1, name="claude_code.llm_request", **tracing),
        span(3, called | {"span.type": "tool"}, parent=1, name="claude_code.tool", at=2, **tracing),
    )
    logs = (
        log("", usage | {"event.name": "api_request", "cost_usd": 0.25}, of=1, **CLAUDE),
        log(
            "", called | {"event.name": "tool_result", "success": "true", "request_id": "r1"}, of=1, **CLAUDE
        ),
    )
    tables = said(*spans, *logs)
    assert tables.turns["reported_cost_nano_usd"].to_pylist() == [250_000_000]
    assert tables.tool_calls["tool_call_id"].to_pylist() == ["t1"]
    alone = said(*({**one, "trace_id": "", "span_id": ""} for one in logs))
    assert (alone.turns.num_rows, alone.tool_calls["tool_name"].to_pylist()) == (1, ["Bash"])


def test_texts_that_claude_code_lets_out_leave_the_structure() -> None:
    told = dict.fromkeys(("user_prompt", "full_command", "prompt_text", "response", "file_path"), "short")
    structure = apart(span(1, told | {"tool_name": "Bash"})).structure["attributes"]
    assert structure == {**dict.fromkeys(told), "tool_name": "Bash"}
