"""The dbt project as a plan: the SQL that dbt compiled, in the order in which it runs.

dbt parses and compiles the project when it, its settings or dbt changed, which costs about ten seconds; the
plan is kept beside it. Running dbt's 200 nodes for each build costs as much again, whatever the log holds.
"""

from __future__ import annotations

import graphlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from app.standing import sources

PLAN = "plan.json"
MANIFEST = "manifest.json"
KEPT_PLANS = 8
EVENTS = "work.log.events"
ARRIVALS = "work.log.arrivals"
"""The relations that the compiled SQL reads the log from; the builder says what they hold."""

Kind: TypeAlias = Literal["model", "test"]

VARIABLES = ("build_id", "built_at", "checkpoint_size", "checkpoint_root")
"""What differs from build to build is read while the SQL runs, so that the compiled SQL stays the same."""


class PlanError(Exception):
    """dbt could not parse or compile the project; the message is dbt's own."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column that a contract promises."""

    name: str
    data_type: str
    is_required: bool
    description: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A model to make or a test to run. ``columns`` are those of an enforced contract, empty without one.

    ``by`` says what a row of the model depends on: ``run``, the events of its run and of the runs delegated
    in one tree with it; ``arrival``, each event by itself; empty, anything. A test has the word that all its
    models share. ``is_kept`` holds for models with such a word whose rows later builds need. ``day`` is the
    column by whose months the Parquet copy is cut, empty where it is one file.
    """

    unique_id: str
    name: str
    kind: Kind
    sql: str
    relation: str = ""
    is_view: bool = False
    description: str = ""
    columns: list[Column] = []
    needs: list[str] = []
    by: str = ""
    is_kept: bool = False
    day: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All steps, each after what it needs; tests come as early as they can."""

    key: str
    steps: list[Step]
    selectors: dict[str, list[str]]


class _DependsOn(msgspec.Struct):
    nodes: list[str] = []


class _Constraint(msgspec.Struct):
    type: str


class _Column(msgspec.Struct):
    name: str
    description: str = ""
    data_type: str | None = None
    constraints: list[_Constraint] = []


class _Contract(msgspec.Struct):
    enforced: bool = False


class _Config(msgspec.Struct):
    materialized: str = ""
    meta: dict[str, object] = {}

    @property
    def by(self) -> str:
        return str(self.meta.get("by", ""))

    @property
    def day(self) -> str:
        return str(self.meta.get("day", ""))


class _Node(msgspec.Struct):
    unique_id: str
    name: str
    resource_type: str
    config: _Config
    database: str | None = None
    compiled_code: str | None = None
    relation_name: str | None = None
    description: str = ""
    columns: dict[str, _Column] = {}
    contract: _Contract = msgspec.field(default_factory=_Contract)
    depends_on: _DependsOn = msgspec.field(default_factory=_DependsOn)


class _Selection(msgspec.Struct):
    value: str


class _Union(msgspec.Struct):
    union: list[_Selection]


class _Selector(msgspec.Struct):
    definition: _Union


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node]
    selectors: dict[str, _Selector] = {}


def plan(project: Path, target: Path, logs: Path, settings: Mapping[str, str]) -> tuple[Plan, Path]:
    """The plan of ``project`` under ``settings`` (variables that its SQL reads), and dbt's manifest of it.

    Plans are kept in the project, where all workspaces find them, or below ``target`` when it cannot be
    written. Raises PlanError when dbt cannot compile the project.
    """
    key = _key(project, settings)
    places = [root / key for root in (project / "target" / "plans", target / "plans")]
    for place in places:
        try:
            return msgspec.json.decode((place / PLAN).read_bytes(), type=Plan), place / MANIFEST
        except (FileNotFoundError, msgspec.DecodeError):
            continue
    _compile(project, target, logs, settings)
    manifest = msgspec.json.decode((target / MANIFEST).read_bytes(), type=_Manifest)
    made = Plan(
        key=key,
        steps=list(_ordered(manifest.nodes)),
        selectors={
            name: [one.value for one in selector.definition.union]
            for name, selector in manifest.selectors.items()
        },
    )
    return made, _keep(made, target / MANIFEST, places) / MANIFEST


def _keep(made: Plan, manifest: Path, places: Sequence[Path]) -> Path:
    """Put plan and manifest into the first of ``places`` that can be written; whole or not at all."""
    *_, last = places
    for place in places:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=place.parent))
            (draft / PLAN).write_bytes(msgspec.json.encode(made))
            shutil.copyfile(manifest, draft / MANIFEST)
            if place.exists():  # another workspace was quicker
                shutil.rmtree(draft)
            else:
                draft.rename(place)
        except OSError:
            if place == last:
                raise
            continue
        for old in sorted(place.parent.iterdir(), key=lambda one: one.stat().st_mtime)[:-KEPT_PLANS]:
            shutil.rmtree(old, ignore_errors=True)
        return place
    raise AssertionError(places)


def chosen(whole: Plan, selector: str) -> list[Step]:
    """The steps that ``selector`` (models with their parents) names, and the tests of nothing else.

    All steps for an empty one. Raises PlanError when it names no model.
    """
    if not selector:
        return whole.steps
    models = {step.unique_id: step for step in whole.steps if step.kind == "model"}
    wanted = whole.selectors.get(selector, [])
    left = [key for key, step in models.items() if step.name in wanted]
    made: set[str] = set()
    while left:
        key = left.pop()
        if key in models and key not in made:
            made.add(key)
            left += models[key].needs
    if not made:
        raise PlanError(f"selector {selector} of selectors.yml names no model")
    return [
        step
        for step in whole.steps
        if step.unique_id in made or (step.kind == "test" and models.keys() & set(step.needs) <= made)
    ]


def _key(project: Path, settings: Mapping[str, str]) -> str:
    told = [f"{name}={value}" for name, value in sorted(settings.items())]
    total = hashlib.sha256(
        "\0".join([*(version(name) for name in ("dbt-core", "dbt-duckdb", "duckdb")), *told]).encode()
    )
    for file in [*sources(project), *sorted(Path(__file__).parent.glob("*.py"))]:
        total.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _compile(project: Path, target: Path, logs: Path, settings: Mapping[str, str]) -> None:
    """Let dbt write the manifest with the compiled SQL of all models and tests."""
    scratch = target / "compile"
    scratch.mkdir(parents=True, exist_ok=True)
    os.environ.update(settings)
    os.environ.update({"FLEETBOOK_EVENTS": EVENTS, "FLEETBOOK_ARRIVALS": ARRIVALS})
    os.environ["FLEETBOOK_WAREHOUSE_FILE"] = str(scratch / "warehouse.duckdb")
    os.environ["FLEETBOOK_WORK_FILE"] = str(scratch / "work.duckdb")
    os.environ.update({f"FLEETBOOK_{name.upper()}": f"getvariable('{name}')" for name in VARIABLES})
    from dbt.cli.main import dbtRunner

    arguments = ["compile", "--project-dir", project, "--profiles-dir", project, "--target-path", target]
    arguments += ["--log-path", logs, "--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats"]
    arguments += ["--no-version-check", "--log-level-file", "info", "--exclude", "test_type:unit"]
    outcome = dbtRunner().invoke([str(word) for word in arguments])
    if outcome.exception is not None:
        raise PlanError(str(outcome.exception))
    for result in getattr(outcome.result, "results", []):
        if result.status == "error":
            raise PlanError(f"{result.node.name}\n{result.message}")


def _ordered(nodes: Mapping[str, _Node]) -> Iterator[Step]:
    models = {key: node for key, node in nodes.items() if node.resource_type == "model"}
    kept = _kept(models)
    waiting = {key: node for key, node in sorted(nodes.items()) if node.resource_type == "test"}
    graph = {
        key: sorted(name for name in node.depends_on.nodes if name in models)
        for key, node in sorted(models.items())
    }
    done: set[str] = set()
    for key in graphlib.TopologicalSorter(graph).static_order():
        yield _step(models[key], "model", models[key].config.by, is_kept=key in kept)
        done.add(key)
        for name in [name for name, test in waiting.items() if _is_ready(test, models, done)]:
            yield _step(waiting[name], "test", _shared_word(waiting.pop(name), models))
    for test in waiting.values():
        yield _step(test, "test")


def _kept(models: Mapping[str, _Node]) -> set[str]:
    """Models with a word that a model without one reads, that are published, or that only grow."""
    words = {key: node.config.by for key, node in models.items()}
    read = {name for key, node in models.items() if not words[key] for name in node.depends_on.nodes}
    return {
        key
        for key, word in words.items()
        if word and (word == "arrival" or key in read or models[key].database == "warehouse")
    }


def _shared_word(test: _Node, models: Mapping[str, _Node]) -> str:
    words = {models[name].config.by for name in test.depends_on.nodes if name in models}
    return words.pop() if len(words) == 1 else ""


def _is_ready(test: _Node, models: Mapping[str, _Node], done: set[str]) -> bool:
    return all(name in done for name in test.depends_on.nodes if name in models)


def _step(node: _Node, kind: Kind, by: str = "", *, is_kept: bool = False) -> Step:
    if kind == "model" and node.config.materialized not in ("table", "view"):
        raise PlanError(
            f"{node.name} is materialized as {node.config.materialized}: only table and view are known"
        )
    if is_kept and node.config.materialized == "view":
        raise PlanError(f"{node.name} is by {by} and read by a model that is not: it must be a table")
    return Step(
        unique_id=node.unique_id,
        name=node.name,
        kind=kind,
        sql=node.compiled_code or "",
        relation=node.relation_name or "",
        is_view=node.config.materialized == "view",
        description=node.description,
        columns=_promised(node.columns.values()) if node.contract.enforced else [],
        needs=node.depends_on.nodes,
        by=by,
        is_kept=is_kept,
        day=node.config.day,
    )


def _promised(columns: Iterable[_Column]) -> list[Column]:
    return [
        Column(
            name=column.name,
            data_type=column.data_type or "",
            is_required=any(one.type == "not_null" for one in column.constraints),
            description=column.description,
        )
        for column in columns
    ]
