"""Where a number comes from and goes to: event types, models, table, definition, pages and exports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.errors import QuestionError
from app.questions.asking import Ask, Metric, Question
from app.warehouse import QUESTIONS, Warehouse
from ingest.events import EVENT_TYPES, TYPE_BY_NAME

_ORDER = ("staging", "intermediate", "checks", "marts")


class _Depends(msgspec.Struct):
    nodes: list[str] = []


class _Node(msgspec.Struct):
    name: str
    resource_type: str
    path: str = ""
    raw_code: str = ""
    depends_on: _Depends = msgspec.field(default_factory=_Depends)


class _Meta(msgspec.Struct):
    metrics: list[str] = []


class _Config(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Exposure(msgspec.Struct):
    name: str
    depends_on: _Depends = msgspec.field(default_factory=_Depends)
    config: _Config = msgspec.field(default_factory=_Config)


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node]
    exposures: dict[str, _Exposure] = {}


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """The way of one number. ``models`` are by layer, first staging; ``questions`` are those that read it.

    ``tiles`` are the pages that show the metric as it is, ``readers`` every page and export of its table.
    """

    name: str
    definition: str
    table: str
    event_types: tuple[str, ...]
    models: Mapping[str, tuple[str, ...]]
    questions: tuple[str, ...]
    tiles: tuple[str, ...]
    readers: tuple[str, ...]

    def __str__(self) -> str:
        lines = [self.name, f"  {self.definition}", f"  event types   {', '.join(self.event_types)}"]
        lines += [f"  {layer:<13} {', '.join(names)}" for layer, names in self.models.items()]
        lines.append(f"  table         {self.table}")
        lines.append(f"  asked by      {', '.join(self.questions) or 'exports only'}")
        if self.tiles:
            lines.append(f"  shown on      {', '.join(self.tiles)}")
        lines.append(f"  read by       {', '.join(self.readers) or 'no page and no export'}")
        return "\n".join(lines)


def of_metric(warehouse: Warehouse, name: str) -> Lineage:
    """The lineage of metric or table ``name``, from dbt's manifest inside the generation.

    Raises QuestionError for a name that is neither.
    """
    metrics, tables = warehouse.metrics(), warehouse.tables()
    if name not in metrics and name not in tables:
        raise QuestionError(
            f"Unknown metric or table {name!r}. The metrics are {', '.join(metrics)}; "
            "the tables are listed by `fleetbook warehouse`."
        )
    return _Ways(warehouse, metrics, tables).of(name)


def of_tables(warehouse: Warehouse) -> dict[str, Lineage]:
    """The lineage of every table, by name; as quick as that of one."""
    tables = warehouse.tables()
    ways = _Ways(warehouse, warehouse.metrics(), tables)
    return {name: ways.of(name) for name in tables}


class _Ways:
    """The manifest and the questions of one generation, read once."""

    def __init__(
        self, warehouse: Warehouse, metrics: Mapping[str, Metric], tables: Mapping[str, str]
    ) -> None:
        self._metrics = metrics
        self._tables = tables
        self._manifest = _manifest(warehouse)
        self._models = _models(self._manifest)
        self._asked = {name: _sql_of(question, metrics) for name, question in QUESTIONS.items()}

    def of(self, name: str) -> Lineage:
        """The lineage of a metric or table that exists."""
        metric = self._metrics.get(name)
        table = metric.fact if metric else name
        above = _above(table, self._models)
        layers = {layer: tuple(sorted(n.name for n in above if _layer(n) == layer)) for layer in _ORDER}
        shown = [
            one.name
            for one in self._manifest.exposures.values()
            if metric and name in one.config.meta.metrics
        ]
        return Lineage(
            name=name,
            definition=metric.definition if metric else self._tables[name],
            table=table,
            event_types=_event_types(above),
            models={layer: names for layer, names in layers.items() if names},
            questions=self._questions(table, is_metric=metric is not None),
            tiles=tuple(sorted(shown)),
            readers=_readers(self._manifest, {table}),
        )

    def _questions(self, table: str, *, is_metric: bool) -> tuple[str, ...]:
        """Named questions, which the pages ask, whose SQL reads ``table``; metrics are all in the tiles."""
        asked = {name for name, sql in self._asked.items() if re.search(rf"\b{table}\b", sql)}
        return tuple(sorted(asked | ({"tiles"} if is_metric else set())))


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What is made from one event type: tables, and the pages and exports that read them."""

    event_type: str
    meaning: str
    columns: tuple[str, ...]
    families: tuple[str, ...]
    tables: tuple[str, ...]
    readers: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            (
                self.event_type,
                f"  {self.meaning}",
                f"  columns       {', '.join(self.columns)}",
                f"  staging       {', '.join(self.families) or 'nothing is made from it'}",
                f"  tables        {', '.join(self.tables)}",
                f"  read by       {', '.join(self.readers)}",
            )
        )


def of_event_type(warehouse: Warehouse, name: str) -> Reach | None:
    """What is made from the events of type ``name``; None when it is no event type."""
    event_type = TYPE_BY_NAME.get(name)
    if event_type is None:
        return None
    manifest = _manifest(warehouse)
    models = _models(manifest)
    families = [node for node in models.values() if name in _event_types([node])]
    published = [node.name for node in models.values() if _layer(node) == "marts"]
    own = {node.name for node in families}
    reached = [table for table in published if own & {one.name for one in _above(table, models)}]
    return Reach(
        event_type=name,
        meaning=event_type.meaning,
        columns=(*event_type.required, *event_type.optional),
        families=tuple(sorted(own)),
        tables=tuple(sorted(reached)),
        readers=_readers(manifest, set(reached)),
    )


def _manifest(warehouse: Warehouse) -> _Manifest:
    return msgspec.json.decode((warehouse.path / "manifest.json").read_bytes(), type=_Manifest)


def _models(manifest: _Manifest) -> dict[str, _Node]:
    return {key: node for key, node in manifest.nodes.items() if node.resource_type == "model"}


def _readers(manifest: _Manifest, tables: set[str]) -> tuple[str, ...]:
    """Pages and exports that read one of ``tables``; each says so in exposures.yml."""
    return tuple(
        sorted(
            one.name
            for one in manifest.exposures.values()
            if tables & {node.rpartition(".")[2] for node in one.depends_on.nodes}
        )
    )


def _above(table: str, models: Mapping[str, _Node]) -> list[_Node]:
    """``table`` and every model that it is made from."""
    waiting = [key for key, node in models.items() if node.name == table]
    found: dict[str, _Node] = {}
    while waiting:
        key = waiting.pop()
        if key in models and key not in found:
            found[key] = models[key]
            waiting += models[key].depends_on.nodes
    return list(found.values())


def _layer(node: _Node) -> str:
    return node.path.partition("/")[0]


def _event_types(models: list[_Node]) -> tuple[str, ...]:
    """The types that the families among ``models`` take in: each staging model lists its own."""
    families = [model.raw_code for model in models if model.name.startswith("stg_events__")]
    named = {word for sql in families for word in re.findall(r"'([a-z_]+)'", sql)}
    return tuple(sorted(named & {one.name for one in EVENT_TYPES}))


def _sql_of(question: Question, metrics: Mapping[str, Metric]) -> str:
    needed = {"run_id": ""} if "run_id" in question.takes else {}
    return question.write(Ask(filters=needed, metrics=metrics))
