"""What providers charge beside what the log holds: exports as they come, restated, refused, compared."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.build import build
from app.cli import app
from app.warehouse import Scope, Warehouse
from ingest.errors import SourceError
from ingest.importers import quarantine
from ingest.importers.replay import replay
from ingest.log.writer import LogWriter
from ingest.usage.intake import read_statement, reports, take_in_usage
from ingest.usage.statement import Line
from ingest.workspace import Workspace
from tests.imported import told, write
from tests.warehouse_world import CENT, LEAD, REGISTRY, SUPPORT, Scribe

Costs = Sequence[tuple[str, str | None]]
D1 = 1_793_491_200  # 2026-11-01T00:00:00Z
DAY = 86_400


def openai_usage(*days: list[dict[str, object]], start: int = D1) -> dict[str, object]:
    """A page of ``/v1/organization/usage/completions``, one list of results per day."""
    return {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": start + number * DAY,
                "end_time": start + (number + 1) * DAY,
                "results": [{"object": "organization.usage.completions.result", **one} for one in results],
            }
            for number, results in enumerate(days)
        ],
        "has_more": False,
        "next_page": None,
    }


def openai_costs(*days: Costs, start: int = D1) -> str:
    """A page of ``/v1/organization/costs``, per day amounts and line items, numbers as the API has them."""
    buckets = [
        {
            "object": "bucket",
            "start_time": start + number * DAY,
            "end_time": start + (number + 1) * DAY,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": f"@{value}@", "currency": "usd"},
                    "line_item": item,
                }
                for value, item in results
            ],
        }
        for number, results in enumerate(days)
    ]
    text = json.dumps({"object": "page", "data": buckets, "has_more": False})
    return text.replace('"@', "").replace('@"', "")


ANTHROPIC_USAGE = {
    "data": [
        {
            "starting_at": "2026-11-01T00:00:00Z",
            "ending_at": "2026-11-02T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 1500,
                    "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
                    "cache_read_input_tokens": 200,
                    "output_tokens": 500,
                    "server_tool_use": {"web_search_requests": 10},
                    "model": "claude-sonnet-4-20250514",
                    "service_tier": "standard",
                }
            ],
        }
    ],
    "has_more": False,
    "next_page": None,
}
ANTHROPIC_COSTS = {
    "data": [
        {
            "starting_at": "2026-11-01T00:00:00Z",
            "ending_at": "2026-11-02T00:00:00Z",
            "results": [
                {"currency": "USD", "amount": "123.78912", "description": "Claude Sonnet 4 Usage",
                 "cost_type": "tokens", "model": "claude-sonnet-4-20250514",
                 "token_type": "uncached_input_tokens"},
                {"currency": "USD", "amount": "10", "description": "Web Search Usage",
                 "cost_type": "web_search", "model": None, "token_type": None},
            ],
        }
    ],
    "has_more": False,
}  # fmt: skip
CONSOLE_USAGE = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed\n"
    "2026-11-01,claude-opus-5,Ada's key,Default,standard,≤ 200k,46981,15969,0,7,16932,0,global,\n"
    "2026-11-01,claude-opus-5,Jon's key,Default,standard,≤ 200k,19,0,1,0,8,0,global,\n"
    "2026-11-03,claude-opus-5,Ada's key,Default,standard,≤ 200k,5,0,0,0,5,0,global,\n"
)
CONSOLE_COSTS = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,"
    "inference_geo,speed\n"
    "2026-11-01,Claude Opus 4.6,Default,key,message,≤ 200k,input_no_cache,1.50,1.50,token,global,\n"
    "2026-11-01,Claude Haiku 3.5,Default,key,message,≤ 200k,output,0.25,0.25,token,global,\n"
    "2026-11-01,,Default,key,message,,,0.10,0.10,web_search,global,\n"
)
DASHBOARD_COSTS = (
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,"
    "user_id,api_key_id,project_id,organization_id,project_name,organization_name,user_email,api_source\n"
    f"{D1},{D1 + DAY},,,,,,,,,,,,,,,\n"
    f"{D1 + DAY},{D1 + 2 * DAY},,,0.003835980000000000000000000000,usd,,,"
    '"gpt-5-nano, input_tokens",,,,org-1,,,ada@example.com,\n'
)
OWN = (
    "provider,kind,start,end,model,item,requests,input_tokens,output_tokens,cost_usd,invoice\n"
    "mistral,cost,2026-11-01,,mistral-large-2411,input,,,,0.5,\n"
    "mistral,usage,2026-11-01,,mistral-large-2411,,3,1000,200,,\n"
    "mistral,invoice,2026-11-01,2026-12-01,,,,,,12.34,INV-7\n"
)


def lines(path: Path) -> list[Line]:
    return list(read_statement(path).lines)


def test_openai_usage_counts_cached_tokens_inside_the_input(tmp_path: Path) -> None:
    result = {"input_tokens": 1000, "output_tokens": 500, "input_cached_tokens": 800, "num_model_requests": 5}
    path = write(tmp_path / "u.json", openai_usage([{**result, "model": "gpt-4.1-2025-04-14"}], []))
    used, empty = lines(path)
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (1000, 500, 800)
    assert (used.is_cache_in_input, used.request_count, used.model) == (True, 5, "gpt-4.1-2025-04-14")
    assert used.start == dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    # an empty bucket says that there was nothing, which is not the same as saying nothing
    assert (empty.input_tokens, empty.model, empty.end) == (0, None, dt.datetime(2026, 11, 3, tzinfo=dt.UTC))


def test_openai_costs_are_exact_and_tell_model_and_item_apart(tmp_path: Path) -> None:
    costs = [
        ("0.06", "gpt-4o-2024-08-06, input"),
        ("1.23", "gpt-4o-mini"),
        ("0.1", "web search tool calls, search"),
    ]
    found = lines(write(tmp_path / "c.json", openai_costs(costs)))
    assert [(one.model, one.item, one.cost_nano_usd) for one in found] == [
        ("gpt-4o-2024-08-06", "input", 60_000_000),
        ("gpt-4o-mini", None, 1_230_000_000),
        (None, "web search tool calls, search", 100_000_000),
    ]


def test_anthropic_counts_cached_tokens_beside_the_input_and_money_in_cents(tmp_path: Path) -> None:
    (used,) = lines(write(tmp_path / "u.json", ANTHROPIC_USAGE))
    assert (used.input_tokens, used.cache_read_tokens, used.cache_write_tokens) == (1500, 200, 1500)
    assert used.is_cache_in_input is False
    paid, search = lines(write(tmp_path / "c.json", ANTHROPIC_COSTS))
    assert (paid.cost_nano_usd, paid.item) == (1_237_891_200, "uncached_input_tokens")  # 123.78912 cents
    assert (search.model, search.item, search.cost_nano_usd) == (None, "web_search", 100_000_000)


def test_sheets_of_the_consoles_say_the_same_and_leave_names_behind(
    workspace: Workspace, tmp_path: Path
) -> None:
    usage = write(tmp_path / "usage.csv", CONSOLE_USAGE)
    done = take_in_usage(workspace, [usage])
    (report,) = (one.report for one in done.taken)
    summed = report.lines[0]
    assert (summed.input_tokens, summed.cache_write_tokens, summed.output_tokens) == (47_000, 15_970, 16_940)
    # the day between two days of use is a day of nothing
    assert [line.input_tokens for line in report.lines] == [47_000, 0, 5]
    costs = lines(write(tmp_path / "cost.csv", CONSOLE_COSTS))
    assert [(one.model, one.item) for one in costs] == [
        ("claude-opus-4-6", "input_no_cache"),
        ("claude-3-5-haiku", "output"),
        (None, "web_search"),
    ]
    take_in_usage(workspace, [write(tmp_path / "dash.csv", DASHBOARD_COSTS)])
    text = json.dumps(told(workspace))
    assert "Ada's key" not in text
    assert "example.com" not in text
    nano = [
        event.get("billed_cost_nano_usd")
        for event in told(workspace)
        if event.get("provider_name") == "openai"
    ]
    assert nano == [0, 3_835_980, None]


def test_our_own_sheet_holds_any_provider_and_invoices(tmp_path: Path) -> None:
    made = reports([read_statement(write(tmp_path / "own.csv", OWN))])
    assert [(one.provider, one.kind, len(one.lines)) for one in made] == [
        ("mistral", "cost", 1),
        ("mistral", "invoice", 1),
        ("mistral", "usage", 1),
    ]
    assert made[1].lines[0].invoice_id == "INV-7"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{}", "holds no buckets"),
        ('{"data": [{"start_time": 1, "end_time": 2, "results": []}]}', "holds no results"),
        ('{"data": [{"begin": 1, "results": [{"amount": 1}]}]}', "no usage or cost API"),
        ("{", "no valid JSON"),
        ("a,b\n1,2\n", "no export that is known"),
        ("provider,kind,start,cost\nx,cost,2026-11-01,1\n", "unknown columns cost"),
    ],
)
def test_what_is_no_export_is_refused_whole_with_what_to_do(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read_statement(write(tmp_path / "x", content))


def test_a_bucket_that_two_files_state_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    one = write(tmp_path / "a.json", openai_costs([("1", "gpt-4.1")]))
    other = write(tmp_path / "b.json", openai_costs([("2", "gpt-4.1")]))
    with pytest.raises(SourceError, match="both state openai cost of 2026-11-01"):
        take_in_usage(workspace, [one, other])
    assert told(workspace) == []


def test_hours_beside_days_are_refused(tmp_path: Path) -> None:
    page: dict[str, Any] = openai_usage([{"input_tokens": 1, "output_tokens": 1}])
    page["data"].append({**page["data"][0], "end_time": D1 + 3600})
    with pytest.raises(SourceError, match="two buckets of different length"):
        reports([read_statement(write(tmp_path / "u.json", page))])


def test_the_same_statement_comes_in_once_whatever_file_it_is_in(
    workspace: Workspace, tmp_path: Path
) -> None:
    page = json.loads(openai_costs([("1", "gpt-4.1")], [("2", "gpt-4.1")]))
    first = take_in_usage(workspace, [write(tmp_path / "both.json", page)])
    halves = [write(tmp_path / f"{n}.json.gz", {"data": [bucket]}) for n, bucket in enumerate(page["data"])]
    again = take_in_usage(workspace, halves)
    assert [one.events_written for one in first.taken + again.taken] == [3, 0]


def test_an_import_that_was_killed_is_carried_on(workspace: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", openai_costs([("1", "gpt-4.1")], [("2", "gpt-4.1")]))
    events = _begun(workspace, path)
    (taken,) = take_in_usage(workspace, [path]).taken
    assert taken.events_written == len(events) - 1


def test_a_refused_line_is_kept_with_its_reason_until_the_corrected_export_comes(
    workspace: Workspace, tmp_path: Path
) -> None:
    page = json.loads(openai_costs([("1", "gpt-4.1"), ("5", "gpt-4o")]))
    page["data"][0]["results"][0]["amount"]["currency"] = "eur"
    path = write(tmp_path / "c.json", page)
    done = take_in_usage(workspace, [path])
    (kept,) = _kept(workspace)
    assert "not USD" in kept.reason
    assert "eur" in kept.raw
    assert done.taken[0].report.rejected == 1
    # one line alone would take the place of its day
    assert replay(workspace).taken == 0
    (kept,) = _kept(workspace)
    assert kept.reason.count("import the corrected export again") == 1
    page["data"][0]["results"][0]["amount"]["currency"] = "usd"
    take_in_usage(workspace, [write(path, page)])
    assert _kept(workspace) == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One company in Berlin, its calls, one provider per case, and the tables made of them."""
    folder = tmp_path_factory.mktemp("usage")
    workspace = Workspace.create(folder / "workspace")
    workspace.registry_file.write_text(REGISTRY, encoding="utf-8")
    _tell_calls(workspace)
    usage = [
        {"input_tokens": 1000, "output_tokens": 100, "model": model, "num_model_requests": 1}
        for model in ("gpt-4.1", "gpt-4o", "gpt-leaked", "gpt-new")
    ]
    costs: Costs = [
        ("0.10", "gpt-4.1-2025-04-14"),
        ("0.40", "gpt-4o"),
        ("9", "gpt-leaked"),
        ("0.30", "gpt-new"),
    ]
    take_in_usage(workspace, [write(folder / "u.json", openai_usage(usage, []))])
    take_in_usage(workspace, [write(folder / "c.json", openai_costs(costs, []))])
    for number, (account, rows) in enumerate(SHEETS):
        take_in_usage(workspace, [write(folder / f"{number}.csv", HEADER + rows)], account)
    _begun(
        workspace,
        write(folder / "killed.csv", f"{HEADER}killed,cost,2026-11-01,,m,1,\nkilled,cost,2026-11-02,,m,1,\n"),
    )
    build(workspace)
    return workspace


HEADER = "provider,kind,start,end,model,cost_usd,invoice\n"
SHEETS = (
    # not told apart by model; two accounts, each with a part of the day; 0.37 is in the log
    ("emea", "lumped,cost,2026-11-01,,,0.20,\n"),
    ("apac", "lumped,cost,2026-11-01,,,0.17,\n"),
    ("emea", "lumped,invoice,2026-11-01,2026-12-01,,0.30,A\nlumped,invoice,2026-11-01,2026-12-01,,0.30,B\n"),
    # B was corrected
    ("emea", "lumped,invoice,2026-11-01,2026-12-01,,0.17,B\n"),
    # the second import restates the 1st and says nothing of the 2nd; the third repeats the first
    (
        "default",
        "restated,cost,2026-11-01,,m,1,\nrestated,cost,2026-11-01,,gone,3,\nrestated,cost,2026-11-02,,m,2,\n",
    ),
    ("default", "restated,cost,2026-11-01,,m,1.5,\n"),
    (
        "default",
        "restated,cost,2026-11-01,,m,1,\nrestated,cost,2026-11-01,,gone,3,\nrestated,cost,2026-11-02,,m,2,\n",
    ),
    # a line was refused
    ("default", "refused,cost,2026-11-01,,m,1,\nrefused,cost,2026-11-01,,n,one,\n"),
)


def test_each_difference_has_its_name(world: Workspace) -> None:
    rows = _by_model(world, "openai", 1)
    assert {model: row["comparison"] for model, row in rows.items()} == {
        "gpt-4.1": "matches",
        "gpt-4o": "price_differs",  # the same 1,100 tokens cost 0.20 here and 0.40 there
        "gpt-leaked": "not_in_log",
        "gpt-new": "price_missing",
        "gpt-unbilled": "not_at_provider",
    }
    assert rows["gpt-4o"]["captured_cost_share"] == Decimal("0.5")
    assert rows["gpt-4o"]["log_usd_per_mtok"] == Decimal("181.818182")
    assert rows["gpt-4o"]["provider_usd_per_mtok"] == Decimal("363.636364")
    assert (rows["gpt-new"]["log_cost_usd"], rows["gpt-new"]["captured_cost_share"]) == (None, None)


def test_days_are_days_of_utc_in_a_company_that_lives_elsewhere(world: Workspace) -> None:
    """Half past midnight in Berlin on 2 November is still 1 November at the provider."""
    row = _by_model(world, "openai", 1)["gpt-4.1"]
    assert (row["log_cost_usd"], row["captured_cost_share"]) == (Decimal("0.1"), Decimal(1))


def test_a_whole_day_of_nothing_is_no_day_without_an_export(world: Workspace) -> None:
    assert _by_model(world, "openai", 2)["gpt-4.1"]["comparison"] == "not_at_provider"
    assert _by_model(world, "openai", 3)["gpt-4.1"]["comparison"] == "no_report"


def test_an_export_that_tells_no_models_apart_is_compared_as_a_day_over_all_accounts(
    world: Workspace,
) -> None:
    rows = _by_model(world, "lumped", 1)
    assert list(rows) == [None]
    assert (rows[None]["log_cost_usd"], rows[None]["comparison"]) == (Decimal("0.37"), "matches")


def test_a_later_export_restates_its_days_and_a_repeated_old_one_changes_nothing(world: Workspace) -> None:
    rows = [row for row in _rows(world, "fct_provider_usage") if row["provider_name"] == "restated"]
    costs = {(row["usage_date"].day, row["model_name"]): row["billed_cost_usd"] for row in rows}
    assert costs == {(1, "m"): Decimal("1.5"), (2, "m"): Decimal(2)}


def test_an_import_that_was_killed_counts_for_nothing(world: Workspace) -> None:
    assert "killed" not in {row["provider_name"] for row in _rows(world, "fct_provider_usage")}


def test_a_day_with_a_refused_line_proves_nothing(world: Workspace) -> None:
    row = _by_model(world, "refused", 1)["m"]
    assert (row["comparison"], row["captured_cost_share"]) == ("report_incomplete", None)


def test_invoices_stand_beside_the_log(world: Workspace) -> None:
    (month,) = (row for row in _rows(world, "rpt_provider_months") if row["provider_name"] == "lumped")
    assert (month["invoices"], month["invoiced_usd"]) == (2, Decimal("0.47"))
    assert (month["provider_cost_usd"], month["compared_log_cost_usd"]) == (Decimal("0.37"), Decimal("0.37"))
    assert (month["captured_of_costs_share"], month["log_cost_usd"]) == (Decimal(1), Decimal("0.47"))
    assert month["captured_of_invoices_share"] == Decimal(1)


def test_what_a_provider_charges_belongs_to_no_team(world: Workspace) -> None:
    for mart in ("fct_provider_usage", "rpt_provider_days", "rpt_provider_months"):
        assert _rows(world, mart, scope=SUPPORT) == []


def test_the_command_prints_the_captured_shares_and_ends_with_1(
    world: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETBOOK_HOME", str(world.root))
    shown = CliRunner().invoke(app, ["usage", "--month", "2026-11"], env={"COLUMNS": "200"})
    assert shown.exit_code == 1, shown.output
    assert "gpt-leaked" in shown.output.split("most money first:")[1].splitlines()[2]
    nothing = CliRunner().invoke(app, ["usage", "--month", "2026-07"], env={"COLUMNS": "200"})
    assert nothing.exit_code == 0
    assert "No model calls and no exports" in nothing.output


def test_the_monthly_check_compares_each_provider_and_day(world: Workspace) -> None:
    rows = [row for row in _rows(world, "fct_check_findings") if row["check_id"] == "REC-06"]
    assert {row["object_id"] for row in rows} == {
        "openai 2026-11-01",  # 10.80 there, 0.37 and a call without price here
        "openai 2026-11-02",
        "restated 2026-11-01",
        "restated 2026-11-02",
    }
    (told_,) = (row["detail"] for row in rows if row["object_id"] == "restated 2026-11-02")
    assert told_ == "provider 2.000000000 USD, log 0.000000000 USD"


def test_a_check_writes_nothing_and_ends_with_1_on_a_refused_line(
    workspace: Workspace, tmp_path: Path
) -> None:
    bad = OWN.replace("0.5", "half")
    path = write(tmp_path / "own.csv", bad)
    shown = CliRunner().invoke(app, ["import", "usage", "--check", str(path)], env={"COLUMNS": "200"})
    assert shown.exit_code == 1
    assert "line 2: cost_usd = 'half' is no sum of money" in shown.output
    assert told(workspace) == []


def _begun(workspace: Workspace, path: Path) -> list[dict[str, Any]]:
    """Write what an import of ``path`` writes first; returns all that it would have written."""
    (report,) = reports([read_statement(path)])
    events = list(report.events(dt.datetime(2026, 11, 5, tzinfo=dt.UTC)))
    with LogWriter(workspace, recorded_via="import", process_name="killed") as log:
        log.append(events[:1])
    return events


def _kept(workspace: Workspace) -> list[quarantine.Kept]:
    return [one for path in quarantine.files(workspace) for one in quarantine.read(path)]


def _rows(workspace: Workspace, mart: str, scope: Scope = LEAD) -> list[dict[str, Any]]:
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    rows = warehouse.for_person(scope).table(mart, is_demo=False, limit=100, offset=0)
    return list(rows.iter_rows(named=True))


def _by_model(workspace: Workspace, provider: str, day: int) -> dict[str | None, dict[str, Any]]:
    date = dt.date(2026, 11, day)
    rows = _rows(workspace, "rpt_provider_days")
    return {
        row["model_name"]: row
        for row in rows
        if (row["provider_name"], row["usage_date"]) == (provider, date)
    }


def _tell_calls(workspace: Workspace) -> None:
    """Calls of 1,100 tokens, in cents; the first one at half past midnight of 2 November in Berlin."""
    calls = [
        ("11-01 23:30:00", "openai", "gpt-4.1", 10),
        ("11-01 12:00:00", "openai", "gpt-4o", 20),
        ("11-01 13:00:00", "openai", "gpt-unbilled", 7),
        ("11-01 14:00:00", "openai", "gpt-new", None),
        ("11-02 12:00:00", "openai", "gpt-4.1", 10),
        ("11-03 12:00:00", "openai", "gpt-4.1", 10),
        ("11-01 12:00:00", "lumped", "one", 30),
        ("11-01 13:00:00", "lumped", "other", 7),
        ("11-02 13:00:00", "lumped", "other", 10),
    ]
    with LogWriter(workspace, recorded_via="runner", process_name="test") as log:
        scribe = Scribe(log)
        for number, (when, provider, model, cents) in enumerate(calls):
            run = scribe.run(f"run-{number}", "support", "refunds", "jon", when)
            run.tell("run_started", when)
            run.tell(
                "turn_finished", when, turn_index=0, attempt=1, provider_name=provider, requested_model=model,
                input_tokens=1000, output_tokens=100, price_version="v1" if cents else None,
                list_cost_nano_usd=None if cents is None else cents * CENT,
            )  # fmt: skip
            run.end(when, "completed")
