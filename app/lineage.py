"""Where a number comes from and goes to: event types, models, table, definition, pages and exports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.errors import QuestionError
from app.questions.asking import Ask
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

    Of the name of an event type: of everything that is made from it, see :func:`of_event_type`.

    Raises QuestionError for a name that is neither.
    """
    metrics, tables = warehouse.metrics(), warehouse.tables()
    if name in metrics:
        definition, table = metrics[name].definition, metrics[name].fact
    elif name in tables:
        definition, table = tables[name], name
    else:
        raise QuestionError(
            f"Unknown metric or table {name!r}. The metrics are {', '.join(metrics)}; "
            "the tables are listed by `fleetbook warehouse`."
        )
    manifest = _manifest(warehouse)
    above = _above(table, _models(manifest))
    metric = name if name in metrics else ""
    layers = {layer: tuple(sorted(n.name for n in above if _layer(n) == layer)) for layer in _ORDER}
    return Lineage(
        name=name,
        definition=definition,
        table=table,
        event_types=_event_types(above),
        models={layer: names for layer, names in layers.items() if names},
        questions=_questions(warehouse, metric, table),
        tiles=tuple(
            sorted(one.name for one in manifest.exposures.values() if metric in one.config.meta.metrics)
        ),
        readers=_readers(manifest, {table}),
    )


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


def _questions(warehouse: Warehouse, metric: str, table: str) -> tuple[str, ...]:
    """Named questions, which the pages ask, whose SQL reads ``table``; metrics are all in the tiles."""
    asked = {"tiles"} if metric else set()
    for name, question in QUESTIONS.items():
        needed = {"run_id": ""} if "run_id" in question.takes else {}
        sql = question.write(Ask(filters=needed, metrics=warehouse.metrics()))
        if re.search(rf"\b{table}\b", sql):
            asked.add(name)
    return tuple(sorted(asked))
