"""Who reads which table: ``dbt_project/models/exposures.yml``, made from the pages' own code.

Each page, each export and the alerts are an exposure of dbt, with the questions a page asks and the metrics
its tiles show. ``python -m app.exposures --write`` makes the file again; ``--check`` fails when it is stale.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import yaml

from app import metrics_page
from app.questions.asking import Ask, Metric
from app.questions.marts import MARTS
from app.warehouse import QUESTIONS

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "dbt_project" / "models" / "exposures.yml"
VIEWS = ROOT / "app" / "views"

_ASKING = ("ask", "query", "table", "row_count")
_HEAD = "# Made from app/views by `python -m app.exposures --write`; `--check` says when it is stale.\n"
_EXPORTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "export_tables": ("fleetbook export: every table with rows of a population, as files.", tuple(MARTS)),
    "export_focus": (
        "fleetbook export --format focus-csv|focus-parquet: charges for FinOps tools.",
        ("fct_charges",),
    ),
    "evidence_pack": (
        "fleetbook check: the findings and answers of a month, signed by an officer.",
        ("fct_check_findings", "rpt_check_months", "dim_checks"),
    ),
}


class Reader(TypedDict):
    """What dbt keeps of one exposure beyond its tables."""

    questions: list[str]
    metrics: list[str]


@dataclass(kw_only=True)
class Read:
    """What one page reads: named questions, metrics of its tiles and trends, and tables by name."""

    questions: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)

    def add(self, other: Read) -> None:
        """Take in what a part of the page reads."""
        self.questions |= other.questions
        self.metrics |= other.metrics
        self.tables |= other.tables


def declared() -> str:
    """The YAML of every exposure."""
    metrics = {row["metric_id"]: _metric(row) for row in metrics_page.metrics(metrics_page.marts())}
    exposures = []
    for page in sorted(VIEWS.glob("*.py")):
        if page.stem == "__init__":
            continue
        read = _page(page, metrics)
        tables = read.tables.union(*(tables_of(question, metrics) for question in read.questions))
        tables |= {metrics[name].fact for name in read.metrics}
        meta: Reader = {"questions": sorted(read.questions), "metrics": sorted(read.metrics)}
        sentence = (ast.get_docstring(ast.parse(page.read_text(encoding="utf-8"))) or "").splitlines()[0]
        exposures.append(_exposure(f"page_{page.stem}", "dashboard", sentence, tables, meta))
    for name, (sentence, tables_) in _EXPORTS.items():
        exposures.append(
            _exposure(name, "analysis", sentence, set(tables_), {"questions": [], "metrics": []})
        )
    facts = {metric.fact for metric in metrics.values()} | {"fct_wallet_windows", "dim_dates"}
    told = "Alerts of registry.yaml: every metric may be one, budgets are."
    every: Reader = {"questions": ["tiles", "wallets"], "metrics": sorted(metrics)}
    exposures.append(_exposure("alerts", "application", told, facts, every))
    body = {"version": 2, "exposures": exposures}
    return _HEAD + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)


def tables_of(question: str, metrics: Mapping[str, Metric]) -> set[str]:
    """The tables that the SQL of a named question reads; of ``tiles`` those of every metric."""
    asked = QUESTIONS[question]
    needed = {"run_id": ""} if "run_id" in asked.takes else {}
    sql = asked.write(Ask(filters=needed, metrics=metrics)) if question != "tiles" else ""
    return {mart for mart in MARTS if re.search(rf"\b{mart}\b", sql)}


def _exposure(name: str, kind: str, sentence: str, tables: set[str], meta: Reader) -> dict[str, object]:
    return {
        "name": name,
        "type": kind,
        "description": sentence,
        "owner": {"name": "Fleetbook"},
        "depends_on": [f"ref('{table}')" for table in sorted(tables | {"build_info"})],
        "config": {"meta": dict(meta)},
    }


def _page(page: Path, metrics: Mapping[str, Metric]) -> Read:
    """What a page and every part that it imports read."""
    found = Read()
    waiting, seen = [page], set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        tree = ast.parse(module.read_text(encoding="utf-8"))
        found.add(_module(tree, metrics))
        waiting += _parts(tree)
    return found


def _parts(tree: ast.Module) -> Iterator[Path]:
    """Files of the packages behind pages that ``tree`` imports: parts, and the review's own questions."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if not node.module.startswith(("app.views", "app.review")):
            continue
        folder = ROOT / Path(*node.module.split("."))
        if folder.with_suffix(".py").exists():
            yield folder.with_suffix(".py")
        for name in node.names:
            if (folder / f"{name.name}.py").exists():
                yield folder / f"{name.name}.py"


def _module(tree: ast.Module, metrics: Mapping[str, Metric]) -> Read:
    found = Read()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ASKING:
            first = node.args[0] if node.args else None
            name = first.value if isinstance(first, ast.Constant) else None
            found.questions |= {str(name)} & QUESTIONS.keys() if node.func.attr in ("ask", "query") else set()
            found.tables |= {str(name)} & MARTS.keys()
        if isinstance(node, ast.Assign | ast.AnnAssign) and _names_measures(node):
            found.metrics |= set(_words(node)) & metrics.keys()
    return found


def _names_measures(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(one, ast.Name) and re.search("TILES|MEASURES|METRICS", one.id) for one in targets)


def _words(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def _metric(row: Mapping[str, str]) -> Metric:
    names = [name for name in Metric.__dataclass_fields__ if name not in ("minimum_count", "position")]
    return Metric(**{name: row.get(name) for name in names}, minimum_count=20, position=0)  # type: ignore[arg-type]


def main(arguments: list[str] | None = None) -> int:
    """``--write`` makes the file again, ``--check`` compares it; exit code 1 when it is stale."""
    parser = argparse.ArgumentParser(prog="python -m app.exposures", description=main.__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true", help="make the file again")
    group.add_argument("--check", action="store_true", help="fail when the file is stale")
    options = parser.parse_args(arguments)
    content = declared()
    if options.write:
        FILE.write_text(content, encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == content:
        return 0
    print(f"Stale copy: {FILE.name}. Run `python -m app.exposures --write`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
