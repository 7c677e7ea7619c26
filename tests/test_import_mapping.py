"""Whose runs they are: mapping by command line, mapping file and registry aliases, and mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import MappingError
from ingest.importers.intake import Intent, take_in
from ingest.importers.mapping import outside_agent_id
from ingest.reader import event_ids, run_events
from ingest.workspace import Workspace
from tests.tau2_files import GOOD, document, good, write

REGISTRY = """
teams:
  support: {name: Support, manager: mara}
  sales: {name: Sales, manager: marco}
agents:
  airline-helper: {name: Airline helper, team: support}
aliases:
  - {source_agent: langchain_agent, team: sales, agent: airline-bot}
"""


def owner_of(workspace: Workspace) -> tuple[object, object]:
    (requested,) = [
        event
        for event in run_events(workspace, f"tau2-{GOOD['id']}")
        if event["event_type"] == "run_requested"
    ]
    return requested.get("team_id"), requested["agent_id"]


def bring_in(workspace: Workspace, tmp_path: Path, mapping: str = "", **intent: str) -> None:
    mapping_file = tmp_path / "mapping.yaml"
    mapping_file.write_text(mapping)
    path = write(tmp_path / "good.json", document(good()))
    take_in(
        workspace,
        Intent(format_name="tau2", files=(path,), mapping_file=mapping_file if mapping else None, **intent),
    )


def test_an_unmapped_run_keeps_its_own_name_and_has_no_team(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, tmp_path)
    assert owner_of(workspace) == (None, "llm_agent-on-gpt-4-1")


def test_two_models_of_one_source_agent_are_two_agents() -> None:
    assert outside_agent_id("llm_agent", "gpt-4.1") != outside_agent_id("llm_agent", "gpt-4.1-mini")
    assert (
        outside_agent_id("Langchain Agent", "openai/gpt-oss-120b") == "langchain-agent-on-openai-gpt-oss-120b"
    )


def test_the_first_fitting_mapping_wins(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(
        workspace,
        tmp_path,
        "mappings:\n"
        "  - {source_agent: llm_agent, source_domain: retail, team: sales}\n"
        "  - {source_agent: llm_agent, model: gpt-4.1, file: good.json, team: support, agent: airline-bot}\n"
        "  - {source_agent: llm_agent, team: marketing}\n",
        team="finance",
    )
    assert owner_of(workspace) == ("support", "airline-bot")


def test_the_command_line_takes_what_no_mapping_fits(workspace: Workspace, tmp_path: Path) -> None:
    bring_in(workspace, tmp_path, "mappings: [{source_domain: retail, team: sales}]", team="finance")
    assert owner_of(workspace) == ("finance", "llm_agent-on-gpt-4-1")


def test_a_registered_agent_brings_its_team(workspace: Workspace, tmp_path: Path) -> None:
    workspace.registry_file.write_text(REGISTRY)
    bring_in(workspace, tmp_path, agent="airline-helper")
    assert owner_of(workspace) == ("support", "airline-helper")


@pytest.mark.parametrize(
    ("mapping", "options", "sentence"),
    [
        (
            "mappings:\n  - source_agent: x\n    teem: support\n",
            {},
            "mapping.yaml line 3: unknown key 'teem'. Did you mean 'team'?",
        ),
        ("mapings: []", {}, "line 1: unknown key 'mapings'. Did you mean 'mappings'?"),
        ("mappings:\n  - {team: support}\n", {}, "line 2: a mapping fits every run"),
        ("mappings:\n  - {source_agent: x}\n", {}, "line 2: a mapping names neither team nor agent"),
        ("mappings:\n  - {source_agent: [x], team: support}\n", {}, "line 2: 'source_agent' is no text"),
        ("mappings: {team: support}", {}, "line 1: 'mappings' is no list"),
        ("just words", {}, "line 1: the file is no list of mappings"),
        ("mappings: [", {}, "line 1: no valid YAML"),
        ("mappings:\n  - {model: a, team: A Team}\n", {}, "line 2 names team 'A Team', which is no id"),
        (
            "mappings:\n  - {source_agent: x, team: suport}\n",
            {},
            "line 2 names team 'suport', which the registry does not declare. Did you mean 'support'?",
        ),
        ("", {"agent": "airline-helpr"}, "the command line names agent 'airline-helpr', which the registry"),
        ("", {"agent": "airline-helper", "team": "sales"}, "the registry has it in 'support'"),
    ],
)
def test_a_mistake_in_a_mapping_is_named_and_nothing_is_written(
    workspace: Workspace, tmp_path: Path, mapping: str, options: dict[str, str], sentence: str
) -> None:
    workspace.registry_file.write_text(
        REGISTRY.replace("agent: airline-bot", "agent: airline-helper").replace(
            "team: sales, ", "team: support, "
        )
    )
    with pytest.raises(MappingError) as caught:
        bring_in(workspace, tmp_path, mapping, **options)
    assert sentence in str(caught.value)
    assert not event_ids(workspace, recorded_via="import:tau2")


def test_an_alias_of_the_registry_maps_too_and_is_checked(workspace: Workspace, tmp_path: Path) -> None:
    workspace.registry_file.write_text(REGISTRY.replace("langchain_agent, team: sales", "x, team: seles"))
    with pytest.raises(MappingError, match="seles"):
        bring_in(workspace, tmp_path)
    workspace.registry_file.write_text(REGISTRY.replace("langchain_agent", "llm_agent"))
    bring_in(workspace, tmp_path)
    assert owner_of(workspace) == ("sales", "airline-bot")


def test_a_missing_mapping_file_is_named(workspace: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / "good.json", document(good()))
    with pytest.raises(MappingError, match=r"no mapping file .*none\.yaml"):
        take_in(workspace, Intent(format_name="tau2", files=(path,), mapping_file=tmp_path / "none.yaml"))
