"""``docs/metrics.md``, made from the dbt YAML: every metric and every column of the marts with its sentence.

``python -m app.metrics_page --write`` makes the page again; ``--check`` fails when it is stale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict

import yaml

ROOT = Path(__file__).resolve().parent.parent
MARTS = ROOT / "dbt_project" / "models" / "marts"
PAGE = ROOT / "docs" / "metrics.md"

_SHARED = re.compile(r"\{% docs (\w+) %\}(.*?)\{% enddocs %\}", re.DOTALL)
_REFERENCE = re.compile(r"\{\{ doc\('(\w+)'\) \}\}")


class ColumnMeta(TypedDict, total=False):
    """Unit and format of a number."""

    unit: str
    format: str


class ColumnConfig(TypedDict, total=False):
    """dbt's configuration of a column."""

    meta: ColumnMeta


class Column(TypedDict, total=False):
    """One column as the YAML has it."""

    name: str
    data_type: str
    description: str
    config: ColumnConfig


class MartMeta(TypedDict, total=False):
    """What a table's YAML says beside dbt's own keys; only ``dim_metrics`` has metrics."""

    metrics: list[dict[str, str]]


class MartConfig(TypedDict, total=False):
    """dbt's configuration of a table."""

    meta: MartMeta


class Mart(TypedDict, total=False):
    """One table as the YAML has it."""

    name: str
    description: str
    config: MartConfig
    columns: list[Column]


def marts(folder: Path = MARTS) -> list[Mart]:
    """The tables of the YAML files in ``folder``, by name, with shared sentences written in."""
    shared = {
        name: sentence.strip()
        for file in sorted(folder.glob("*.md"))
        for name, sentence in _SHARED.findall(file.read_text(encoding="utf-8"))
    }
    found: list[Mart] = []
    for file in sorted(folder.glob("*.yml")):
        found += yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
    for mart in found:
        for column in mart["columns"]:
            column["description"] = _REFERENCE.sub(
                lambda match: shared[match.group(1)], column["description"]
            )
    return sorted(found, key=lambda mart: mart["name"])


def metrics(tables: Iterable[Mart]) -> list[dict[str, str]]:
    """The metrics in the order of their file."""
    return [metric for mart in tables for metric in mart.get("config", {}).get("meta", {}).get("metrics", [])]


def page(tables: list[Mart]) -> str:
    """The page as Markdown."""
    lines = [
        "# Metrics and tables",
        "",
        "Made from `dbt_project/models/marts/*.yml` by `python -m app.metrics_page --write`; `--check`",
        "fails when it is stale. The same sentences are the column comments in `warehouse.duckdb` and the",
        "tooltips of the pages. Money is exact decimal USD, times are UTC, dates are days in the company",
        "time zone, and what is not known is null, never 0. Rates stand with k of n and Wilson's 95 %",
        "interval; under the smallest n they are grey and not ranked.",
        "",
        "## Metrics",
        "",
        "| metric | id | unit | definition | table | smallest n |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_metric_row(metric) for metric in metrics(tables)]
    lines += [
        "",
        "### Their SQL",
        "",
        "| id | rows | numerator or value | denominator or n |",
        "|---|---|---|---|",
    ]
    lines += [_sql_row(metric) for metric in metrics(tables)]
    lines += ["", "## Tables", ""]
    lines += [f"- [`{mart['name']}`](#{mart['name']}): {mart['description']}" for mart in tables]
    for mart in tables:
        lines += [
            "",
            f"### {mart['name']}",
            "",
            mart["description"],
            "",
            "| column | type | unit | meaning |",
        ]
        lines += ["|---|---|---|---|", *(_column_row(column) for column in mart["columns"])]
    return "\n".join(lines) + "\n"


def _metric_row(metric: Mapping[str, str]) -> str:
    smallest = metric.get("minimum_count", 20) if metric["kind"] not in ("count", "sum") else ""
    cells = (metric["label"], f"`{metric['metric_id']}`", metric["unit"], metric["definition"])
    return f"| {' | '.join(cells)} | `{metric['fact']}` | {smallest} |"


def _sql_row(metric: Mapping[str, str]) -> str:
    rule = f" and {metric['fleet_rule']}" if metric.get("fleet_rule") else ""
    cells = (metric["metric_id"], metric["population"] + rule, metric["numerator"], metric["denominator"])
    return f"| {' | '.join(f'`{cell}`' for cell in cells)} |"


def _column_row(column: Column) -> str:
    unit = column.get("config", {}).get("meta", {}).get("unit", "")
    return f"| `{column['name']}` | {column['data_type']} | {unit} | {column['description']} |"


def main(arguments: list[str] | None = None) -> int:
    """``--write`` makes the page again, ``--check`` compares it; exit code 1 when it is stale."""
    parser = argparse.ArgumentParser(prog="python -m app.metrics_page", description=main.__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true", help="make the page again")
    group.add_argument("--check", action="store_true", help="fail when the page is stale")
    options = parser.parse_args(arguments)
    content = page(marts())
    if options.write:
        PAGE.write_text(content, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == content:
        return 0
    print(f"Stale copy: {PAGE}. Run `python -m app.metrics_page --write`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
