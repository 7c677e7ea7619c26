"""Runs from spans: late, twice, out of order, in several batches, without roots, and from hostile senders."""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.dialects.assemble import Run, assemble
from ingest.dialects.spans import map_span
from ingest.dialects.usage import Usage
from tests.otlp_spans import (
    SECOND,
    START,
    TRACE,
    agent,
    chat,
    input_tokens,
    log,
    mapped,
    output_tokens,
    runs,
    span,
    tool,
)

SUPPORT = [
    agent(1, "support", seconds=10),
    chat(2, 10, 1, parent=1, at=1),
    tool(3, "lookup_order", parent=1, at=3),
    chat(4, 20, 2, parent=1, at=5),
    agent(5, "refunds", parent=1, at=6, seconds=3),
    chat(6, 40, 4, parent=5, at=7),
    tool(7, "refund_payment", parent=5, at=8, status={"code": 2}),
]


def shape(found: list[Run]) -> list[tuple[object, ...]]:
    return [
        (
            run.run_id,
            run.parent_run_id,
            run.agent_name,
            run.start_ns,
            run.end_ns,
            [(turn.turn_index, turn.span.span_id, turn.span.usage) for turn in run.turns],
            [
                (call.call_index, call.turn_index, call.span.tool_name, call.span.is_error)
                for call in run.tool_calls
            ],
        )
        for run in found
    ]


def test_agents_turns_and_tools_become_runs_with_parents() -> None:
    whole, delegated = runs(*SUPPORT)
    assert (whole.run_id, whole.parent_run_id, whole.agent_name) == (f"otel-{TRACE}", None, "support")
    assert (whole.start_ns, whole.end_ns) == (START, START + 10 * SECOND)
    assert [turn.span.usage for turn in whole.turns] == [
        Usage(input_tokens=10, output_tokens=1),
        Usage(input_tokens=20, output_tokens=2),
    ]
    assert [(call.span.tool_name, call.turn_index) for call in whole.tool_calls] == [("lookup_order", 0)]
    assert (delegated.run_id, delegated.parent_run_id) == (f"otel-{TRACE}-{5:016x}", whole.run_id)
    assert (delegated.agent_name, delegated.root_run_id) == ("refunds", whole.run_id)
    assert [(call.span.tool_name, call.span.is_error) for call in delegated.tool_calls] == [
        ("refund_payment", True)
    ]


@given(st.permutations(SUPPORT), st.lists(st.integers(0, len(SUPPORT) - 1), max_size=6))
@settings(max_examples=60, deadline=None)
def test_order_and_repetition_change_nothing(order: list[dict[str, Any]], again: list[int]) -> None:
    assert shape(runs(*order, *(order[place] for place in again))) == shape(runs(*SUPPORT))


def test_of_a_span_that_arrives_again_changed_the_finished_telling_counts() -> None:
    begun = chat(2, None, None, parent=1, at=1, seconds=None)
    ended = chat(2, 10, 1, parent=1, at=1)
    for order in itertools.permutations([agent(1, "support"), begun, ended]):
        (run,) = runs(*order)
        (turn,) = run.turns
        assert (turn.span.usage, turn.span.duration_ns) == (Usage(input_tokens=10, output_tokens=1), SECOND)


def test_as_long_as_the_root_is_missing_the_run_is_not_ended_and_its_id_stays() -> None:
    (early,) = runs(chat(2, parent=1, at=1), tool(3, parent=1, at=2))
    assert (early.run_id, early.end_ns, early.agent_name) == (f"otel-{TRACE}", None, None)
    assert early.last_seen_ns == START + 3 * SECOND
    (late,) = runs(tool(3, parent=1, at=2), agent(1, "support", seconds=9), chat(2, parent=1, at=1))
    assert (late.run_id, late.end_ns, late.agent_name) == (early.run_id, START + 9 * SECOND, "support")


def test_calls_whose_parents_never_arrive_belong_to_the_only_agent_of_the_trace() -> None:
    (run,) = runs(agent(1, "any_agent", seconds=9), chat(2, parent=77, at=1), tool(3, parent=78, at=2))
    assert (run.agent_name, len(run.turns), len(run.tool_calls)) == ("any_agent", 1, 1)


def test_a_call_alone_is_a_run_of_its_service() -> None:
    (run,) = runs(chat(1))
    assert (run.agent_name, run.service_name, len(run.turns)) == (None, "refund-service", 1)
    assert run.end_ns == START + SECOND


def test_an_unnamed_wrapper_and_an_agent_inside_itself_are_one_run() -> None:
    wrapper = span(1, {"openinference.span.kind": "AGENT"}, name="Agent workflow", seconds=9)
    inner = span(2, {"openinference.span.kind": "AGENT"}, name="Hello world", parent=1, seconds=8)
    again = span(3, {"openinference.span.kind": "AGENT"}, name="Hello world", parent=2, seconds=7)
    (run,) = runs(wrapper, inner, again, chat(4, parent=3, at=1))
    assert (run.agent_name, len(run.turns)) == ("Hello world", 1)


def test_several_agents_in_one_trace_are_delegated_by_the_trace() -> None:
    found = runs(
        span(1, name="POST /chat", seconds=9),
        agent(2, "triage", parent=1, at=1),
        chat(3, 10, 1, parent=2, at=1),
        agent(4, "refunds", parent=1, at=3),
        chat(5, 20, 2, parent=4, at=3),
        chat(6, 40, 4, parent=1, at=5),
    )
    assert [(run.agent_name, run.parent_run_id is None, len(run.turns)) for run in found] == [
        (None, True, 1),
        ("triage", False, 1),
        ("refunds", False, 1),
    ]
    assert input_tokens(found) == 70


def test_an_agents_own_sum_is_not_added_to_its_turns_but_stands_in_for_them() -> None:
    total = {"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 3}
    root = agent(1, "support")
    root["attributes"] |= total
    (run,) = runs(root, chat(2, 10, 1, parent=1), chat(3, 20, 2, parent=1))
    assert (input_tokens([run]), run.usage) == (30, None)
    (alone,) = runs(root)
    assert (alone.turns, alone.usage) == ((), Usage(input_tokens=30, output_tokens=3))


def test_a_call_that_wraps_a_call_is_one_turn() -> None:
    outer = chat(2, 10, 1, parent=1, seconds=5, name="ChatOpenAI")
    inner = chat(3, 10, 1, parent=2, at=1, name="openai.chat")
    (run,) = runs(agent(1, "a"), outer, inner)
    assert [turn.span.name for turn in run.turns] == ["openai.chat"]
    # The inner one without usage: what it used is known from its wrapper.
    (run,) = runs(agent(1, "a"), outer, chat(3, None, None, parent=2, at=1, name="openai.chat"))
    assert [(turn.span.name, turn.span.usage) for turn in run.turns] == [
        ("openai.chat", Usage(input_tokens=10, output_tokens=1))
    ]
    # Several inner ones without usage: only their wrapper knows.
    silent = [chat(number, None, None, parent=2, at=number) for number in (3, 4)]
    (run,) = runs(agent(1, "a"), outer, *silent)
    assert [turn.span.name for turn in run.turns] == ["ChatOpenAI"]


def test_two_instrumentations_of_one_answer_are_one_turn() -> None:
    same = {"gen_ai.response.id": "chatcmpl-1"}
    first = chat(2, 10, 1, parent=1, at=1, attributes=same)
    second = span(
        3,
        same | {"openinference.span.kind": "LLM", "llm.token_count.prompt": 10},
        parent=1,
        at=1.001,
    )
    (run,) = runs(agent(1, "a"), first, second, chat(4, 20, 2, parent=1, at=3))
    assert (len(run.turns), input_tokens([run])) == (2, 30)


def test_logs_fill_the_span_they_belong_to_and_are_counted_once() -> None:
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1}
    details = log("gen_ai.client.inference.operation.details", usage | {"gen_ai.request.model": "m"}, of=2)
    messages = [
        log("gen_ai.user.message", {}, of=2, body={"content": "Where is my parcel?"}, time_ns=START + 1),
        log("gen_ai.choice", {}, of=2, body={"finish_reason": "stop", "message": {"content": "Here"}}),
    ]
    root, turn = agent(1, "a"), chat(2, None, None, parent=1)
    for order in itertools.permutations([details, *messages, root, turn]):
        (run,) = runs(*order)
        (told,) = run.turns
        assert told.span.usage == Usage(input_tokens=10, output_tokens=1)
        assert told.span.finish_reason == "stop"
        assert "Where is my parcel?" in told.span.texts["input"]
        assert "Here" in told.span.texts["output"]
    (alone,) = runs(details, *messages)
    assert (len(alone.turns), input_tokens([alone]), output_tokens([alone])) == (1, 10, 1)


def test_calls_told_by_logs_inside_another_span_stay_apart() -> None:
    interaction = span(
        1,
        {"span.type": "interaction", "session.id": "s"},
        name="claude_code.interaction",
        scope={"name": "com.anthropic.claude_code.tracing"},
    )
    requests = [
        log("claude_code.api_request", {"input_tokens": 10 * n, "request_id": f"r{n}"}, of=1) for n in (1, 2)
    ]
    (run,) = runs(interaction, *requests)
    assert (len(run.turns), input_tokens([run])) == (2, 30)


def test_a_circle_of_parents_ends() -> None:
    (run,) = runs(chat(1, parent=2), chat(2, 20, 2, parent=3), agent(3, "a", parent=1))
    assert run.agent_name == "a"
    assert runs(chat(1, 10, 1, parent=1))[0].turns[0].span.span_id == f"{1:016x}"


def test_a_very_deep_trace_takes_linear_time() -> None:
    depth = 20_000
    chain = mapped(*(span(n + 1, parent=n or None, name="step") for n in range(depth)))
    leaves = mapped(*(chat(depth + n + 1, parent=depth, at=n) for n in range(2_000)))
    agents = mapped(*(agent(40_000 + n, f"agent-{n % 7}", parent=39_999 + n) for n in range(2_000)))
    started = time.process_time()
    found = assemble([*chain, *leaves, *agents])
    assert sum(len(run.turns) for run in found) == 2_000
    assert time.process_time() - started < 20  # quadratic time takes minutes


GOOD = [agent(1, "good", seconds=9), chat(2, 10, 1, parent=1, at=1), tool(3, parent=1, at=2)]
HOSTILE: list[dict[str, Any]] = [
    span(91, {"__proto__": {"gen_ai.usage.input_tokens": 10**9}, "constructor": "x", "toString": "x"}),
    span(92, {"gen_ai.usage.input_tokens": {"__proto__": {"x": 1}}, "gen_ai.request.model": ["a", {"b": 1}]}),
    span(
        93, {"gen_ai.prompt.999999999999999999999.content": "x", "llm.input_messages.-1.message.role": "user"}
    ),
    span(94, {f"llm.output_messages.{2**63}.message.content": "x", "llm.input_messages..": "y"}),
    span(95, {"ai.response.providerMetadata": "{" * 5_000, "gcp.vertex.agent.llm_response": "[]"}),
    span(96, {"ai.response.providerMetadata": '{"anthropic": {"usage": []}, "openai": 7, "bedrock": null}'}),
    span(97, {"langfuse.observation.usage_details": '{"input": "1e400", "output": -3}'}),
    span(98, None) | {"attributes": [1, 2], "events": "boo", "resource": 7, "scope": [], "status": "ERROR"},
    span(99, None) | {"events": [1, {"name": 5}, {"name": "gen_ai.choice", "attributes": [[]]}], "name": 12},
    span(90, {"gen_ai.operation.name": "chat" * 10_000, "gen_ai.agent.name": "x" * 100_000}),
    {},
    {"signal": "log", "body": {"gen_ai.usage.input_tokens": 5}, "event_name": ["x"]},
    {"signal": "span", "trace_id": 7, "span_id": None, "attributes": {"gen_ai.operation.name": "chat"}},
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_span_in_another_trace_changes_nothing_else(number: int) -> None:
    hostile = {**HOSTILE[number]}
    if "trace_id" in hostile:
        hostile["trace_id"] = "f" * 32
    found = [run for run in runs(hostile, *GOOD) if run.trace_id == TRACE]
    assert shape(found) == shape(runs(*GOOD))


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_span_in_the_same_trace_takes_nothing_away(number: int) -> None:
    good = next(run for run in runs(HOSTILE[number], *GOOD) if run.run_id == f"otel-{TRACE}")
    assert good.agent_name == "good"
    kept = {turn.span.span_id: turn.span.usage for turn in good.turns}
    assert kept[f"{2:016x}"] == Usage(input_tokens=10, output_tokens=1)
    assert "lookup_order" in [call.span.tool_name for call in good.tool_calls]
    assert input_tokens([good]) == 10


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    [
        "gen_ai.operation.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.cost",
        "gen_ai.agent.name",
        "gen_ai.response.finish_reasons",
        "llm.token_count.prompt",
        "ai.response.providerMetadata",
        "gcp.vertex.agent.llm_response",
        "langfuse.observation.usage_details",
        "openinference.span.kind",
        "gen_ai.prompt.0.content",
        "error.type",
    ]
)


@given(
    st.dictionaries(_NAMES, _JSON, max_size=6),
    st.dictionaries(
        st.sampled_from(
            ["name", "start_ns", "end_ns", "events", "status", "resource", "scope", "signal", "body"]
        ),
        _JSON,
        max_size=4,
    ),
)
@settings(max_examples=300, deadline=None)
def test_no_span_whatever_raises(attributes: dict[str, Any], fields: dict[str, Any]) -> None:
    one = map_span(span(1, attributes) | fields)
    assemble([one, *mapped(*GOOD)])
    if one.usage is not None:
        counts = [one.usage.input_tokens, one.usage.output_tokens, one.usage.cache_read_tokens]
        assert all(count is None or count >= 0 for count in counts)


def test_shuffled_batches_of_many_traces_keep_each_trace_whole() -> None:
    spans = [{**raw, "trace_id": f"{trace:032x}"} for trace in range(1, 40) for raw in SUPPORT]
    random.Random(5).shuffle(spans)
    found = runs(*spans)
    assert len(found) == 2 * 39
    assert input_tokens(found) == 70 * 39
