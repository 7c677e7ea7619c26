"""Adoption: an alias finds the runs that were there before it, and only those that nobody claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.build import build
from app.commands.adopt import with_aliases
from app.warehouse import Warehouse
from ingest.importers.mapping import load_mappings
from ingest.workspace import Workspace
from runner.control.registry_file import parse_registry
from runner.errors import RunnerError
from tests.imported import bring_in, write, write_lines
from tests.otlp_spans import agent, chat
from tests.test_import_agentdojo import document
from tests.test_import_files import fleetbook
from tests.test_import_fleetbook import line
from tests.test_otlp_build import store
from tests.warehouse_world import LEAD

OUTSIDE = "billing-bot-on-gpt-4-1"


@pytest.fixture
def declared(workspace: Workspace) -> Workspace:
    """A workspace with the starter's registry: team support with its refund-agent."""
    assert fleetbook("init").returncode == 0
    return workspace


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    build(workspace)
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    return warehouse.fetch(query, {}).rows()


RUNS = "select source_run_id, agent_id, team_id from fct_runs order by source_run_id"


def test_an_adopted_agent_has_its_team_in_all_its_runs(declared: Workspace, tmp_path: Path) -> None:
    bring_in(
        declared, "fleetbook", write_lines(tmp_path / "a.jsonl", line(), line(run_id="r-2", agent="other"))
    )
    assert rows(declared, RUNS) == [("r-1", OUTSIDE, None), ("r-2", "other-on-gpt-4-1", None)]
    before = declared.registry_file.read_text()
    done = fleetbook("adopt", OUTSIDE, "--team", "support")
    assert done.returncode == 0, done.stderr
    assert f"billing bot on gpt-4.1 belongs to agent {OUTSIDE} of team support" in done.stdout
    added = f'  - {{source_agent: "billing bot", model: "gpt-4.1", team: support, agent: {OUTSIDE}}}'
    after = declared.registry_file.read_text()
    assert [one for one in after.splitlines() if one not in before.splitlines()] == ["aliases:", added]
    assert fleetbook("registry", "check").returncode == 0
    assert rows(declared, RUNS) == [("r-1", OUTSIDE, "support"), ("r-2", "other-on-gpt-4-1", None)]
    # What comes in later belongs there too.
    bring_in(declared, "fleetbook", write_lines(tmp_path / "b.jsonl", line(run_id="r-3")))
    assert rows(declared, RUNS)[-1] == ("r-3", OUTSIDE, "support")


def test_runs_may_count_for_a_registered_agent_and_claimed_ones_stay_where_they_are(
    declared: Workspace, tmp_path: Path
) -> None:
    bring_in(declared, "fleetbook", write_lines(tmp_path / "a.jsonl", line()))
    bring_in(declared, "fleetbook", write_lines(tmp_path / "b.jsonl", line(run_id="r-2")), team="support")
    build(declared)
    assert fleetbook("adopt", OUTSIDE, "--team", "support", "--into", "refund-agent").returncode == 0
    assert rows(declared, RUNS) == [("r-1", "refund-agent", "support"), ("r-2", OUTSIDE, "support")]


def test_the_first_alias_that_fits_counts_and_unknown_teams_are_refused(
    declared: Workspace, tmp_path: Path
) -> None:
    bring_in(declared, "auto", write(tmp_path / "a.json", document()))
    aliases = (
        "\naliases:\n"
        "  - {source_agent: drift, source_domain: slack, team: support, agent: slack-bot}\n"
        "  - {source_agent: drift, source_domain: banking, team: support, agent: bank-bot}\n"
        "  - {source_agent: drift, team: support, agent: any-bot}\n"
    )
    text = declared.registry_file.read_text()
    declared.registry_file.write_text(text.replace("aliases: []\n", "").rstrip() + aliases)
    assert rows(declared, "select agent_id, team_id from fct_runs") == [("bank-bot", "support")]
    refused = fleetbook("adopt", "bank-bot", "--team", "suport")
    assert refused.returncode != 0
    assert "suport" in refused.stderr
    assert declared.registry_file.read_text().endswith(aliases)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\n", "a: 1\n\naliases:\n  - NEW\n"),
        ("aliases: []\nb: 1\n", "aliases: \n  - NEW\nb: 1\n"),
        ("aliases: [{x: y}]\nb: 1\n", "aliases: [{x: y}, NEW]\nb: 1\n"),
        ("aliases:\n- {x: y}  # why\n\n# next\nb: 1\n", "aliases:\n- {x: y}  # why\n- NEW\n\n# next\nb: 1\n"),
        ("aliases:\n  - x: y\n    z: 1", "aliases:\n  - x: y\n    z: 1\n  - NEW\n"),
    ],
)
def test_an_alias_is_added_without_touching_another_line(before: str, after: str) -> None:
    new = '{source_agent: "a: b", team: support, agent: bot}'
    assert with_aliases(before, [("a: b", None)], "support", "bot") == after.replace("NEW", new)


def test_an_agent_that_no_import_has_seen_is_not_adopted(declared: Workspace) -> None:
    done = fleetbook("adopt", "nobody", "--team", "support")
    assert done.returncode == 2
    assert "no run of an agent 'nobody' built elsewhere" in done.stderr


def test_aliases_are_no_events_of_the_log(declared: Workspace, tmp_path: Path) -> None:
    bring_in(declared, "fleetbook", write_lines(tmp_path / "a.jsonl", line()))
    count = "select event_count from build_info"
    before = rows(declared, count)
    fleetbook("adopt", OUTSIDE, "--team", "support")
    assert rows(declared, count) == before


def asked(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    """What the pages learn about everything in the workspace."""
    warehouse = Warehouse.current(workspace)
    assert warehouse is not None
    return warehouse.for_person(LEAD).query(name, is_demo=False).to_dicts()


def test_adopted_agents_are_registered_and_no_longer_among_the_unknown(
    declared: Workspace, tmp_path: Path
) -> None:
    lines = write_lines(tmp_path / "a.jsonl", line(), line(run_id="r-2", agent="other"), '{"run_id": 5}')
    bring_in(declared, "fleetbook", lines)
    store(declared, agent(1, "Triage Bot"), chat(2, parent=1))
    known = (
        "select agent_id, team_id, is_registered, is_adopted from dim_agents where first_run_at is not null"
    )
    ordered = f"{known} order by 1"
    assert rows(declared, ordered) == [
        (OUTSIDE, None, False, False),
        ("other-on-gpt-4-1", None, False, False),
        ("triage-bot", "support", False, False),  # the team of its token
    ]
    unknown = {row["agent_id"]: row for row in asked(declared, "unregistered")}
    assert sorted(unknown) == [OUTSIDE, "other-on-gpt-4-1", "triage-bot"]
    seen = unknown[OUTSIDE]
    assert (seen["runs"], float(seen["cost_usd"])) == (1, 0.0021)
    assert f"{seen['first_run_at']:%F}" == f"{seen['last_run_at']:%F}" == "2026-10-01"
    (source,) = asked(declared, "coverage")
    assert (source["source_file"], source["reached"], source["failed"]) == ("a.jsonl", 2, 1)
    for outside in (OUTSIDE, "triage-bot"):
        assert fleetbook("adopt", outside, "--team", "support").returncode == 0
    assert rows(declared, ordered) == [
        (OUTSIDE, "support", True, True),
        ("other-on-gpt-4-1", None, False, False),
        ("triage-bot", "support", True, True),
    ]
    assert [row["agent_id"] for row in asked(declared, "unregistered")] == ["other-on-gpt-4-1"]


@pytest.mark.parametrize(
    "word", ["token: abcdef012345", "source_domain: refund-service", "source_agent: triage"]
)
def test_an_alias_names_a_token_a_service_or_an_agent(declared: Workspace, word: str) -> None:
    text = declared.registry_file.read_text().replace("aliases: []\n", "").rstrip()
    alias = f"{{{word}, team: support, agent: refund-agent}}"
    declared.registry_file.write_text(f"{text}\naliases:\n  - {alias}\n")
    parse_registry(declared.registry_file.read_text(), declared.registry_file)
    places = load_mappings(declared, team=None, agent=None, mapping_file=None)
    run = {"source_agent": "triage", "source_domain": "refund-service", "token": "abcdef012345"}
    mine = places.place(**run, model="", file="")
    assert (mine.agent_id, mine.team_id) == ("refund-agent", "support")
    others = {name: f"{value}x" for name, value in run.items()}
    assert not places.place(**others, model="", file="").is_mapped


def test_an_alias_that_would_fit_anybody_is_refused(declared: Workspace) -> None:
    text = declared.registry_file.read_text().replace("aliases: []\n", "").rstrip()
    with pytest.raises(RunnerError, match="source_agent, source_domain or token"):
        parse_registry(
            f"{text}\naliases:\n  - {{model: m, team: support, agent: any}}\n", declared.registry_file
        )
