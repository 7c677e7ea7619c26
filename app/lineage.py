"""Where a number comes from: from event types over models to the table, column and definition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.errors import QuestionError
from app.questions.asking import Ask
from app.warehouse import QUESTIONS, Warehouse
from ingest.events import EVENT_TYPES

_ORDER = ("staging", "intermediate", "checks", "marts")


class _Depends(msgspec.Struct):
    nodes: list[str] = []


class _Node(msgspec.Struct):
    name: str
    resource_type: str
    path: str = ""
    raw_code: str = ""
    depends_on: _Depends = msgspec.field(default_factory=_Depends)


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node]


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """The way of one number. ``models`` are by layer, first staging; ``questions`` are those that read it."""

    name: str
    definition: str
    table: str
    event_types: tuple[str, ...]
    models: Mapping[str, tuple[str, ...]]
    questions: tuple[str, ...]

    def __str__(self) -> str:
        lines = [self.name, f"  {self.definition}", f"  event types   {', '.join(self.event_types)}"]
        lines += [f"  {layer:<13} {', '.join(names)}" for layer, names in self.models.items()]
        lines.append(f"  table         {self.table}")
        lines.append(f"  asked by      {', '.join(self.questions) or 'exports only'}")
        return "\n".join(lines)


def of_metric(warehouse: Warehouse, name: str) -> Lineage:
    """The lineage of metric or table ``name``, from dbt's manifest inside the generation.

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
    above = _above(table, _models(warehouse))
    layers = {layer: tuple(sorted(n.name for n in above if _layer(n) == layer)) for layer in _ORDER}
    return Lineage(
        name=name,
        definition=definition,
        table=table,
        event_types=_event_types(above),
        models={layer: names for layer, names in layers.items() if names},
        questions=_questions(warehouse, name if name in metrics else "", table),
    )


def _models(warehouse: Warehouse) -> dict[str, _Node]:
    content = (warehouse.path / "manifest.json").read_bytes()
    nodes = msgspec.json.decode(content, type=_Manifest).nodes
    return {key: node for key, node in nodes.items() if node.resource_type == "model"}


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
