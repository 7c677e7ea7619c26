"""Payloads of real frameworks: their spans give the figures that are expected of them, exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ingest.dialects.assemble import Run, assemble
from ingest.dialects.content import apart, together
from ingest.dialects.foreign import spans_of_any_agent, spans_of_langfuse
from ingest.dialects.spans import MappedSpan, map_span
from ingest.dialects.usage import Usage
from ingest.receivers.decode_json import decode_json
from tests.otlp_spans import expected, input_tokens, output_tokens, wire_records, wire_spans

OPENAI_V2 = {
    "otel_v2_2.1b0_events": ("traces.0", "logs.0"),
    "otel_v2_latest_nocontent": ("traces.0", "logs.0", "logs.1"),
    "otel_v2_latest_span_content": ("traces.0",),
}
# EXPECTED.json counts what Langfuse shows. The wrapper ai.generateText repeats its only model call there.
COUNTED_ONCE = {"vercel-aisdk-2025-11-17.trace.json": (1, 62, 85)}


@pytest.fixture
def wire(shared: Path) -> Path:
    folder = shared / "data" / "wire"
    if not folder.is_dir():
        pytest.skip("the folder shared/data/wire is not beside this checkout")
    return folder


def turns_of(found: list[Run]) -> list[MappedSpan]:
    return [turn.span for run in found for turn in run.turns]


@pytest.mark.parametrize("variant", OPENAI_V2)
@pytest.mark.parametrize("ending", [".pb", ".otlp.json"])
def test_the_openai_instrumentation_is_read_in_all_its_conventions(
    wire: Path, variant: str, ending: str
) -> None:
    folder = wire / "otlp_generated"
    truth = expected(folder)["openai_v2 (all variants)"]
    found = assemble(wire_spans(*(folder / f"{variant}.{part}{ending}" for part in OPENAI_V2[variant])))
    turns = turns_of(found)
    assert len(turns) == truth["llm_spans"]
    assert sum(turn.is_error for turn in turns) == truth["error_spans"]
    assert (input_tokens(found), output_tokens(found)) == (truth["tokens_in"], truth["tokens_out"])
    # "one agent run "weather run" with 2 chat calls, then stand-alone calls"
    assert sorted((run.name, len(run.turns)) for run in found if len(run.turns) > 1) == [("weather run", 2)]
    assert {turn.provider_name for turn in turns} == {"openai"}
    assert {turn.error_type for turn in turns} == {None, "NotFoundError"}


@pytest.mark.parametrize("ending", [".pb", ".otlp.json"])
def test_openinference_is_read(wire: Path, ending: str) -> None:
    folder = wire / "otlp_generated"
    truth = expected(folder)["openinference_openai / traceloop_openai"]
    found = assemble(wire_spans(folder / f"openinference_openai.traces.0{ending}"))
    assert len(turns_of(found)) == truth["llm_spans"]
    assert sum(turn.is_error for turn in turns_of(found)) == truth["error_spans"]
    assert (input_tokens(found), output_tokens(found)) == (truth["tokens_in"], truth["tokens_out"])


def test_usage_in_a_details_event_of_the_logs_is_not_counted_beside_the_span(wire: Path) -> None:
    """The event variant, made from the recorded spans: 186/81, where adding spans and logs gives 372/162."""
    records = wire_records(wire / "otlp_generated" / "otel_v2_latest_span_content.traces.0.pb").records
    details = [
        {
            **record,
            "signal": "log",
            "event_name": "gen_ai.client.inference.operation.details",
            "time_ns": record["end_ns"],
        }
        for record in records
        if "gen_ai.operation.name" in record["attributes"]  # type: ignore[operator]  # an object
    ]
    found = assemble(map_span(record) for record in [*details, *records])
    assert len(details) == 4
    assert (input_tokens(found), output_tokens(found)) == (186, 81)
    # Without the spans the events alone tell the same.
    alone = assemble(map_span(record) for record in details)
    assert (len(turns_of(alone)), input_tokens(alone), output_tokens(alone)) == (4, 186, 81)


def test_every_asserted_usage_of_langfuse_is_met(wire: Path) -> None:
    folder = wire / "otlp_langfuse_tests"
    truths = expected(folder, "EXPECTED_usage.json")
    assert truths
    for name, truth in truths.items():
        (mapped,) = wire_spans(folder / f"{name}.otlp.json")
        usage = mapped.usage or Usage()
        assert mapped.kind == "turn", name
        assert {key: _bucket(usage, key) for key in truth} == truth, name


def _bucket(usage: Usage, key: str) -> int | None:
    """One of Langfuse's buckets; its three kinds of cache writes are one of ours with a part of it beside."""
    written, long_lived = usage.cache_write_tokens, usage.cache_write_1h_tokens
    buckets = {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cached": usage.cache_read_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_creation": written,
        "cache_write": 0,  # Bedrock states two names for writes, 0 and 100 here; ours is their sum
        "cache_creation_1h": long_lived,
        "cache_creation_5m": None if written is None else written - (long_lived or 0),
        "reasoning": usage.reasoning_tokens,
        "audio": usage.audio_output_tokens,
    }
    if key == "total":
        return _stated_total(usage)
    return buckets[key]


def _stated_total(usage: Usage) -> int:
    """Bedrock's total leaves the cache out of its input and adds the part that was read."""
    everything = (usage.all_input_tokens or 0) + (usage.all_output_tokens or 0)
    return everything + (usage.cache_read_tokens or 0)


def test_kinds_names_and_times_of_single_spans(wire: Path) -> None:
    folder = wire / "otlp_langfuse_tests"
    spans = {path.name.partition(".otlp")[0]: wire_spans(path)[0] for path in folder.glob("*.otlp.json")}
    assert len(spans) == 18
    kinds = {name: spans[name].kind for name in spans if spans[name].kind != "turn"}
    assert kinds == {
        "pydantic_ai_agent_root": "run",
        "pydantic_ai_tool": "tool_call",
        "vercel_aisdk_embedding": "retrieval",
        "no_timestamps": "other",
        "only_end_timestamp": "other",
    }
    assert spans["pydantic_ai_agent_root"].agent_name == "roulette_agent"
    called = spans["pydantic_ai_tool"]
    assert (called.tool_name, called.tool_call_id) == ("roulette_wheel", "call_idvalue")
    assert called.texts == {"arguments": '{"square": 18}', "result": "winner"}
    assert spans["semantic_kernel_1.55_events"].served_model == "gpt-4-0613"
    assert "Paris" in spans["semantic_kernel_1.55_events"].texts["output"]
    assert spans["operation_details_span_event"].texts["instructions"] == "You are a helpful assistant."
    assert spans["vercel_aisdk_embedding"].requested_model == "gemini-embedding-001"
    assert (spans["no_timestamps"].start_ns, spans["no_timestamps"].end_ns) == (None, None)
    assert (spans["only_end_timestamp"].start_ns, spans["only_end_timestamp"].end_ns) == (
        None,
        1746026930686764000,
    )


def test_spans_without_a_trace_of_agents_make_no_run(wire: Path) -> None:
    lines = (wire / "otlp_fixtures" / "test-traces.json").read_bytes().splitlines()
    spans = [map_span(record) for line in lines for record in decode_json("traces", line).records]
    assert [span.kind for span in spans] == ["other", "other"]
    assert assemble(spans) == []


@pytest.mark.parametrize("framework", ["GOOGLE", "LANGCHAIN", "OPENAI", "SMOLAGENTS"])
def test_the_same_task_in_four_frameworks_as_any_agent_dumps_it(wire: Path, framework: str) -> None:
    folder = wire / "any_agent"
    truth = expected(folder)[framework]
    document = json.loads((folder / f"{framework}_trace.json").read_text(encoding="utf-8"))
    spans = [map_span(raw) for raw in spans_of_any_agent(document)]
    (run,) = assemble(spans)
    cost = sum(turn.span.reported_cost_nano_usd or 0 for turn in run.turns)
    assert {
        "spans": len(spans),
        "agent_spans": sum(span.kind == "run" for span in spans),
        "llm_calls": len(run.turns),
        "tool_calls": len(run.tool_calls),
        "tool_errors": sum(call.span.is_error for call in run.tool_calls),
        "tokens_in": input_tokens([run]),
        "tokens_out": output_tokens([run]),
        "cost_usd": float(Decimal(cost) / 10**9),
        "latency_s": float(Decimal((run.end_ns or 0) - (run.start_ns or 0)) / 10**9),
    } == truth
    assert run.agent_name == "any_agent"


def test_langfuse_exports_give_the_figures_of_their_own_pages(wire: Path) -> None:
    folder = wire / "langfuse_export"
    for name, truth in expected(folder).items():
        document = json.loads((folder / name).read_text(encoding="utf-8"))
        raws = spans_of_langfuse(document)
        spans = [map_span(raw) for raw in raws]
        generations = [
            span
            for span, raw in zip(spans, raws, strict=True)
            if raw["attributes"]["langfuse.observation.type"] == "generation"  # type: ignore[index,call-overload]
        ]
        types = [row["type"] for row in document["observations"]]
        cost = sum(span.reported_cost_nano_usd or 0 for span in generations)
        assert {kind: types.count(kind) for kind in sorted(set(types))} == truth["types"]
        assert len(spans) == truth["observations"]
        assert [span.kind for span in generations] == ["turn"] * truth["generations"]
        assert (
            sum(span.usage.all_input_tokens or 0 for span in generations if span.usage) == truth["tokens_in"]
        )
        assert (
            sum(span.usage.all_output_tokens or 0 for span in generations if span.usage)
            == truth["tokens_out"]
        )
        assert cost == round(Decimal(repr(truth["cost"])) * 10**9), name
        assert sum(span.is_error for span in spans) == truth["errors"]
        found = assemble(spans)
        once = (truth["generations"], truth["tokens_in"], truth["tokens_out"])
        assert (
            len(turns_of(found)),
            input_tokens(found),
            output_tokens(found),
        ) == COUNTED_ONCE.get(name, once), name


def test_agents_of_the_exports_are_named_and_their_tools_found(wire: Path) -> None:
    def found(name: str) -> list[Run]:
        document = json.loads((wire / "langfuse_export" / name).read_text(encoding="utf-8"))
        return assemble(map_span(raw) for raw in spans_of_langfuse(document))

    (openai,) = found("openai-agents-2025-09-30.trace.json")
    assert openai.agent_name == "Hello world"
    assert [call.span.tool_name for call in openai.tool_calls] == ["get_weather"]
    (adk,) = found("google-adk-2025-08-28.trace.json")
    assert (adk.agent_name, adk.conversation_id, adk.person_id) == (
        "hello_agent",
        "demo-session",
        "demo-user",
    )
    assert {turn.span.provider_name for turn in adk.turns} == {"gcp.gemini"}
    workflow, *delegated = found("pydantic-ai-tools-2025-12-04.trace.json")
    assert (workflow.name, workflow.agent_name, workflow.turns) == ("run_joke_generator", None, ())
    assert sorted(run.agent_name or "" for run in delegated) == [
        "evaluator_agent",
        "joke_agent",
        "joke_agent",
    ]
    assert {run.parent_run_id for run in delegated} == {workflow.run_id}


def test_structure_and_content_of_every_payload_make_the_whole_again(wire: Path) -> None:
    paths = [
        path
        for folder in ("otlp_generated", "otlp_langfuse_tests")
        for path in sorted((wire / folder).glob("*.*"))
        if "EXPECTED" not in path.name and ".metrics." not in path.name
    ]
    records = [record for path in paths for record in wire_records(path).records]
    assert len(records) > 70
    for record in records:
        structure, content = apart(record)
        assert together(structure, content) == record
        assert map_span(structure).usage == map_span(record).usage  # counts do not depend on kept texts
        assert map_span(structure).kind == map_span(record).kind
