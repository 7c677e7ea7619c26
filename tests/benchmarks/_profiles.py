"""Where the time of the three hottest paths goes, by function: a span taken in, an event kept, a run."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.log.checkpoint import notarise
from ingest.log.verify import verify
from ingest.log.writer import LogWriter, utc_now
from ingest.payload_rules import ContentRules
from ingest.receivers.decode import decode_protobuf
from ingest.receivers.intake import prepare, write_out
from ingest.receivers.tokens import create_token
from ingest.workspace import Workspace
from tests.benchmarks.log import tool_call
from tests.benchmarks.runner import DISK, governed
from tests.otlp_load import SPANS_PER_RUN, Template
from tests.runner_company import company

SHOWN = 8
REQUESTS, RUNS_PER_REQUEST = 60, 8
EVENTS, BATCH = 40_000, 100
RUNS = 60
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One function: its share of the path's time without what it calls, and how often it was called."""

    function: str
    share: float
    calls: int


@dataclass(frozen=True, kw_only=True)
class HotPath:
    """One hot path: microseconds per ``unit`` under the profiler, its dearest functions, what was done."""

    name: str
    unit: str
    microseconds: float
    lines: tuple[Line, ...]
    done: str


def profiles() -> list[HotPath]:
    """All three, measured now."""
    with tempfile.TemporaryDirectory(dir=DISK) as name:
        folder = Path(name)
        return [_spans(folder), _events(folder), _runs(folder)]


def _spans(folder: Path) -> HotPath:
    workspace = Workspace.create(folder / "spans")
    with LogWriter(workspace, recorded_via="otlp", process_name="bench") as writer:
        token = create_token(
            workspace,
            writer,
            team_id="support",
            label="bench",
            content_capture="off",
            person_id=None,
            now=utc_now(),
        ).token
        rules, template = ContentRules(workspace), Template(RUNS_PER_REQUEST)
        bodies = [template.fresh()[0] for _ in range(REQUESTS)]

        def work() -> None:
            for body in bodies:
                batch = prepare(decode_protobuf("traces", body), token, rules, span_bytes=1 << 20)
                written = write_out([batch], utc_now())
                writer.append(written.events, written.payloads)

        return _profiled(
            "A span taken in: decoded, its texts taken out, encoded, chained, on the device",
            "span",
            work,
            REQUESTS * RUNS_PER_REQUEST * SPANS_PER_RUN,
            "Spans of a trace are one event (decision 15), bodies are written by an encoder made from the "
            "contract, patterns of secrets are RE2's and only looked for where a text may hold one, requests "
            "are parsed by httptools, and several requests share one sync.",
        )


def _events(folder: Path) -> HotPath:
    workspace = Workspace.create(folder / "events")

    def work() -> None:
        with LogWriter(workspace, recorded_via="runner", process_name="bench") as writer:
            for first in range(0, EVENTS, BATCH):
                writer.append([tool_call(number) for number in range(first, first + BATCH)])  # type: ignore[misc]
        notarise(workspace)
        verify(workspace, 2)

    return _profiled(
        "An event kept: checked, encoded, chained, sealed in Parquet, verified at level 2",
        "event",
        work,
        EVENTS,
        "Bodies are written by an encoder made from the contract, appends that come together share one sync, "
        "and the verification checks sealed files side by side.",
    )


def _runs(folder: Path) -> HotPath:
    control = company(
        Workspace.create(folder / "runs"),
        ('window: month, cap_usd: "50.00"', 'window: month, cap_usd: "5000.00"'),
    )
    found = _profiled(
        "A run played: three turns and four tool calls, held, journalled, settled, relayed",
        "run",
        lambda: asyncio.run(governed(control, RUNS, 20)),
        RUNS,
        "Statements are prepared once per process, agents and model clients are built once per version, runs "
        "that are played side by side share the sync of the log, and state and events are one transaction.",
    )
    control.close()
    return found


def _profiled(name: str, unit: str, work: Callable[[], object], count: int, done: str) -> HotPath:
    profile = cProfile.Profile()
    profile.runcall(work)
    stats = pstats.Stats(profile)
    whole: float = stats.total_tt  # type: ignore[attr-defined]  # pstats states it, its stubs do not
    entries = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:SHOWN]  # type: ignore[attr-defined]
    lines = tuple(
        Line(function=_named(*where), share=spent / whole, calls=calls)
        for where, (_, calls, spent, _, _) in entries
    )
    return HotPath(name=name, unit=unit, microseconds=whole / count * 1e6, lines=lines, done=done)


def _named(file: str, line: int, function: str) -> str:
    """The function with its file below the repository, or its package; what is written in C by its name."""
    path = Path(file)
    if "site-packages" in path.parts:
        return f"{'/'.join(path.parts[path.parts.index('site-packages') + 1 :])} {function}"
    if path.is_relative_to(_ROOT):
        return f"{path.relative_to(_ROOT)} {function}"
    return function if line == 0 else f"{path.name} {function}"
