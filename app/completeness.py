"""Whether dbt did all that a build asked of it: no result is not a good result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

MANIFEST = "manifest.json"
RUN_RESULTS = "run_results.json"


class Gap(NamedTuple):
    """The first model or test that failed or did not run, by name, and what dbt says of it."""

    node: str
    problem: str


class _Result(msgspec.Struct):
    unique_id: str
    status: str
    message: str | None


class _RunResults(msgspec.Struct):
    results: list[_Result]


class _Needs(msgspec.Struct):
    nodes: list[str] = []


class _Node(msgspec.Struct):
    resource_type: str
    name: str = ""
    depends_on: _Needs = msgspec.field(default_factory=_Needs)


class _Selection(msgspec.Struct):
    value: str


class _Union(msgspec.Struct):
    union: list[_Selection]


class _Selector(msgspec.Struct):
    definition: _Union


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node]
    selectors: dict[str, _Selector] = {}


def find_gap(target: Path, selector: str | None = None) -> Gap | None:
    """What is missing from the run whose artifacts lie in ``target``; None when all was made and passed.

    With ``selector`` (of selectors.yml: models with their parents) only what it names is asked for, and the
    tests of nothing else. dbt ends well when a selector finds nothing: that is a gap, too.
    """
    if not (target / RUN_RESULTS).exists():
        return None
    results = msgspec.json.decode((target / RUN_RESULTS).read_bytes(), type=_RunResults).results
    bad = [result for result in results if result.status in ("error", "fail", "runtime error")]
    if bad:
        kind, _, name, *_ = bad[0].unique_id.split(".")  # a test's id ends with a digest
        others = f" ({len(bad) - 1} more failed)" if len(bad) > 1 else ""
        return Gap(f"{kind} {name}", one_line(bad[0].message or "") + others)
    manifest = msgspec.json.decode((target / MANIFEST).read_bytes(), type=_Manifest)
    expected = _expected(manifest, selector)
    done = {result.unique_id for result in results if result.status in ("success", "pass", "warn")}
    missing = [name for name in expected if name not in done]
    if missing or not expected:
        problem = f"{len(missing)} of {len(expected)} models and tests did not run"
        return Gap(missing[0] if missing else "dbt", problem)
    return None


def one_line(message: str) -> str:
    """dbt's message without its heading and line breaks."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    told = lines[1:] if len(lines) > 1 and lines[0].endswith(")") else lines
    return " ".join(told).rstrip(".") or "no message"


def _expected(manifest: _Manifest, selector: str | None) -> list[str]:
    """Models and tests that must have run, by id."""
    models = {name for name, node in manifest.nodes.items() if node.resource_type == "model"}
    tests = [name for name, node in manifest.nodes.items() if node.resource_type == "test"]
    if selector is None:
        return [*models, *tests]
    chosen = manifest.selectors.get(selector)
    wanted = {one.value for one in chosen.definition.union} if chosen else set()
    made = _with_parents(manifest.nodes, (name for name in models if manifest.nodes[name].name in wanted))
    return [
        *made,
        *(name for name in tests if models.intersection(manifest.nodes[name].depends_on.nodes) <= made),
    ]


def _with_parents(nodes: Mapping[str, _Node], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in nodes and name not in found:
            found.add(name)
            left += nodes[name].depends_on.nodes
    return found
