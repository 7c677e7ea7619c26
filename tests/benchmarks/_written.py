"""A report of benchmarks written out: a page in Markdown, the figures as JSON, a chart per benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from app.export.picture import About, draw
from app.palette import LIGHT
from tests.benchmarks._figures import Figure

if TYPE_CHECKING:
    from tests.benchmarks._profiles import HotPath
    from tests.benchmarks._report import Report

TITLES = {
    "wallet": "Wallet gate",
    "log": "Event log",
    "ingest": "Receiver of spans",
    "warehouse": "Warehouse",
    "pages": "Pages",
    "check": "Monthly check",
    "runner": "Runner",
    "spark": "Spark",
}
_HEIGHT_PER_BAR = 34
_BUSY = 0.5  # of the cores at work with something else when the run began


def write(report: Report, folder: Path) -> Iterator[Path]:
    """Write everything below ``folder``; yields what was written."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    drawn = {}
    for bench in dict.fromkeys(one.bench for one in report.figures):
        compared = [one for one in report.figures if one.bench == bench and one.ratio is not None]
        if compared:
            path = images / f"bench_{bench}.svg"
            path.write_bytes(chart(TITLES.get(bench, bench), compared, _origin(report)))
            drawn[bench] = path.relative_to(folder).as_posix()
            yield path
    for path, text in (
        (folder / "benchmarks.json", report.as_json()),
        (folder / "benchmarks.md", page(report, drawn)),
    ):
        path.write_text(text, encoding="utf-8")
        yield path


def chart(title: str, figures: Sequence[Figure], origin: str) -> bytes:
    """Ours by what stands beside it, one bar per figure from zero on; as SVG."""
    names = [f"{one.name} ÷ {one.beside.name}" for one in figures if one.beside]
    ratios = [one.ratio for one in figures]
    bars = go.Bar(
        x=ratios[::-1], y=names[::-1], orientation="h", marker={"color": LIGHT.accent}, showlegend=False
    )
    figure = go.Figure(bars)
    figure.update_layout(height=90 + _HEIGHT_PER_BAR * len(names), bargap=0.35)
    figure.update_xaxes(title="ours ÷ theirs", rangemode="tozero")
    return draw(figure, About(title=title, lines=(origin,)), LIGHT, "svg")


def _origin(report: Report) -> str:
    machine = report.machine
    return f"Measured {report.measured_at} on {machine.cores} cores, {machine.processor}, load {machine.load}"


def page(report: Report, drawn: dict[str, str]) -> str:
    """The report as Markdown; ``drawn`` are the charts by benchmark, as links."""
    parts = [f"# {report.title}", *_head(report)]
    for bench in dict.fromkeys(one.bench for one in report.figures):
        parts.append(f"## {TITLES.get(bench, bench)}")
        if bench in drawn:
            parts.append(f"![{TITLES.get(bench, bench)}: ours by theirs]({drawn[bench]})")
        parts.append(_table([one for one in report.figures if one.bench == bench]))
    parts.append("## The three hottest paths")
    parts.append("By function, under `cProfile`, which makes everything slower: shares count, not times.")
    parts += [_profile(one) for one in report.profiles]
    return "\n\n".join(parts) + "\n"


def _head(report: Report) -> Iterator[str]:
    machine = report.machine
    yield (
        "Every benchmark of `./fleetbook bench` in one run, written by "
        f"`./fleetbook bench report --size={report.size} --to=docs`. Peers and limits were measured in the "
        "same run, on the same machine: a ratio holds elsewhere, a time does not. The same as "
        "[JSON](benchmarks.json)."
    )
    yield (
        f"Measured {report.measured_at} with release {report.release} on {machine.cores} cores "
        f"({machine.processor}), {machine.memory_gib} GiB, {machine.system}, Python {machine.python}, in "
        f"{report.seconds / 60:.0f} minutes. Sizes: {report.size}."
    )
    if machine.load > _BUSY * machine.cores:
        yield (
            f"The machine was busy with other work (load {machine.load} when the run began): times of the "
            "clock and rates per second are worse than it can do, CPU times and ratios less so."
        )
    for name, why in report.left_out.items():
        yield f"Not measured: {TITLES.get(name, name)}: {why}."


def _table(figures: Sequence[Figure]) -> str:
    lines = ["| | here | beside it | ratio |", "|---|---|---|---|"]
    for one in figures:
        beside = f"{one.beside.name}: {number(one.beside.value)}" if one.beside else ""
        ratio = f"{number(one.ratio)}" if one.ratio is not None else ""
        lines.append(f"| {one.name} | {number(one.value)} {one.unit} | {beside} | {ratio} |")
    return "\n".join(lines)


def _profile(path: HotPath) -> str:
    lines = [
        f"**{path.name}**: {number(path.microseconds)} µs per {path.unit} under the profiler.",
        "",
        "| function | share | calls |",
        "|---|---|---|",
        *(f"| `{one.function}` | {one.share:.0%} | {one.calls:,} |" for one in path.lines),
        "",
        f"Done about it: {path.done}",
    ]
    return "\n".join(lines)


def number(value: float) -> str:
    """Three significant digits, thousands with commas."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{float(f'{value:.3g}'):g}"
