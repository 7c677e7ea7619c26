"""The pack of a review: complete, the same for the same numbers, and data stays text."""

from __future__ import annotations

import csv
import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pypdf

from app.review.cards import card, snapshot
from app.review.pack import write_pack
from app.review.quarters import Quarter
from app.review.rules import parse, shipped_text
from runner.control.reviews import Decided
from tests.test_review_rules import agent, used

RULES = parse(shipped_text(), "shipped")


def written(folder: Path, name: str = "Refunds") -> dict[str, str]:
    good = replace(agent(used(100, 95, users=9, user_teams=2)), agent_id="good", agent_name=name)
    idle = replace(agent(), agent_id="idle", agent_name="Old bot")
    decided = Decided(
        agent_id="idle",
        review_period="2026Q3",
        review_decision="retire",
        status="done",
        decided_by="mara-lindt",
        decided_at=dt.datetime(2026, 10, 2, tzinfo=dt.UTC),
        reason="nobody misses it",
        snapshot="{}",
    )
    return write_pack(
        folder,
        [card(idle, RULES), card(good, RULES)],
        [decided],
        quarter=Quarter(2026, 3),
        company="Northwind",
        build_id="7",
        is_demo=False,
        rules_source="as shipped",
    )


def text_of(folder: Path) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(folder / "report.pdf").pages)


def test_the_pdf_says_what_the_numbers_say(tmp_path: Path) -> None:
    written(tmp_path)
    text = " ".join(text_of(tmp_path).split())
    assert "Agent review 2026Q3" in text
    assert "2 agents: 1 retire, 1 promote. 1 decided." in text
    assert "success 95% (95 of 100, 89%–98%)" in text
    assert "Decided: retire by mara-lindt – nobody misses it" in text
    assert "demo data" not in text


def test_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a"), written(tmp_path / "b")
    assert one["report.pdf"] == two["report.pdf"]
    assert one["agents.csv"] == two["agents.csv"]
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["files"]["report.pdf"] == one["report.pdf"]


def test_names_are_text_and_no_markup(tmp_path: Path) -> None:
    hostile = '#read("/etc/passwd") $x^2$ *bold* = Heading'
    written(tmp_path, name=hostile)
    assert hostile in " ".join(text_of(tmp_path).split())


def test_the_table_has_a_row_per_agent_with_its_decision(tmp_path: Path) -> None:
    written(tmp_path)
    with (tmp_path / "agents.csv").open(newline="") as file:
        rows = {row["agent_id"]: row for row in csv.DictReader(file)}
    assert rows["good"]["proposal"] == "promote"
    assert (rows["good"]["runs"], rows["good"]["successes"]) == ("100", "95")
    assert rows["idle"]["decision"].startswith("Decided: retire by mara-lindt")
    assert rows["good"]["value_usd"] == ""


def test_a_snapshot_holds_what_the_proposal_was_made_from() -> None:
    kept = snapshot(card(agent(used(100, 95, users=9, user_teams=2)), RULES), RULES)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["proposal"] == {
        "kind": "promote",
        "rule": "promote",
        "reason": "success 95% (95 of 100, 89%–98%), used by 9 people of 2 teams, no wallet refused it",
    }
    assert kept["rules"] == RULES.model_dump(mode="json")
