"""SQL by a person: only their rows are there, nothing else can be reached, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from app.desk import AccessRefused, Desk, Person
from app.errors import QueryRefused, QueryStopped
from app.export.manifest import differences
from app.identity import scope_of
from app.live.querying import Queries, may_query
from app.questions import scope as scoping
from app.questions.marts import MARTS
from app.questions.scope import Scope
from app.warehouse import Scoped, Warehouse
from app.workbench import child
from app.workbench.asking import Answer, Limits, Workbench
from app.workbench.extracts import Extracts, fill
from app.workbench.questions import worked_questions
from app.workbench.taking import export_answer
from ingest.contract import Value, parse_body
from ingest.errors import IngestError
from ingest.reader import rows_where
from ingest.workspace import Workspace
from tests.runner_company import company
from tests.test_access_matrix import ROLES
from tests.warehouse_world import JON, LEAD, NOBODY, SALES, SUPPORT, World, world

ROOT = Path(__file__).resolve().parent.parent
CANARY = "canary-4711"


class Nobody:
    """A recorder that lets everybody ask and writes nothing down."""

    def asked(self, person_id: str, query_id: str, sql: str) -> None:
        """Let through."""

    def ended(self, person_id: str, query_id: str, outcome: str, rows: int | None, ms: int) -> None:
        """Forget."""


@pytest.fixture(scope="module")
def built() -> World:
    return world()


@pytest.fixture
def extracts(tmp_path: Path) -> Iterator[Extracts]:
    store = Extracts(tmp_path / "extracts")
    yield store
    store.close()


def ask(extracts: Extracts, scoped: Scoped, sql: str, **limits: int) -> Answer:
    return Workbench(extracts, Limits(**limits)).ask(scoped, Nobody(), sql, is_demo=False)


# Statements that must not be answered, whatever they reach for. {canary} is a file outside, {out} one that
# must never come to be, {extract} the descriptor of the extract.
REFUSED = (
    "copy (select 1) to '{out}'",
    "copy fct_runs from '{canary}'",
    "with x as (copy (select 1) to '{out}') select 1",
    "with x as (copy (select 1) to '/dev/fd/{extract}' (format csv, use_tmp_file false)) select 1",
    "with x as (insert into fct_runs select * from fct_runs returning *) select * from x",
    "with x as (delete from fct_runs returning *) select * from x",
    "explain analyze copy (select 1) to '{out}'",
    "select * from query('copy (select 1) to ''{out}''')",
    "attach '{out}' as other",
    "attach ':memory:' as other",
    "attach '{warehouse}' as whole (read_only)",
    "detach memory",
    "export database '{out}'",
    "import database '{out}'",
    "install httpfs",
    "install '{canary}'",
    "load httpfs",
    "load '{canary}'",
    "force install sqlite from 'http://127.0.0.1:9'",
    "set memory_limit = '8GB'",
    "set enable_external_access = true",
    "set global lock_configuration = false",
    "reset lock_configuration",
    "set variable x = 1",
    "set schema = 'temp'",
    "pragma memory_limit = '8GB'",
    "pragma enable_profiling",
    "pragma database_list",
    "call pragma_version()",
    "call enable_logging()",
    "use temp",
    "checkpoint",
    "vacuum",
    "analyze",
    "create table x as select 1",
    "create temp table x as select 1",
    "create temp view x as select 1",
    "create macro f(x) as x",
    "create persistent secret s (type http)",
    "insert into fct_runs select * from fct_runs",
    "update fct_runs set run_id = 'x'",
    "delete from fct_runs",
    "drop table fct_runs",
    "alter table fct_runs rename to other",
    "truncate fct_runs",
    "merge into fct_runs using fct_runs as s on false when not matched then insert values (1)",
    "prepare p as select 1",
    "execute p",
    "deallocate p",
    "begin",
    "select 1; select 2",
    "select 1; copy (select 1) to '{out}'",
    "/* a comment */ copy (select 1) to '{out}' -- another",
    "select * from read_csv('{canary}')",
    "select * from read_csv_auto('{canary}')",
    "select * from read_text('{canary}')",
    "select * from \"read_text\"('{canary}')",
    "select * from read_blob('{canary}')",
    "select * from read_json('{canary}')",
    "select * from read_parquet('{canary}')",
    "select * from parquet_metadata('{canary}')",
    "select * from sniff_csv('{canary}')",
    "select * from '{canary}'",
    'from "{canary}"',
    "select * from glob('{folder}/*')",
    "select * from glob('/*')",
    "select * from read_text('/proc/self/environ')",
    "select * from read_text('/proc/self/cmdline')",
    "select * from read_text('/dev/fd/0')",
    "select * from read_text('http://127.0.0.1:9/x')",
    "select * from read_csv('s3://bucket/x')",
    "select * from query('select * from read_text(''{canary}'')')",
    "select * from query_table('{canary}')",
    "select * from read_duckdb('{warehouse}')",
    "select getenv('HOME')",
    "select * from told",
    "select * from answers",
    "select * from request",
    "select * from sys",
    ".system echo hello",
    ".shell echo hello",
    ".open {warehouse}",
    "",
    ";",
    "-- nothing",
    "select * from whole.main.fct_runs",
    "select * from warehouse.main.fct_runs",
    "select * from dim_metrics",
    "select " + "(" * 3000 + "1" + ")" * 3000,
    "nonsense",
)
ANSWERED = (
    "select count(*) from fct_runs",
    "from dim_teams",
    "describe fct_runs",
    "summarize dim_teams",
    "show tables",
    "explain select 1",
    "pivot fct_runs on outcome in ('clean', 'failed') using count(*) group by team_id",
    "values (1), (2);",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select max(i) from n",
    "select 1 as a, 2 as a, [1, 2] as l, {'b': 1} as s, interval '1 day' as i, 'x'::blob as b, uuid() as u",
    "select sum(runs) from rpt_agent_days /* ; drop table fct_runs */ -- ; select 2",
    "select * from duckdb_settings()",
    "select * from duckdb_databases()",
    "select * from duckdb_secrets()",
    "select * from duckdb_columns()",
)

# Runs in a process of its own, under the limits of the child: each statement on a fresh connection.
TRY_ALL = """
import json, sys
sys.path.insert(0, sys.argv[1])
import child
request = json.load(sys.stdin)
child.limit(request["memory_bytes"], request["cpu_seconds"])
child.become_nobody()
for sql in request["statements"]:
    try:
        told, table = child.answer(request | {"sql": sql})
    except (child.duckdb.Error, RuntimeError, ValueError) as error:
        told, table = {"outcome": "failed", "message": str(error)}, None
    print(json.dumps([told["outcome"], told.get("message", ""), str(table.to_pydict()) if table else ""]))
"""


def try_all(descriptor: int, statements: list[str]) -> list[tuple[str, str, str]]:
    """Outcome, message and rows of each statement, as the child gives them."""
    request = {
        "extract": descriptor,
        "memory_bytes": 8 << 30,  # for many connections in one process
        "cpu_seconds": 60,
        "row_limit": 1_000,
        "byte_limit": 1 << 20,
        "statements": statements,
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", TRY_ALL, str(Path(child.__file__).parent)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        pass_fds=(descriptor,),
        env={},
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(statements), done.stderr[-2000:]
    return [(outcome, message, rows) for outcome, message, rows in told]


@pytest.fixture(scope="module")
def attacked(
    built: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, tuple[str, str, str]], Path]]:
    """What became of each statement, on the extract of the support manager; and the folder they aimed at."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "canary.csv").write_text(f"secret\n{CANARY}\n")
    descriptor = fill(folder / "extracts", built.warehouse.for_person(SUPPORT), is_demo=False)
    places = {
        "canary": folder / "canary.csv",
        "out": folder / "out",
        "folder": folder,
        "warehouse": built.warehouse.file,
        "extract": descriptor,
    }

    def aimed(sql: str) -> str:
        for name, place in places.items():
            sql = sql.replace(f"{{{name}}}", str(place))
        return sql

    statements = [*REFUSED, *ANSWERED]
    told = dict(zip(statements, try_all(descriptor, [aimed(sql) for sql in statements]), strict=True))
    yield told, folder
    os.close(descriptor)


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:60])
def test_what_is_no_question_over_the_tables_is_not_answered(
    sql: str, attacked: tuple[dict[str, tuple[str, str, str]], Path]
) -> None:
    outcome, message, rows = attacked[0][sql]
    assert outcome in ("refused", "failed"), (outcome, rows)
    assert CANARY not in message
    assert rows == ""


@pytest.mark.parametrize("sql", ANSWERED, ids=lambda sql: sql[:60])
def test_a_question_is_answered_and_tells_no_path_of_this_machine(
    sql: str, attacked: tuple[dict[str, tuple[str, str, str]], Path], built: World
) -> None:
    outcome, message, rows = attacked[0][sql]
    if "duckdb_secrets" in sql:  # the engine refuses it while the outside is closed
        assert outcome in ("answered", "failed")
        return
    assert outcome == "answered", message
    assert str(built.workspace.root) not in rows
    assert str(Path.home()) not in rows


def test_no_attack_wrote_a_file(attacked: tuple[dict[str, tuple[str, str, str]], Path]) -> None:
    folder = attacked[1]
    assert sorted(path.name for path in folder.iterdir()) == ["canary.csv", "extracts"]
    assert list((folder / "extracts").iterdir()) == []


def test_the_gates_are_what_stops_them(built: World, tmp_path: Path) -> None:
    """A mutant: without the engine's gate the same statement reads the file outside."""
    (tmp_path / "canary.csv").write_text(f"secret\n{CANARY}\n")
    with duckdb.connect(":memory:") as open_connection:
        rows = open_connection.sql(f"select * from read_text('{tmp_path / 'canary.csv'}')").fetchall()
    assert CANARY in str(rows)


@pytest.mark.parametrize(
    ("sql", "limits"),
    [
        ("select count(*) from range(100000000) a, range(1000000) b where a.range % 7 = b.range % 5", {}),
        ("with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r", {}),
        ("select max(repeat('x', 1000000000)) from range(1000)", {"memory_bytes": 16 << 30}),
    ],
    ids=["cross join", "endless recursion", "deaf function"],
)
def test_a_query_that_takes_too_long_is_killed_and_leaves_nothing(
    sql: str, limits: dict[str, int], built: World, extracts: Extracts
) -> None:
    started = time.monotonic()
    with pytest.raises(QueryStopped, match=r"not done after 2 s|needs more than"):
        ask(extracts, built.warehouse.for_person(SUPPORT), sql, seconds=2, **limits)
    assert time.monotonic() - started < 60
    assert children() == []
    assert list(extracts.folder.iterdir()) == []


def children() -> list[str]:
    """Command lines of the workbench's processes that this process still has."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            is_ours = f"PPid:\t{os.getpid()}\n" in status.read_text()
            command = status.with_name("cmdline").read_text()
        except OSError:
            continue
        if is_ours and "workbench" in command:
            found.append(command)
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "select repeat('x', 2000000000)",
        "select list(repeat('x', 1000) || range) from range(10000000)",
        "select string_agg(repeat('x', 100000), '') from range(100000)",
    ],
)
def test_a_query_that_wants_too_much_memory_is_stopped(sql: str, built: World, extracts: Extracts) -> None:
    with pytest.raises(QueryStopped, match=r"needs more than|is larger than|not done after"):
        ask(extracts, built.warehouse.for_person(SUPPORT), sql)


def test_an_answer_that_is_too_large_to_show_is_refused_and_one_with_too_many_rows_says_so(
    built: World, extracts: Extracts
) -> None:
    scoped = built.warehouse.for_person(SUPPORT)
    with pytest.raises(QueryStopped, match="is larger than 1 MiB"):
        ask(extracts, scoped, "select repeat('x', 3000000)", answer_bytes=1 << 20)
    some = ask(extracts, scoped, "select * from range(11)", rows=10)
    assert (some.rows.height, some.is_complete) == (10, False)
    every = ask(extracts, scoped, "select * from range(10)", rows=10)
    assert (every.rows.height, every.is_complete) == (10, True)


def foreign(built: World, scope: Scope, teams: set[str | None], folder: Path) -> list[tuple[str, object]]:
    """Rows of an extract that belong to none of ``teams``: each table with such a team."""
    descriptor = fill(folder, built.warehouse.for_person(scope), is_demo=False)
    try:
        found: list[tuple[str, object]] = []
        with duckdb.connect(f"/dev/fd/{descriptor}", read_only=True) as extract:
            for mart in MARTS:
                columns = [row[0] for row in extract.execute(f"describe {mart}").fetchall()]
                if "team_id" in columns:
                    seen = extract.execute(f"select distinct team_id from {mart}").fetchall()
                    allowed = teams | {None} if mart == "fct_exports" else teams  # an own export names none
                    found += [(mart, team) for (team,) in seen if team not in allowed]
                if set(extract.execute(f"select distinct is_demo from {mart}").fetchall()) - {(False,)}:
                    found.append((mart, "demo rows"))
        return found
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(("scope", "team"), [(SUPPORT, "support"), (SALES, "sales"), (JON, "support")])
def test_an_extract_holds_rows_of_its_person_only(
    scope: Scope, team: str, built: World, tmp_path: Path
) -> None:
    assert foreign(built, scope, {team}, tmp_path) == []


# Every role as declared: how far it reaches, and whether it may ask in SQL. An auditor may, of all teams.
REACH = {
    "platform_lead": ("all", True),
    "team_manager": ("team", True),
    "agent_user": ("own", False),
    "analyst": ("all", True),
    "auditor": ("all", True),
    "compliance_officer": ("all", True),
}


@pytest.mark.parametrize("role", ROLES)
def test_the_extract_of_each_role_holds_what_its_scope_lets_through_and_no_more(
    role: str, built: World, tmp_path: Path
) -> None:
    reach, _ = REACH[role]  # a role added later has to be added here
    scope = scope_of(Person(person_id="jon", name="Jon", team_id="support", role_id=role, scope=reach))
    if reach != "all":
        assert foreign(built, scope, {"support"}, tmp_path) == []
    descriptor = fill(tmp_path, built.warehouse.for_person(scope), is_demo=False)
    with duckdb.connect(f"/dev/fd/{descriptor}", read_only=True) as extract:
        found = {mart: extract.execute(f"select count(*) from {mart}").fetchall()[0][0] for mart in MARTS}
        actors = {one for (one,) in extract.execute("select distinct actor_id from fct_runs").fetchall()}
    os.close(descriptor)
    everybody = built.warehouse.for_person(LEAD)
    whole = {mart: everybody.row_count(mart, is_demo=False) for mart in MARTS}
    assert (found == whole) is (reach == "all")
    assert (actors == {"jon"}) is (reach == "own")


def test_who_may_ask_in_sql_is_said_for_every_role(workspace: Workspace) -> None:
    lacking = (
        "  analyst:",
        "  auditor: {scope: all, may: [view_metrics, export_data]}\n"
        "  compliance_officer: {scope: all, may: [view_metrics, read_payload, export_data, sign_report]}\n"
        "  analyst:",
    )
    ids = {role: f"a-{role.replace('_', '-')}" for role in ROLES}
    people = "".join(f"  {ids[role]}: {{name: A, team: support, role: {role}}}\n" for role in ROLES)
    with company(workspace, lacking, ("  li-chen:", f"{people}  li-chen:")) as control:
        desk = Desk(control)
        assert {role: may_query(desk, ids[role]) for role in ROLES} == {
            role: may for role, (_, may) in REACH.items()
        }


@pytest.mark.parametrize(
    ("clause", "scope", "without"),
    [("_teams", SUPPORT, ""), ("_teams_or_oneself", SUPPORT, "")],
)
def test_without_its_clause_the_scope_lets_foreign_rows_into_an_extract(
    clause: str, scope: Scope, without: str, built: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutants that prove the test above."""
    monkeypatch.setattr(scoping, clause, lambda scope, values: without)
    assert foreign(built, scope, {"support"}, tmp_path) != []


def test_an_own_only_extract_holds_own_runs_only_and_without_its_clause_it_does_not(
    built: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def actors() -> set[str]:
        descriptor = fill(tmp_path, built.warehouse.for_person(JON), is_demo=False)
        with duckdb.connect(f"/dev/fd/{descriptor}", read_only=True) as extract:
            rows = extract.execute("select distinct actor_id from fct_runs").fetchall()
        os.close(descriptor)
        return {actor for (actor,) in rows}

    assert actors() == {"jon"}
    monkeypatch.setattr(scoping, "_own", lambda own, scope, values: "")
    assert actors() > {"jon"}


def test_who_sees_no_team_gets_tables_without_rows(built: World, extracts: Extracts) -> None:
    answer = ask(extracts, built.warehouse.for_person(NOBODY), "select count(*) from fct_runs")
    assert answer.rows.item() == 0


def test_the_extract_has_no_name_and_is_one_persons(built: World, extracts: Extracts) -> None:
    support, sales = (built.warehouse.for_person(scope) for scope in (SUPPORT, SALES))
    with extracts.of(support, is_demo=False) as first, extracts.of(sales, is_demo=False) as second:
        for descriptor in (first, second):
            assert os.fstat(descriptor).st_nlink == 0
        assert os.fstat(first).st_ino != os.fstat(second).st_ino
        assert list(extracts.folder.iterdir()) == []
        with extracts.of(support, is_demo=False) as again:
            assert again == first  # filled once
        with extracts.of(support, is_demo=True) as demo:
            assert os.fstat(demo).st_ino != os.fstat(first).st_ino


def test_another_role_of_the_same_person_is_another_extract(built: World, extracts: Extracts) -> None:
    sql = "select count(distinct team_id) from dim_teams"
    assert ask(extracts, built.warehouse.for_person(LEAD), sql).rows.item() > 1
    demoted = Scope(person_id=LEAD.person_id, role_id="team_manager", team_ids=("sales",), own_only=False)
    assert ask(extracts, built.warehouse.for_person(demoted), sql).rows.item() == 1


def test_a_new_generation_is_a_new_extract_and_the_old_one_is_gone(
    built: World, extracts: Extracts, tmp_path: Path
) -> None:
    before = open_extracts()
    with extracts.of(built.warehouse.for_person(SUPPORT), is_demo=False) as descriptor:
        old = os.fstat(descriptor)
    next_one = tmp_path / "next"
    shutil.copytree(built.warehouse.path, next_one)
    with extracts.of(Warehouse.at(next_one).for_person(SUPPORT), is_demo=False) as fresh:
        new = os.fstat(fresh)
        assert (new.st_ino, new.st_ctime_ns) != (old.st_ino, old.st_ctime_ns)  # numbers are used again
        assert open_extracts() - before == {os.fstat(fresh).st_ino}


def test_an_extract_that_nobody_uses_is_dropped_and_so_is_one_that_was_changed(
    built: World, tmp_path: Path
) -> None:
    extracts, before = Extracts(tmp_path / "extracts", idle_seconds=0.0), open_extracts()
    scoped = built.warehouse.for_person(SUPPORT)
    with extracts.of(scoped, is_demo=False) as descriptor:
        first = os.fstat(descriptor).st_ino
        extracts.drop_idle()
        assert open_extracts() - before == {first}  # in use
        os.utime(f"/dev/fd/{descriptor}")
        with extracts.of(scoped, is_demo=False) as mended:
            assert os.fstat(mended).st_ino != first
    extracts.drop_idle()
    assert open_extracts() == before


def open_extracts() -> set[int]:
    """Inodes of the deleted extract files that this process holds open."""
    held = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            if "extract.duckdb (deleted)" in str(link.readlink()):
                held.add(link.stat().st_ino)
        except OSError:
            continue
    return held


def test_each_worked_question_is_answered_on_an_extract(built: World, extracts: Extracts) -> None:
    questions = worked_questions()
    assert [one.number for one in questions] == list(range(1, 21))
    with extracts.of(built.warehouse.for_person(LEAD), is_demo=False) as descriptor:
        told = try_all(descriptor, [one.sql for one in questions])
    assert {outcome for outcome, _, _ in told} == {"answered"}, told


def test_a_worked_question_over_demo_rows_asks_for_them() -> None:
    (first, *_) = worked_questions()
    assert "not is_demo" in first.sql
    assert "not is_demo" not in first.over(is_demo=True)
    assert "is_demo" in first.over(is_demo=True)


def test_columns_keep_their_sentences_in_the_extract(built: World, extracts: Extracts) -> None:
    scoped = built.warehouse.for_person(SUPPORT)
    sql = "select column_name, comment from duckdb_columns() where table_name = 'fct_runs'"
    rows = ask(extracts, scoped, sql).rows
    assert dict(rows.iter_rows()) == scoped.column_docs("fct_runs")


@pytest.fixture
def desk(workspace: Workspace) -> Iterator[Desk]:
    company(workspace).close()
    desk = Desk.open(workspace)
    yield desk
    desk.close()


def logged(workspace: Workspace, event_type: str) -> list[dict[str, Value]]:
    """Events of one type, in order."""
    tables = rows_where(workspace, ["event_type", "body"], "event_type", event_type)
    found = [dict(parse_body(body)) for table in tables for body in table["body"].to_pylist()]
    return sorted(found, key=lambda event: str(event["event_id"]))


def test_each_query_is_logged_with_its_text_before_it_runs_and_with_what_became_of_it(
    built: World, extracts: Extracts, desk: Desk
) -> None:
    scope = Scope(person_id="li-chen", role_id="analyst", team_ids=None, own_only=False)
    scoped, queries = built.warehouse.for_person(scope), Queries(desk)
    bench = Workbench(extracts)
    answer = bench.ask(scoped, queries, "select 1 as one", is_demo=False)
    with pytest.raises(QueryRefused, match="one is asked at a time"):
        bench.ask(scoped, queries, "select 1; select 2", is_demo=False)
    with pytest.raises(QueryRefused, match="not answered"):
        bench.ask(scoped, queries, "select * from nothing_here", is_demo=False)
    asked = logged(desk.control.workspace, "query_asked")
    ended = logged(desk.control.workspace, "query_ended")
    assert [event["query_text"] for event in asked] == [
        "select 1 as one",
        "select 1; select 2",
        "select * from nothing_here",
    ]
    assert {event["person_id"] for event in asked} == {"li-chen"}
    assert [(event["query_outcome"], event.get("row_count")) for event in ended] == [
        ("answered", 1),
        ("refused", None),
        ("refused", None),
    ]
    assert asked[0]["query_id"] == ended[0]["query_id"] == answer.query_id


def test_who_may_not_take_rows_out_may_not_ask(built: World, extracts: Extracts, desk: Desk) -> None:
    scope = Scope(person_id="jon-vass", role_id="agent_user", team_ids=("support",), own_only=True)
    assert not may_query(desk, "jon-vass")
    with pytest.raises(AccessRefused):
        Workbench(extracts).ask(built.warehouse.for_person(scope), Queries(desk), "select 1", is_demo=False)
    assert logged(desk.control.workspace, "query_asked") == []
    assert len(logged(desk.control.workspace, "action_refused")) == 1
    assert not extracts.folder.exists()


def test_a_query_that_cannot_be_logged_does_not_run(built: World, extracts: Extracts) -> None:
    class Broken(Nobody):
        def asked(self, person_id: str, query_id: str, sql: str) -> None:
            raise IngestError("the log cannot be written")

    with pytest.raises(IngestError):
        Workbench(extracts).ask(built.warehouse.for_person(SUPPORT), Broken(), "select 1", is_demo=False)
    assert not extracts.folder.exists()


def test_an_answer_leaves_whole_with_its_query_as_the_filter(
    built: World, extracts: Extracts, desk: Desk, tmp_path: Path
) -> None:
    scope = Scope(person_id="li-chen", role_id="analyst", team_ids=None, own_only=False)
    scoped = built.warehouse.for_person(scope)
    sql = "select team_id, sum(runs) as runs from rpt_agent_days group by team_id order by team_id"
    answer = Workbench(extracts).ask(scoped, Queries(desk), sql, is_demo=False)
    now = desk.control.store.clock()
    export, event_id = export_answer(
        scoped, desk, tmp_path, answer=answer, sql=sql, format_="parquet", is_demo=False, now=now
    )
    assert pl.read_parquet(export.data_file).equals(answer.rows)
    assert differences(export.folder) == []
    assert export.manifest.sql == sql
    assert export.manifest.filters == {"query_id": answer.query_id}
    assert [event["event_id"] for event in logged(desk.control.workspace, "export_created")] == [event_id]
    cut = answer._replace(is_complete=False)
    with pytest.raises(Exception, match="an export is never cut"):
        export_answer(scoped, desk, tmp_path, answer=cut, sql=sql, format_="csv", is_demo=False, now=now)
