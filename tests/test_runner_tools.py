"""Tools and the simulated model: typed functions, failures that fail no run, every scenario runnable."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from pathlib import Path

import pytest

from ingest.workspace import Workspace
from runner.agent.scenarios import SCENARIOS
from runner.agent.tools import Arguments, InvalidArguments, bind
from runner.control.plane import Control
from runner.control.registry import Registry
from runner.control.registry_file import parse_registry
from runner.errors import ToolUnusable
from runner.worker import Worker, work_once
from tests.runner_company import HASTY, Command, company, events, fleetbook, play, registry_text, resume

__all__ = ["fleetbook"]

REFUND = "runner.agent.simulated_tools:refund_payment"
READ_ONLY = ("effect: consequential", "effect: read")


def test_arguments_are_checked_and_their_digest_does_not_depend_on_how_they_are_written() -> None:
    tool = bind("refund_payment", REFUND)
    first = tool.check('{"amount_usd": "240.00", "order_id": "W-1"}')
    second = tool.check({"order_id": "W-1", "amount_usd": Decimal("240.00"), "reason": "customer request"})
    assert isinstance(first, Arguments)
    assert isinstance(second, Arguments)
    assert first == second
    assert first.canonical == '{"amount_usd":"240.00","order_id":"W-1","reason":"customer request"}'
    assert first.values["amount_usd"] == Decimal("240.00")
    other = tool.check('{"amount_usd": "240.01", "order_id": "W-1"}')
    assert isinstance(other, Arguments)
    assert other.digest != first.digest


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ('{"order_id": "W-1"}', "amount_usd: Field required"),
        ('{"order_id": "W-1", "amount_usd": 0}', "amount_usd: Input should be greater than 0"),
        ('{"order_id": "W-1", "amount_usd": 1, "to": "me"}', "to: Extra inputs are not permitted"),
        ('{"order_id": "W-1", "amount_usd": 1, "idempotency_key": "x"}', "idempotency_key: Extra inputs"),
        ("[]", "Input should be"),
        ("{", "Invalid JSON"),
    ],
)
def test_arguments_that_do_not_fit_are_named(raw: str, problem: str) -> None:
    checked = bind("refund_payment", REFUND).check(raw)
    assert isinstance(checked, InvalidArguments)
    assert problem in checked.problem


def test_the_schema_a_model_gets_has_the_hints_and_no_key() -> None:
    schema = bind("refund_payment", REFUND).json_schema()
    assert set(schema["properties"]) == {"order_id", "amount_usd", "reason"}  # type: ignore[call-overload]  # JSON
    assert schema["required"] == ["order_id", "amount_usd"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("no.such.module:x", "module no.such.module cannot be imported"),
        ("runner.agent.simulated_tools:no_such", "has no function no_such"),
        ("builtins:print", "parameter args cannot be given by name"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_named(function: str, problem: str) -> None:
    with pytest.raises(ToolUnusable, match=problem):
        bind("x", function)


def test_a_tool_that_raises_is_a_failed_call_and_the_run_goes_on(workspace: Workspace) -> None:
    control = company(workspace, (REFUND, "tests.runner_tools:refund_fails"), READ_ONLY)
    outcome = play(control, "refund-agent", "Refund W-2211, 50 USD")
    assert outcome.end_state == "completed"
    assert "ValueError: the amount has three decimals" in str(outcome.answer)
    (failed,) = events(workspace, outcome.run_id, "tool_call_finished")[1:]
    assert (failed["tool_outcome"], failed["tool_error_class"], failed["error_type"]) == (
        "failed",
        "crash",
        "ValueError",
    )
    control.close()


@pytest.mark.parametrize(("order", "error_type"), [("W-404", "NotThere"), ("W-503", "UpstreamError")])
def test_a_service_that_fails_is_an_upstream_error(workspace: Workspace, order: str, error_type: str) -> None:
    control = company(workspace)
    outcome = play(control, "refund-agent", f"Refund {order}")
    assert outcome.end_state == "completed"
    (failed,) = events(workspace, outcome.run_id, "tool_call_finished")
    assert (failed["tool_error_class"], failed["error_type"]) == ("upstream", error_type)
    control.close()


def test_a_read_that_takes_too_long_fails_and_a_consequential_one_asks(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFECTS_FILE", str(tmp_path / "effects.txt"))
    hangs = (f'"{REFUND}"', '"tests.runner_tools:refund_hangs", timeout_s: 0.05')
    control = company(workspace, hangs, READ_ONLY)
    outcome = play(control, "refund-agent", "Refund W-2211, 50 USD")
    assert outcome.end_state == "completed"
    assert events(workspace, outcome.run_id, "tool_call_finished")[-1]["tool_error_class"] == "timeout"
    control.close()
    control = company(workspace, hangs)
    outcome = play(control, "refund-agent", "Refund W-2211, 50 USD")
    assert (outcome.status, outcome.reason) == ("waiting", "unknown_outcome")
    (request,) = outcome.requests
    control.decide(request.approval_id, "mara-lindt", "rejected", "it went through")
    assert resume(control, outcome.run_id).end_state == "completed"
    assert events(workspace, outcome.run_id, "tool_call_finished")[-1]["tool_outcome"] == "unknown"
    control.close()


# The tasks from docs and demo; each scenario with the tools it calls, and how often.
CASES: dict[str, tuple[str, dict[str, int]]] = {
    "refund": ("Refund W-2211, 240 USD", {"lookup_order": 1, "refund_payment": 1}),
    "triage": ("Triage new tickets about late deliveries", {"search_tickets": 1, "classify_ticket": 3}),
    "faq": ("Answer T-1042: when do I get my money back?", {"search_help_center": 1, "reply_to_ticket": 1}),
    "escalation": ("Escalate the login outage to platform", {"search_tickets": 1, "escalate_ticket": 1}),
    "lead-research": ('Research "Acme Robotics"', {"web_search": 1, "crm_lookup": 1, "crm_update": 1}),
    "quote": (
        'Quote 40 seats of pro for "Harbor Foods"',
        {"crm_lookup": 1, "price_quote": 1, "send_quote": 1},
    ),
    "pipeline-hygiene": ("Clean up the pipeline", {"open_deals": 1, "crm_update": 2}),
    "campaign-draft": (
        'Draft a newsletter on "winter sale"',
        {"brand_guide": 1, "keyword_ideas": 1, "draft_copy": 1},
    ),
    "social-post": (
        'Post on linkedin about "winter sale"',
        {"brand_guide": 1, "draft_copy": 1, "publish_post": 1},
    ),
    "survey-summary": ('Summarise "customer pulse"', {"survey_results": 1, "write_report": 1}),
    "invoice-matching": ("Match INV-2041", {"fetch_invoice": 1, "match_po": 1, "schedule_payment": 1}),
    "expense-check": ("Check EXP-310", {"fetch_expense": 1, "check_policy": 2, "flag_expense": 1}),
    "dunning": ('Remind "Harbor Foods"', {"open_items": 1, "send_reminder": 1}),
    "contract-summary": ("Summarise C-88", {"read_contract": 1, "note_risk": 1}),
    "report": ("Write the weekly report on runs and cost", {"query_metrics": 2, "write_report": 1}),
    "infra": ('Look after "checkout-api"', {"read_logs": 1, "restart_service": 1}),
    "errands": (
        'lookup_order {"order_id": "W-2211"}\n\nsearch_tickets {"query": "late"}',
        {"lookup_order": 1, "search_tickets": 1},
    ),
    "access-review": ('Review "data-warehouse"', {"list_access": 1, "revoke_access": 1}),
}


def test_every_scenario_has_a_case() -> None:
    assert set(CASES) == set(SCENARIOS)


def scenario_registry(scenario: str) -> Registry:
    """A company whose triage agent plays ``scenario`` with exactly the tools it calls."""
    text = registry_text(("sim:triage", f"sim:{scenario}"))
    names = CASES[scenario][1]
    tools = "".join(f'  {name}: {{function: "{_function(name)}", effect: read}}\n' for name in names)
    used = ", ".join(f"{{tool: {name}}}" for name in names)
    head, _, rest = text.partition("tools:\n")
    known = {line for line in rest.splitlines(keepends=True) if line.startswith("  ") and "function:" in line}
    kept = "".join(line for line in sorted(known) if line.split(":")[0].strip() not in names)
    body = "agents:\n" + rest.partition("agents:\n")[2]
    body = body.replace("tools: [{tool: search_tickets}, {tool: classify_ticket}]", f"tools: [{used}]")
    return parse_registry(f"{head}tools:\n{kept}{tools}{body}", Path("registry.yaml"))


def _function(name: str) -> str:
    for module in ("runner.agent.simulated_tools", "runner.agent.simulated_backoffice"):
        try:
            bind(name, f"{module}:{name}")
        except ToolUnusable:
            continue
        return f"{module}:{name}"
    raise AssertionError(name)


@pytest.mark.parametrize("scenario", sorted(CASES))
def test_a_scenario_calls_its_tools_and_answers_the_same_every_time(
    workspace: Workspace, scenario: str
) -> None:
    task, expected = CASES[scenario]
    answers = []
    with Control(workspace) as control:
        control.apply(scenario_registry(scenario))
        for _ in range(2):
            outcome = play(control, "triage-agent", task)
            assert outcome.end_state == "completed"
            ended = events(workspace, outcome.run_id, "tool_call_finished")
            assert {str(event["tool_outcome"]) for event in ended} == {"succeeded"}
            counts = {name: sum(event["tool_name"] == name for event in ended) for name in expected}
            assert counts == expected
            assert len(ended) == sum(expected.values())
            # Bookings are numbered: each run gets its own.
            answers.append(re.sub(r"\b(RF|Q|PAY|RM)-\d+", "number", str(outcome.answer)))
    assert answers[0] == answers[1]


def test_a_simulated_answer_is_cut_at_the_output_bound(workspace: Workspace) -> None:
    control = company(
        workspace, ("max_output_tokens: 400\n    tools: [", "max_output_tokens: 16\n    tools: [")
    )
    outcome = play(control, "triage-agent", "Sort the tickets")
    finished = events(workspace, outcome.run_id, "turn_finished")
    assert all(int(str(event["output_tokens"])) <= 16 for event in finished)
    control.close()


def test_a_hundred_runs_at_once_in_one_worker_are_each_told_whole(workspace: Workspace) -> None:
    control = company(workspace)
    run_ids = [control.request_run("triage-agent", f"Sort tickets {n}", "jon-vass") for n in range(100)]
    outcomes = work_once(control, pacing=HASTY)
    assert {outcome.run_id for outcome in outcomes} == set(run_ids)
    assert {outcome.end_state for outcome in outcomes} == {"completed"}
    for run_id in run_ids[::25]:
        (end,) = events(workspace, run_id, "run_ended")
        assert end["declared_event_count"] == 17 == len(events(workspace, run_id))
    control.close()


def test_two_workers_share_the_queue_without_doing_anything_twice(workspace: Workspace) -> None:
    control = company(workspace)
    run_ids = [control.request_run("triage-agent", f"Sort tickets {n}", "jon-vass") for n in range(10)]
    other = Control(workspace)

    async def both() -> list[str]:
        async with Worker(control, pacing=HASTY) as one, Worker(other, pacing=HASTY) as two:
            done = await asyncio.gather(one.once(), two.once())
        return [outcome.run_id for outcomes in done for outcome in outcomes]

    assert sorted(asyncio.run(both())) == sorted(run_ids)
    for run_id in run_ids:
        assert len(events(workspace, run_id, "run_started")) == 1
    other.close()
    control.close()


def test_texts_of_models_and_tools_are_printed_as_text(workspace: Workspace, fleetbook: Command) -> None:
    company(workspace).close()
    task = "Sort [bold red]this[/bold red] \x1b[31m now"
    code, out, _ = fleetbook("run", "triage-agent", task, "--as", "jon-vass")
    assert code == 0
    assert "[bold red]this[/bold red]" in out  # the query argument repeats the task
    assert "\x1b" not in out
