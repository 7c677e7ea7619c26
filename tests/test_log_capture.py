"""Content capture: what registry.yaml says about texts is what the log keeps, native and imported."""

from __future__ import annotations

import json
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from app.views._parts.replay import steps
from ingest.evidence import Scope, make_bundle
from ingest.importers.intake import Intent, take_in
from ingest.log.checkpoint import notarise
from ingest.log.verify import verify
from ingest.payload_capture import KEY_FILE, content_key
from ingest.payload_rules import ContentRules
from ingest.payload_store import stored_texts
from ingest.reader import payload_texts, run_events
from ingest.workspace import Workspace
from runner.errors import RegistryInvalid
from tests.runner_company import company, events, play, registry, registry_text, resume
from tests.tau2_files import document, good, write
from tests.test_log_evidence import checked
from tests.test_otlp_receiver import Served, json_span, trace_json

TEAM = ('cost_center: "4100"}', 'cost_center: "4100", content_capture: %s}')
AGENT = ("    model: sim:triage\n", "    model: sim:triage\n    content_capture: %s\n")
TASK = "Sort the tickets of today"


def saying(part: tuple[str, str], capture: str) -> tuple[str, str]:
    return part[0], part[1] % capture


def kept_kinds(workspace: Workspace) -> set[str]:
    return {text.kind for text in stored_texts(workspace)}


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEETBOOK_NOTARY_KEY", raising=False)


@pytest.mark.parametrize("part", [TEAM, AGENT])
def test_an_agent_whose_texts_are_off_runs_and_leaves_no_text(
    workspace: Workspace, part: tuple[str, str]
) -> None:
    control = company(workspace, saying(part, "off"))
    run_id = play(control, "triage-agent", TASK).run_id
    control.close()
    texts = [event for event in events(workspace, run_id) if event.get("content_capture")]
    assert {event["content_capture"] for event in texts} == {"off"}
    assert {"run_requested", "turn_finished", "tool_call_requested", "tool_call_finished", "run_ended"} <= {
        event["event_type"] for event in texts
    }
    assert not [event for event in events(workspace, run_id) if event.get("payload_commit")]
    assert kept_kinds(workspace) == {"specification"}
    everything = b"".join(path.read_bytes() for path in workspace.lake_dir.rglob("*.parquet"))
    assert TASK.encode() not in everything


def test_an_approval_works_for_an_agent_whose_texts_are_off(workspace: Workspace) -> None:
    control = company(workspace, saying(TEAM, "off"))
    outcome = play(control, "refund-agent", "Refund W-2211, 240 USD")
    (request,) = outcome.requests
    assert "240" in request.arguments
    control.decide(request.approval_id, "mara-lindt", "approved", "checked")
    assert resume(control, outcome.run_id).end_state == "completed"
    control.close()
    assert {
        event["content_capture"] for event in events(workspace, outcome.run_id, "approval_requested")
    } == {"off"}
    assert kept_kinds(workspace) == {"specification"}
    with sqlite3.connect(workspace.root / "control.db") as store:
        live = "\n".join(store.iterdump())
    assert request.arguments_digest in live
    assert "W-2211" not in live


def test_hashed_texts_can_be_proven_by_whoever_has_them(workspace: Workspace) -> None:
    control = company(workspace, saying(TEAM, "hashed"))
    run_id = play(control, "triage-agent", TASK).run_id
    control.close()
    (requested,) = events(workspace, run_id, "run_requested")
    assert requested["payload_commit"] == sha256(content_key(workspace) + TASK.encode()).hexdigest()
    assert (requested["payload_bytes"], requested.get("payload_id")) == (len(TASK), None)
    assert kept_kinds(workspace) == {"specification"}
    assert (workspace.root / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [finding.code for finding in verify(workspace).findings] == ["checkpoint_missing"]


def test_the_stricter_of_team_and_agent_counts_from_the_next_text_on(workspace: Workspace) -> None:
    control = company(workspace)
    before = play(control, "triage-agent", TASK).run_id
    changes = (saying(TEAM, "off"), saying(AGENT, "on"))
    assert [change.details for change in control.apply(registry(*changes)).changes] == [
        ("content_capture: off",)
    ]
    after = play(control, "triage-agent", TASK).run_id
    assert control.agent_states()["triage-agent"].agent_version == 1
    control.close()
    (kept,) = events(workspace, before, "run_requested")
    assert payload_texts(workspace, [str(kept["payload_id"])]) == {kept["payload_id"]: TASK}
    assert not [event for event in events(workspace, after) if event.get("payload_id")]


def test_what_is_declared_is_an_event(workspace: Workspace) -> None:
    from tests.test_registry_apply import log

    control = company(workspace, saying(AGENT, "hashed"))
    control.apply(registry())
    told = [event for event in log(control) if event["event_type"] == "content_capture_set"]
    assert [(event.get("agent_id"), event["content_capture"]) for event in told] == [
        ("triage-agent", "hashed"),
        ("triage-agent", "on"),
    ]


def test_another_word_is_refused() -> None:
    with pytest.raises(RegistryInvalid, match=r"agents\.triage-agent\.content_capture"):
        registry(saying(AGENT, "maybe"))


@pytest.mark.parametrize("capture", ["off", "hashed"])
def test_an_imported_run_of_such_an_agent_is_kept_without_its_texts(
    workspace: Workspace, tmp_path: Path, capture: str
) -> None:
    workspace.registry_file.write_text(registry_text(saying(AGENT, capture)), encoding="utf-8")
    path = write(tmp_path / "good.json", document(good()))
    take_in(workspace, Intent(format_name="tau2", files=(path,), agent="triage-agent"))
    found = run_events(workspace, f"tau2-{good()['id']}")
    assert {event["content_capture"] for event in found if event.get("content_capture")} == {capture}
    assert not [event for event in found if event.get("payload_id")]
    assert any(event.get("payload_commit") for event in found) == (capture == "hashed")
    assert stored_texts(workspace) == []


def test_evidence_and_its_verifier_say_that_texts_were_not_kept(workspace: Workspace, tmp_path: Path) -> None:
    control = company(workspace, saying(TEAM, "hashed"))
    run_id = play(control, "triage-agent", TASK).run_id
    control.close()
    notarise(workspace)
    bundle = make_bundle(workspace, Scope(run_id=run_id), tmp_path / "bundle")
    number = sum(bool(event.get("content_capture")) for event in events(workspace, run_id))
    assert (bundle.text_count, bundle.unkept_count) == (0, number)
    assert (tmp_path / "bundle" / "payloads.jsonl").read_bytes() == b""
    about = json.loads((tmp_path / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert about["unkept_text_count"] == number
    code, said = checked(tmp_path / "bundle")
    assert (code, f"{number} events had a text that was not kept" in said) == (0, True)


def test_an_outside_agent_is_judged_by_every_alias_that_may_mean_it(workspace: Workspace) -> None:
    registry_file = workspace.registry_file
    registry_file.write_text(
        """\
teams: {support: {}, sales: {content_capture: hashed}}
agents: {helper: {team: support, content_capture: off}, seller: {team: sales}, odd: {content_capture: 7}}
aliases:
  - {source_agent: bot, model: gpt-x, agent: helper}
  - {source_domain: shop, agent: seller}
""",
        encoding="utf-8",
    )
    rules = ContentRules(workspace)
    assert rules.of_outside("support", "bot", None) == "off"
    assert rules.of_outside("support", "Helper", "x") == "off"
    assert rules.of_outside("support", "other", "shop") == "hashed"
    assert rules.of_outside("support", "other", "else") == "on"
    assert rules.of("support", "odd") == "off"
    registry_file.write_text("teams: [", encoding="utf-8")
    assert rules.of_outside("support", "bot", None) == "off"
    registry_file.unlink()
    assert rules.of_outside("support", "bot", None) == "on"


def test_the_page_says_that_a_text_was_not_kept(workspace: Workspace) -> None:
    control = company(workspace, saying(TEAM, "off"))
    run_id = play(control, "triage-agent", TASK).run_id
    control.close()
    texts = [text for step in steps(run_events(workspace, run_id), str) for text in step.texts]
    assert texts
    assert all(text.is_unkept and text.content is None for text in texts)


@pytest.mark.parametrize("capture", ["off", "hashed"])
def test_an_outside_agent_sends_with_an_open_token_and_its_texts_are_not_kept(
    workspace: Workspace, capture: str
) -> None:
    agents = f"agents: {{helper: {{team: support, content_capture: {capture}}}}}"
    alias = "aliases: [{source_agent: bot, team: support, agent: helper}]"
    workspace.registry_file.write_text(f"teams: {{support: {{}}}}\n{agents}\n{alias}\n", encoding="utf-8")
    served = Served(workspace)
    question = {"gen_ai.input.messages": "Where is my parcel?"}
    with served.client, served.writer:
        spans = (json_span(1, question), json_span(2, {"gen_ai.agent.name": "bot"}))
        assert served.post_json(trace_json(*spans)).json() == {}
        other = json_span(3, question | {"gen_ai.agent.name": "cat"}, traceId="f" * 32)
        assert served.post_json(trace_json(other)).json() == {}
        closed, kept = sorted(served.stored(), key=lambda row: row["seq"])
    assert (closed["content_capture"], closed["payload_id"]) == (capture, None)
    assert ("commits" in json.loads(closed["span_json"])) == (capture == "hashed")
    assert "parcel" not in closed["body"]
    texts = payload_texts(workspace, [kept["payload_id"]])
    assert (kept["content_capture"], "parcel" in str(texts)) == (None, True)
