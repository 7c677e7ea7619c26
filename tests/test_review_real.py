"""Real runs of public benchmarks, mapped to teams by aliases: reviews rank them as their truth tables do."""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from app.build import build
from app.review.cards import Card, make_cards
from app.review.quarters import Quarter
from app.review.rules import parse, shipped_text
from ingest.importers.intake import Intent, take_in
from ingest.workspace import Workspace
from tests.review_world import whole

RULES = parse(shipped_text(), "shipped")
SOURCES = ("agentdojo_drift", "tau2", "tau_bench_v1")
# Agent of ours: source, domain and model of the truth tables.
AGENTS = {
    "chat-agent": ("agentdojo_drift", "slack", "gpt-4o-mini-2024-07-18"),
    "bank-agent": ("agentdojo_drift", "banking", "gpt-4o-mini-2024-07-18"),
    "shop-agent": ("agentdojo_drift", "shopping", "gpt-4o-mini-2024-07-18"),
    "flight-agent": ("tau_bench_v1", "airline", "gpt-4o"),
    "retail-agent": ("tau2", "retail", "gpt-4.1"),
    "phone-agent": ("tau2", "telecom", "gpt-4.1"),
    "travel-agent": ("tau2", "airline", "gpt-4.1"),
}
# Sources that give no time are placed at their import; tau2's gpt-4.1 runs are of August 2025.
UNTIMED = {"chat-agent", "flight-agent", "bank-agent", "shop-agent"}


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Workspace:
    workspace = Workspace.create(tmp_path_factory.mktemp("review-real") / "workspace")
    aliases = "\n".join(
        f'  - {{source_domain: {domain}, model: "{model}", team: support, agent: {agent}}}'
        for agent, (_, domain, model) in AGENTS.items()
    )
    workspace.registry_file.write_text(
        "company: {name: Test, time_zone: UTC}\nroles: {}\npeople: {}\n"
        f"teams: {{support: {{name: Support, manager: null}}}}\naliases:\n{aliases}\n",
        encoding="utf-8",
    )
    files = tuple(shared / "data" / "real" / source for source in SOURCES)
    take_in(workspace, Intent(format_name="auto", files=files))
    build(workspace)
    return workspace


def truth(shared: Path) -> dict[str, tuple[int, int]]:
    """Successes and runs of each agent, from the truth table alone."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    names = {place: agent for agent, place in AGENTS.items()}
    with (shared / "data" / "real" / "truth" / "runs.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            agent = names.get((row["source"], row["domain"], row["model"]))
            if agent is not None:
                counts[agent][0] += row["success"] == "1"
                counts[agent][1] += 1
    return {agent: (k, n) for agent, (k, n) in counts.items()}


def reviewed(workspace: Workspace, quarter: Quarter) -> list[Card]:
    made = make_cards(whole(workspace), quarter, RULES, is_demo=False)
    return [card for card in made if card.subject.agent_id in AGENTS and card.success.n]


def lower(k: int, n: int) -> float:
    return float(proportion_confint(k, n, method="wilson")[0])


@pytest.mark.parametrize("when", ["untimed", "2025Q3"])
def test_the_review_orders_agents_as_their_truth_tables_do(
    mapped: Workspace, shared: Path, when: str
) -> None:
    expected = truth(shared)
    group = UNTIMED if when == "untimed" else set(AGENTS) - UNTIMED
    quarter = Quarter.of(dt.datetime.now(dt.UTC).date()) if when == "untimed" else Quarter.parse(when)
    cards = reviewed(mapped, quarter)
    by_agent = {card.subject.agent_id: (card.success.k, card.success.n) for card in cards}
    assert by_agent == {agent: expected[agent] for agent in group}
    ranked = sorted(group, key=lambda agent: -lower(*expected[agent]))
    assert [card.subject.agent_id for card in cards] == ranked
    if when == "2025Q3":
        # 10 of 20 is more than 18 of 40, and known less surely: it ranks below.
        assert ranked == ["retail-agent", "phone-agent", "travel-agent"]
    assert {card.subject.team_id for card in cards} == {"support"}
    assert all(card.proposal.kind != "promote" for card in cards)
