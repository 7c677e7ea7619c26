"""``./fleetbook bench report``: every benchmark in one run, as Markdown, JSON and charts.

    ./fleetbook bench report --to=FOLDER [--size=small|full] [--only=log,runner] [--title=WORDS]

Writes ``benchmarks.md``, ``benchmarks.json`` and ``images/bench_<name>.svg`` below FOLDER. Ratios are against
what was measured in the same run. ``small`` takes minutes and is what the committed page holds; ``full``
takes hours. Figures of a machine that is busy with other work are ratios and CPU times at best: the page says
how busy it was.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

from tests.benchmarks._figures import Figure, keeping, started
from tests.benchmarks._profiles import HotPath, profiles
from tests.benchmarks._written import write

Size = Literal["small", "full"]
_SMALL_PAGES = ("--events=20000", "--rounds=4", "--views=home,fleet,runs,spend")
# Each benchmark with its options by size.
PLAN: Mapping[str, Mapping[Size, Sequence[str]]] = {
    "wallet": {"small": (), "full": ()},
    "log": {"small": (), "full": ()},
    "ingest": {"small": ("--seconds=4",), "full": ("--seconds=20", "--minutes=10", "--saturate")},
    "warehouse": {
        "small": ("--events=200000", "--day=20000"),
        "full": ("--events=10000000", "--day=1000000"),
    },
    "pages": {"small": _SMALL_PAGES, "full": ("--events=1000000",)},
    "check": {"small": ("--events=100000",), "full": ("--events=10000000",)},
    "runner": {"small": ("--runs=60",), "full": ("--runs=200",)},
    "spark": {"small": (), "full": ()},
}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the figures were measured on, and how busy it was with other work when it began."""

    cores: int
    processor: str
    memory_gib: float
    system: str
    python: str
    load: float

    @classmethod
    def here(cls) -> Machine:
        """This machine now."""
        pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        return cls(
            cores=os.cpu_count() or 1,
            processor=_processor(),
            memory_gib=round(pages * page / 2**30, 1),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            load=round(os.getloadavg()[0], 1),
        )


@dataclass(kw_only=True)
class Report:
    """One run of all benchmarks. ``left_out`` says which could not be measured here, and why."""

    measured_at: str
    release: str
    size: Size
    machine: Machine
    title: str = "Benchmarks"
    seconds: float = 0.0
    figures: list[Figure] = field(default_factory=list)
    profiles: list[HotPath] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """All of it, for :mod:`tests.benchmarks.scale` and for comparisons over time."""
        told = asdict(self)
        told["figures"] = [asdict(one) | {"ratio": one.ratio} for one in self.figures]
        return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def measure(size: Size, only: Sequence[str] = (), title: str = "Benchmarks") -> Report:
    """Run the benchmarks of :data:`PLAN` one after the other; what they print goes to standard error."""
    from app import __version__

    began = time.perf_counter()
    report = Report(
        measured_at=f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        release=__version__,
        size=size,
        machine=Machine.here(),
        title=title,
    )
    with redirect_stdout(sys.stderr):
        for name in only or PLAN:
            _run(report, name, list(PLAN[name][size]))
        report.profiles = profiles()
    report.seconds = time.perf_counter() - began
    return report


def _run(report: Report, name: str, options: list[str]) -> None:
    if not Path(__file__).with_name(f"{name}.py").exists():
        report.left_out[name] = "there is no such benchmark in this checkout"
        return
    print(f"\n== {name} {' '.join(options)}", flush=True)
    module = importlib.import_module(f"tests.benchmarks.{name}")
    with keeping() as kept:
        try:
            started(module.main, options)
        except SystemExit as end:
            report.left_out[name] = str(end.code)
    report.figures += kept
    if not kept:
        report.left_out.setdefault(name, "it noted no figure")


def main(words: list[str]) -> None:
    """Measure, and write the three forms below the folder asked for."""
    parser = argparse.ArgumentParser(prog="./fleetbook bench report")
    parser.add_argument("--to", type=Path, required=True, help="folder for the page, the JSON and the charts")
    parser.add_argument("--size", choices=get_args(Size), default="small")
    parser.add_argument("--only", default="", help="names of benchmarks, with commas")
    parser.add_argument("--title", default="Benchmarks")
    asked = parser.parse_args(words)
    only = [name for name in asked.only.split(",") if name]
    unknown = [name for name in only if name not in PLAN]
    if unknown:
        raise SystemExit(f"No benchmark of the report is called {unknown[0]}. There are: {', '.join(PLAN)}.")
    report = measure(asked.size, only, asked.title)
    for path in write(report, asked.to):
        print(path)
    print(f"Measured in {report.seconds / 60:.1f} minutes. `./fleetbook bench scale` calculates from it.")
