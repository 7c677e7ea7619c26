"""One page about a generation: its metrics and tables, from what they are made and who reads them.

``docs.html`` beside the tables stands by itself: no network, no script, search is the browser's own. It is
made from the column comments and dbt's manifest of that generation, so it says what these files hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from app import metrics_page
from app.lineage import Lineage, of_tables
from app.questions.asking import Metric
from app.warehouse import Warehouse

FILE_NAME = "docs.html"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
tr { border-bottom: 1px solid #8884; }
code { font-size: 13px; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; } h3 { margin-bottom: .25rem; } .quiet { opacity: .7; }
@media (max-width: 40rem) {
  td, th { display: block; border: 0; padding: 0; } thead { display: none; }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid #8884; }
}
""".strip()


def write_docs(warehouse: Warehouse) -> Path:
    """Write the page of ``warehouse`` into its generation, whole or not at all; returns its file."""
    file = warehouse.path / FILE_NAME
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(page(warehouse), encoding="utf-8")
    unfinished.replace(file)
    return file


def page(warehouse: Warehouse) -> str:
    """The page as HTML."""
    metrics, tables = warehouse.metrics(), warehouse.tables()
    units, ways = _units(), of_tables(warehouse)
    until = f"{warehouse.data_until:%Y-%m-%d %H:%M} UTC" if warehouse.data_until else "nothing recorded"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Tables of build {escape(warehouse.build_id)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Metrics and tables of build {escape(warehouse.build_id)}</h1>",
        f"<p>Built {warehouse.built_at:%Y-%m-%d %H:%M} UTC, data until {until}. Money is exact decimal USD, "
        "times are UTC, dates are days in the company zone unless a sentence says otherwise, and what is not "
        "known is null, never 0.</p>",
        "<h2>Metrics</h2>",
        _metrics(metrics.values()),
        "<h2>Tables</h2>",
        "<p>" + " · ".join(f'<a href="#{name}">{name}</a>' for name in tables) + "</p>",
    ]
    for name, sentence in tables.items():
        columns = warehouse.column_docs(name)
        parts.append(_table(name, sentence, columns, units.get(name, {}), ways[name]))
    return "\n".join([*parts, "</body></html>", ""])


def _metrics(metrics: Iterable[Metric]) -> str:
    rows = [
        (
            f"<b>{escape(one.label)}</b><br><code>{escape(one.metric_id)}</code>",
            escape(one.definition),
            escape(one.unit),
            f'<a href="#{one.fact}">{one.fact}</a>',
            f"<code>{escape(one.numerator)}</code> / <code>{escape(one.denominator)}</code>",
        )
        for one in metrics
    ]
    return _rows(("metric", "definition", "unit", "table", "numerator or value / denominator or n"), rows)


def _table(
    name: str, sentence: str, columns: Mapping[str, str], units: Mapping[str, str], way: Lineage
) -> str:
    rows = [
        (f"<code>{escape(column)}</code>", escape(units.get(column, "")), escape(meaning))
        for column, meaning in columns.items()
    ]
    models = ", ".join(model for names in way.models.values() for model in names if model != name)
    told = [
        ("made from events", ", ".join(way.event_types)),
        ("by way of", models),
        ("asked by", ", ".join(way.questions)),
        ("read by", ", ".join(way.readers)),
    ]
    quiet = "".join(f"{what}: <code>{escape(words)}</code><br>" for what, words in told if words)
    head = f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(sentence)}</p>'
    return f'{head}{_rows(("column", "unit", "meaning"), rows)}<p class="quiet">{quiet}</p>'


def _rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _units() -> dict[str, dict[str, str]]:
    """Unit of each column of each table, from the dbt project of this release."""
    return {
        mart["name"]: {
            column["name"]: column.get("config", {}).get("meta", {}).get("unit", "")
            for column in mart["columns"]
        }
        for mart in metrics_page.marts()
    }
