"""Every click that writes: the layer below the page refuses who may not, whatever the page shows.

``OPEN`` calls each door as somebody who must not pass. The pages are read for what their clicks call, so a
door that is added without a call here fails. The mutant takes the right away: then the doors open.
"""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from app import desk as desk_module
from app.desk import Desk
from app.errors import PRODUCT_ERRORS
from app.export.service import export_table
from app.live import (
    alerts,
    attesting,
    binder,
    checking,
    compliance,
    content,
    money,
    querying,
    refreshing,
    reviewing,
    risk,
    rota,
)
from app.questions.scope import Scope
from app.warehouse import Warehouse
from ingest.workspace import Workspace
from runner.control import approvals, core, raise_requests
from runner.control.access import Ruling
from runner.errors import AccessRefused, DecisionRefused, RaiseRefused
from tests import pages_world
from tests.pages_world import ANALYST, LEAD, MANAGERS, USER
from tests.test_pages_flows import _cards, quarter

FINANCE, SALES = MANAGERS["finance"], MANAGERS["sales"]
VIEWS = Path(__file__).resolve().parent.parent / "app" / "views"
AGENT, WALLET, SCHEDULE = "refund-agent", "team:sales:month", "support-daily"
MONTH = dt.date(2026, 1, 1)
REFUSALS = (AccessRefused, DecisionRefused, RaiseRefused)
# Doors to what the world of these tests lacks: the test that shows them refusing.
ELSEWHERE = {
    "alerts.acknowledge": (
        "test_alerts.py",
        "test_whoever_sees_the_figures_may_look_after_it_once",
    ),
    "content.end": ("test_content_grants.py", "test_a_grant_taken_back_counts_no_more"),
    "content.give": ("test_content_grants.py", "test_a_grant_is_refused"),
    "risk.settle": ("test_risk_checks.py", "test_a_finding_is_settled_by_who_may_and_stays_settled"),
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    copied = pages_world.copy(tmp_path / "own")
    monkeypatch.delenv("FLEETBOOK_CONTROL_URL", raising=False)
    monkeypatch.setenv("FLEETBOOK_HOME", str(copied.root))
    return copied


def request_of(desk: Desk) -> str:
    (waiting,) = [one for one in desk.approvals(LEAD) if one.status == "waiting"]
    return waiting.approval_id


def asked_raise(desk: Desk) -> str:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    return money.ask_raise(desk, SALES, WALLET, Decimal(5), until, "the fair")


def raised(desk: Desk, raise_id: str) -> object:
    return money.decide_raise(desk, FINANCE, raise_id, is_approved=True, reason="yes")


def decided(desk: Desk, own: Workspace) -> object:
    warehouse = Warehouse.current(own)
    assert warehouse is not None
    scoped = warehouse.for_person(scope(FINANCE))
    card = _cards(own)[AGENT]
    return reviewing.decide(desk, FINANCE, quarter(), card, "keep", "as it is", scoped=scoped)


def exported(desk: Desk, own: Workspace) -> object:
    warehouse = Warehouse.current(own)
    assert warehouse is not None
    return export_table(
        warehouse.for_person(scope(USER)),
        desk,
        own.export_dir,
        mart="dim_teams",
        format_="csv",
        is_demo=True,
        filters={},
        now=dt.datetime.now(dt.UTC),
    )


def scope(person_id: str) -> Scope:
    return Scope(person_id=person_id, role_id="agent_user", team_ids=("finance",), own_only=False)


def judged(desk: Desk, own: Workspace) -> object:
    warehouse = Warehouse.current(own)
    assert warehouse is not None
    scoped = warehouse.for_person(scope(FINANCE))
    return refreshing.judge(desk, scoped, FINANCE, AGENT, "new", "better", is_demo=True)


def tomorrow() -> dt.date:
    return dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)


Door = Callable[[Desk, Workspace], object]
OPEN: dict[str, Door] = {
    "alerts.acknowledge": lambda desk, own: alerts.acknowledge(desk, FINANCE, "none", "mine"),
    "attesting.attest": lambda desk, own: attesting.attest(desk, FINANCE, AGENT, "as described"),
    "binder.make": lambda desk, own: binder.make(desk, ANALYST, MONTH),
    "checking.ask": lambda desk, own: checking.ask(desk, ANALYST, MONTH),
    "compliance.make_pack": lambda desk, own: compliance.make_pack(desk, ANALYST, MONTH),
    "compliance.sign": lambda desk, own: compliance.sign(desk, ANALYST, MONTH, "all well"),
    "content.end": lambda desk, own: content.end(desk, ANALYST, "none", "over"),
    "content.give": lambda desk, own: content.give(desk, ANALYST, USER, dt.timedelta(days=1), "", "to look"),
    "desk.decide": lambda desk, own: desk.decide(request_of(desk), FINANCE, "approved"),
    "desk.may_export": lambda desk, own: desk.may_export(USER),
    "desk.shown": lambda desk, own: desk.shown(request_of(desk), FINANCE),
    "money.ask_raise": lambda desk, own: money.ask_raise(
        desk, FINANCE, WALLET, Decimal(5), dt.datetime.now(dt.UTC) + dt.timedelta(days=2), "theirs"
    ),
    "money.decide_raise": lambda desk, own: raised(desk, asked_raise(desk)),
    "querying.Queries.asked": lambda desk, own: querying.Queries(desk).asked(USER, "q", "select 1"),
    "refreshing.judge": judged,
    "refreshing.roll_back": lambda desk, own: refreshing.roll_back(desk, FINANCE, AGENT, "worse"),
    "refreshing.start": lambda desk, own: refreshing.start(desk, FINANCE, AGENT, 20, tomorrow()),
    "reviewing.confirm": lambda desk, own: reviewing.confirm(desk, FINANCE, quarter(), AGENT),
    "reviewing.decide": decided,
    "reviewing.publish": lambda desk, own: reviewing.publish(desk, FINANCE, quarter(), AGENT),
    "reviewing.withdraw": lambda desk, own: reviewing.withdraw(desk, FINANCE, quarter(), AGENT, "no"),
    "risk.settle": lambda desk, own: risk.settle(desk, ANALYST, "none", "harmless"),
    "rota.set_paused": lambda desk, own: rota.set_paused(desk, FINANCE, SCHEDULE, True, "quiet"),
    "an export": exported,
}


def doors_of_the_pages() -> set[str]:
    """What the clicks of the pages call: functions of app.live that get the desk, and the desk's own."""
    return {door for path in sorted(VIEWS.rglob("*.py")) for door in _doors(ast.parse(path.read_text()))}


def _doors(tree: ast.Module) -> Iterator[str]:
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "app.live"
        for alias in node.names
    }
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for click in _calls(tree):
        if ast.unparse(click.func) != "acting.act":
            continue
        named = {node.id for node in ast.walk(click.args[1]) if isinstance(node, ast.Name)}
        for call in (call for name in named & set(functions) for call in _calls(functions[name])):
            module, _, name = ast.unparse(call.func).rpartition(".")
            if module == "page.desk":
                yield f"desk.{name}"
            elif module in modules and call.args and ast.unparse(call.args[0]) == "page.desk":
                yield f"{modules[module]}.{name}"


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_every_click_that_writes_has_a_door_here() -> None:
    found = doors_of_the_pages()
    assert len(found) > 15
    assert found - set(OPEN) == set()


@pytest.mark.parametrize("door", sorted(set(OPEN) - set(ELSEWHERE)))
def test_who_may_not_is_refused_below_the_page(door: str, own: Workspace) -> None:
    with pytest.raises(REFUSALS):
        OPEN[door](Desk.open(own), own)


@pytest.mark.parametrize("door", ELSEWHERE)
def test_a_door_to_what_is_not_here_refuses_in_a_test_of_its_own(door: str) -> None:
    file, test = ELSEWHERE[door]
    assert f"def {test}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("door", sorted(set(OPEN) - set(ELSEWHERE)))
def test_without_the_right_the_door_opens(door: str, own: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutants: everybody may everything. What stops a click then is no matter of who clicks."""
    everybody = Ruling(allowed=True, rule_id="mutant", sentence="")
    for module in (approvals, core, desk_module, raise_requests, *(rota, reviewing, attesting, binder)):
        monkeypatch.setattr(module, "may", lambda *_: everybody)
    try:
        OPEN[door](Desk.open(own), own)
    except REFUSALS as refusal:
        pytest.fail(f"still refused: {refusal}")
    except PRODUCT_ERRORS:
        return
