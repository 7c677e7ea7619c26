"""A page as a PDF: its tiles, charts and tables as they stand, complete or refused, and their origin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from app.errors import ExportRefused
from app.export.glyphs import with_glyphs
from app.export.package import Written
from app.export.picture import About, drawing
from app.palette import LIGHT, Palette

TEMPLATE = Path(__file__).with_name("page.typ")
MAX_ROWS = 2_000
"""Rows of all tables of a page that a PDF holds: 40 sheets. More are for a spreadsheet."""


@dataclass(frozen=True, kw_only=True)
class TileShown:
    """A number as the page shows it: label, value with unit, what it rests on, and its change in words."""

    label: str
    shown: str
    basis: str
    change: str


@dataclass(frozen=True, kw_only=True)
class ChartShown:
    """A chart and the line that says how to read it."""

    figure: go.Figure
    title: str
    caption: str
    colours: Palette = LIGHT


@dataclass(frozen=True, kw_only=True)
class TableShown:
    """A table: headings, cells as people read them, and which columns hold numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[bool]


Shown = TileShown | ChartShown | TableShown


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A page as the content of an export: title, filters in words, and its parts in order."""

    title: str
    lines: tuple[str, ...]
    parts: Sequence[Shown]
    is_demo: bool

    @property
    def row_count(self) -> int:
        """Rows of all its tables."""
        return sum(len(part.rows) for part in self.parts if isinstance(part, TableShown))

    def write(self, path: Path, about: Mapping[str, str]) -> Written:
        """Make the PDF. Raises ExportRefused when its tables are longer than a PDF holds."""
        import typst

        if self.row_count > MAX_ROWS:
            raise ExportRefused(
                f"PDF refused: the tables of this page have {self.row_count:,} rows, and a PDF holds "
                f"{MAX_ROWS:,} here. Narrow the filters, or export the rows."
            )
        told = {
            "title": self.title,
            "lines": list(self.lines),
            "is_demo": self.is_demo,
            "footer": f"{about['scope']} · build {about['build']} · data until {about['data until']}",
            "parts": [_part(part) for part in self.parts],
        }
        made = typst.compile(
            str(TEMPLATE),
            format="pdf",
            root=str(TEMPLATE.parent),
            ignore_system_fonts=True,
            sys_inputs={"page": json.dumps(with_glyphs(told), ensure_ascii=False)},
            pdf_standards=["a-3b"],
        )
        if not isinstance(made, bytes):
            raise TypeError("the page is not one PDF")
        path.write_bytes(made)
        return Written(self.row_count, ())


def _part(part: Shown) -> dict[str, object]:
    if isinstance(part, TileShown):
        return {"kind": "tile", **vars(part)}
    if isinstance(part, ChartShown):
        about = About(title=part.title, lines=(part.caption,) if part.caption.strip() else ())
        return {"kind": "chart", "drawing": drawing(part.figure, about, part.colours)}
    return {
        "kind": "table",
        "title": part.title,
        "head": list(part.head),
        "rows": [list(row) for row in part.rows],
        "numbers": list(part.numbers),
    }
