"""The alias table and the one rule for tokens, on payloads made by hand."""

from __future__ import annotations

import pytest

from ingest.dialects.aliases import ALIASES, aliases_of
from ingest.dialects.spans import map_span
from ingest.dialects.usage import Usage
from tests.otlp_spans import SECOND, START, chat, log, mapped, runs, span, tool


def usage_of(**attributes: object) -> Usage | None:
    return map_span(span(1, {name.replace("__", "."): value for name, value in attributes.items()})).usage


def test_every_alias_says_where_it_comes_from_and_no_name_stands_twice_for_one_field() -> None:
    assert all(alias.source for alias in ALIASES)
    rows = [(alias.field, alias.name, alias.only) for alias in ALIASES]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(
    ("field", "newest"),
    [
        ("provider_name", "gen_ai.provider.name"),
        ("input_tokens", "gen_ai.usage.input_tokens"),
        ("cache_read_tokens", "gen_ai.usage.cache_read.input_tokens"),
        ("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens"),
        ("input", "gen_ai.input.messages"),
        ("arguments", "gen_ai.tool.call.arguments"),
    ],
)
def test_the_newest_name_of_the_convention_comes_first(field: str, newest: str) -> None:
    assert aliases_of(field, "")[0].name == newest  # type: ignore[arg-type]  # a literal


def test_the_new_name_wins_over_the_old_one_and_an_empty_text_is_absent() -> None:
    both = {"gen_ai.provider.name": "anthropic", "gen_ai.system": "openai", "gen_ai.request.model": ""}
    (one,) = mapped(chat(1, attributes=both))
    assert (one.provider_name, one.requested_model) == ("anthropic", None)


@pytest.mark.parametrize(
    ("stated", "provider"),
    [
        ({"gen_ai.system": "az.ai.openai"}, "azure.ai.openai"),
        ({"gen_ai.system": "OpenAI"}, "openai"),
        ({"gen_ai.system": "vertex_ai"}, "gcp.vertex_ai"),
        ({"ai.model.provider": "anthropic.messages"}, "anthropic"),
        ({"ai.model.provider": "google.generative-ai"}, "gcp.gemini"),
        ({"gen_ai.system": "gcp.vertex.agent", "llm.provider": "google"}, "gcp.gemini"),
        ({"gen_ai.system": "langchain", "gen_ai.request.model": "mistral/small"}, "mistral_ai"),
        ({"gen_ai.system": "langchain"}, None),
    ],
)
def test_providers_have_one_name_and_frameworks_are_no_providers(
    stated: dict[str, str], provider: str | None
) -> None:
    assert map_span(span(1, stated)).provider_name == provider


def test_counts_inside_the_whole_are_taken_out_of_it() -> None:
    found = usage_of(
        gen_ai__usage__input_tokens=100,
        gen_ai__usage__cache_read__input_tokens=60,
        gen_ai__usage__cache_creation__input_tokens=30,
        gen_ai__usage__output_tokens=50,
        gen_ai__usage__reasoning__output_tokens=20,
    )
    assert found == Usage(
        input_tokens=10, cache_read_tokens=60, cache_write_tokens=30, output_tokens=30, reasoning_tokens=20
    )
    assert (found.all_input_tokens, found.all_output_tokens) == (100, 50)


def test_more_cached_than_input_means_that_the_source_counts_them_beside() -> None:
    found = usage_of(gen_ai__usage__input_tokens=7, gen_ai__usage__cache_read_input_tokens=16399)
    assert found == Usage(input_tokens=7, cache_read_tokens=16399)
    assert found.all_input_tokens == 16406


def test_claude_code_counts_cached_tokens_beside_the_input_under_bare_names() -> None:
    attributes = {
        "span.type": "llm_request",
        "model": "claude-opus-5-5",
        "gen_ai.system": "anthropic",
        "input_tokens": 2,
        "output_tokens": 333,
        "cache_read_tokens": 1,
        "cache_creation_tokens": 1,
        "stop_reason": "tool_use",
    }
    scope = {"name": "com.anthropic.claude_code.tracing"}
    (one,) = mapped(span(1, attributes, name="claude_code.llm_request", scope=scope))
    assert (one.kind, one.served_model, one.requested_model) == ("turn", None, "claude-opus-5-5")
    # Inside the input these would leave 0: here 2 + 1 + 1 were sent.
    assert one.usage == Usage(input_tokens=2, cache_read_tokens=1, cache_write_tokens=1, output_tokens=333)
    # The same bare names mean nothing in anybody else's span.
    (other,) = mapped(span(1, attributes | {"span.type": "x", "gen_ai.system": None}, name="job"))
    assert (other.usage, other.requested_model) == (None, None)


def test_thoughts_of_gemini_are_beside_the_output_where_the_total_says_so() -> None:
    blob = (
        '{"usage_metadata": {"prompt_token_count": 100, "candidates_token_count": 50, '
        '"thoughts_token_count": 200, "total_token_count": %d}}'
    )
    beside = usage_of(gcp__vertex__agent__llm_response=blob % 350)
    assert beside == Usage(input_tokens=100, output_tokens=50, reasoning_tokens=200)
    assert beside.all_output_tokens == 250
    inside = usage_of(gen_ai__usage__output_tokens=250, gcp__vertex__agent__llm_response=blob % 350)
    assert inside == Usage(input_tokens=100, output_tokens=50, reasoning_tokens=200)


def test_the_one_hour_part_of_a_cache_write_must_fit_into_it() -> None:
    metadata = '{"anthropic": {"usage": {"cache_creation": {"ephemeral_1h_input_tokens": 1076}}}}'
    fits = usage_of(
        gen_ai__usage__input_tokens=48183,
        gen_ai__usage__cache_read__input_tokens=47105,
        gen_ai__usage__cache_creation__input_tokens=1076,
        ai__response__providerMetadata=metadata,
    )
    assert fits is not None
    assert (fits.input_tokens, fits.cache_write_1h_tokens) == (2, 1076)
    too_large = usage_of(
        gen_ai__usage__input_tokens=48183,
        gen_ai__usage__cache_creation__input_tokens=500,
        ai__response__providerMetadata=metadata,
    )
    assert too_large is not None
    assert (too_large.cache_write_tokens, too_large.cache_write_1h_tokens) == (500, None)


@pytest.mark.parametrize("value", [-5, 10**12, 1.5, "many", "", True, [3], {"a": 1}, "1e999999999", "NaN"])
def test_a_count_that_cannot_be_is_unknown_and_not_zero(value: object) -> None:
    assert usage_of(gen_ai__usage__input_tokens=value) is None


@pytest.mark.parametrize(("value", "tokens"), [("174", 174), (174.0, 174), (0, 0), ("0", 0)])
def test_a_count_may_come_as_text_or_float_and_zero_is_a_count(value: object, tokens: int) -> None:
    found = usage_of(gen_ai__usage__input_tokens=value)
    assert found is not None
    assert found.input_tokens == tokens


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "times"),
    [
        (0, 0, (None, None)),
        (START, START - 1, (START, None)),
        (START, START + 400 * 86_400 * SECOND, (START, None)),
        (1, START, (None, START)),
        (-START, 2**64 - 1, (None, None)),
        (str(START), str(START + 1), (START, START + 1)),
        ("yesterday", None, (None, None)),
    ],
)
def test_impossible_times_are_unknown(
    start_ns: object, end_ns: object, times: tuple[int | None, int | None]
) -> None:
    one = map_span(span(1) | {"start_ns": start_ns, "end_ns": end_ns})
    assert (one.start_ns, one.end_ns) == times
    assert one.duration_ns == (1 if None not in times else None)


def test_costs_are_exact_nano_usd() -> None:
    assert map_span(chat(1, attributes={"gen_ai.usage.cost": 0.1})).reported_cost_nano_usd == 100_000_000
    parts = {"gen_ai.usage.input_cost": 6.769999999999999e-05, "gen_ai.usage.output_cost": 4.8e-06}
    assert map_span(chat(1, attributes=parts)).reported_cost_nano_usd == 67_700 + 4_800
    assert map_span(chat(1, attributes={"gen_ai.usage.cost": -1})).reported_cost_nano_usd is None
    assert map_span(chat(1)).reported_cost_nano_usd is None


def test_errors_have_a_class_and_an_unset_status_is_no_error() -> None:
    raised = {"events": [{"name": "exception", "attributes": {"exception.type": "TimeoutError"}}]}
    assert map_span(tool(1, status={"code": 2}, **raised)).error_type == "TimeoutError"
    assert map_span(tool(1, status={"code": 2})).error_type == "_OTHER"
    assert map_span(tool(1, **raised)).is_error is False
    stated = map_span(span(1, {"error.type": "429", "gen_ai.request.model": "m"}))
    assert (stated.is_error, stated.error_type) == (True, "429")


@pytest.mark.parametrize(
    ("name", "attributes", "agent_name"),
    [
        ("invoke_agent math", {"gen_ai.agent.name": "Math Tutor"}, "Math Tutor"),
        ("invoke_agent math", {}, "math"),
        ("agent_run [hello_agent]", {}, "hello_agent"),
        ("joke_agent run", {}, "joke_agent"),
        ("Agent workflow", {}, None),
        ("Crew.kickoff", {}, None),
        ("joke.workflow", {"traceloop.workflow.name": "joke"}, "joke"),
    ],
)
def test_an_agent_is_named_by_itself_and_not_by_a_function(
    name: str, attributes: dict[str, str], agent_name: str | None
) -> None:
    one = map_span(span(1, {"gen_ai.operation.name": "invoke_agent"} | attributes, name=name))
    assert (one.kind, one.agent_name) == ("run", agent_name)


def test_a_traceloop_trace_is_read() -> None:
    (run,) = runs(
        span(1, {"traceloop.span.kind": "workflow", "traceloop.workflow.name": "joke"}, name="joke.workflow"),
        span(
            2,
            {
                "llm.request.type": "chat",
                "gen_ai.system": "OpenAI",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.prompt_tokens": 15,
                "gen_ai.usage.completion_tokens": 6,
                "gen_ai.prompt.0.content": "Tell a joke",
                "gen_ai.completion.0.content": "Why …",
                "traceloop.workflow.name": "joke",
            },
            parent=1,
            name="openai.chat",
        ),
        span(
            3,
            {"traceloop.span.kind": "tool", "traceloop.entity.name": "rate", "traceloop.entity.input": "{}"},
            parent=1,
            name="rate.tool",
        ),
    )
    assert run.agent_name == "joke"
    (turn,) = run.turns
    assert (turn.span.provider_name, turn.span.usage) == ("openai", Usage(input_tokens=15, output_tokens=6))
    assert turn.span.texts == {
        "input": '{"gen_ai.prompt.0.content":"Tell a joke"}',
        "output": '{"gen_ai.completion.0.content":"Why …"}',
    }
    assert [call.span.tool_name for call in run.tool_calls] == ["rate"]


def test_claude_code_events_without_spans_are_a_run_for_each_prompt() -> None:
    shared = {"session.id": "s-1", "prompt.id": "p-1", "model": "claude-opus-5-5"}
    request = log(
        "claude_code.api_request",
        shared
        | {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.25, "duration_ms": 500, "request_id": "r1"},
    )
    second = log("claude_code.api_request", shared | {"input_tokens": 20, "request_id": "r2"})
    result = log("claude_code.tool_result", shared | {"tool_name": "Bash", "success": "false"})
    elsewhere = log("claude_code.api_request", shared | {"prompt.id": "p-2", "input_tokens": 1})
    found = runs(request, second, result, elsewhere, request)
    assert sorted(len(run.turns) for run in found) == [1, 2]
    large = max(found, key=lambda run: len(run.turns))
    assert large.conversation_id == "s-1"
    assert sum(turn.span.reported_cost_nano_usd or 0 for turn in large.turns) == 250_000_000
    assert [turn.span.duration_ns for turn in large.turns if turn.span.response_id == "r1"] == [SECOND // 2]
    assert [(call.span.tool_name, call.span.is_error) for call in large.tool_calls] == [("Bash", True)]
    # The same conversation in spans: then the events only repeat it.
    told = span(
        7,
        shared | {"span.type": "llm_request", "input_tokens": 30},
        name="claude_code.llm_request",
        scope={"name": "com.anthropic.claude_code.tracing"},
    )
    (run,) = runs(request, second, result, elsewhere, told)
    assert [turn.span.usage for turn in run.turns] == [Usage(input_tokens=30)]
