"""What 1,000 to 10 million runs a day need on each path, from the measured costs; and where each path ends.

    ./fleetbook bench scale [--from=docs/benchmarks.json] [--to=FILE]

A calculation, no measurement: every number of the report is named, what goes beyond its sizes is called
extrapolated, and everything that is neither is an assumption in :data:`ASSUMED`, to be changed there.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNS_A_DAY = (1_000, 100_000, 10_000_000)
DAY_S, MONTH_DAYS = 86_400, 30
_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What nobody measured here: habits of a company, and prices of the list kind, in USD."""

    events_per_run: float = 14.4  # of the demo's company
    turns_per_run: float = 3.0  # each is one hold on a wallet
    texts_bytes_per_run: float = 6_000.0  # prompts, answers, results, compressed
    peak_factor: float = 5.0  # the busiest hour against the day's average
    kept_days: int = 365
    builds_a_day: int = 288  # every five minutes
    verifications_a_day: float = 1.0
    pages_a_day_per_1000_runs: float = 20.0
    cores_a_machine: int = 16
    most_cores_of_one_machine: int = 64
    most_disk_tb_of_one_machine: float = 16.0
    disk_gb_per_s: float = 0.5  # each build copies the warehouse file of the one before
    build_hours_at_most: float = 12.0  # a full build after a release
    used_share_of_a_core: float = 0.6  # planned load; the rest is for what was not planned
    spark_times_duckdb_cpu: float = 6.0  # of ten million events, measured once, not in the report
    core_hour_usd: float = 0.04
    disk_gb_month_usd: float = 0.08
    object_gb_month_usd: float = 0.023
    million_puts_usd: float = 5.0
    database_month_usd: float = 500.0  # a PostgreSQL primary and its standby


ASSUMED = Assumed()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Costs from a report: CPU in seconds, sizes in bytes."""

    run_cpu_s: float
    seal_cpu_s: float
    verify_cpu_s: float
    build_fixed_cpu_s: float
    build_event_cpu_s: float
    check_event_cpu_s: float
    page_cpu_s: float
    sealed_bytes: float
    mart_bytes: float
    sqlite_holds_per_s: float
    postgresql_holds_per_s: float | None

    @classmethod
    def read(cls, report: Mapping[str, object]) -> Measured:
        """From the JSON of a report. Raises KeyError for a figure that the report does not have."""
        told = report["figures"]
        assert isinstance(told, list)
        known: dict[str, float] = {one["key"]: float(one["value"]) for one in told if one["key"]}
        per_event = known["build_full_cpu_us"] * 1e-6
        held, came = known["build_full_events"], known["build_more_events"]
        more = known["build_more_cpu_s"]
        # Two builds on one line: what each costs, however little came, and what each event adds.
        slope = max((per_event * held - more) / (held - came), 0.0)
        return cls(
            run_cpu_s=known["run_cpu_ms"] * 1e-3,
            seal_cpu_s=known["seal_cpu_us"] * 1e-6,
            verify_cpu_s=known["verify_2_cpu_us"] * 1e-6,
            build_fixed_cpu_s=max(more - slope * came, 0.0),
            build_event_cpu_s=slope,
            check_event_cpu_s=known["check_cpu_us"] * 1e-6,
            page_cpu_s=known["page_cpu_ms"] * 1e-3,
            sealed_bytes=known["sealed_bytes"],
            mart_bytes=known["mart_bytes"],
            sqlite_holds_per_s=known["holds_per_s_sqlite"],
            postgresql_holds_per_s=known.get("holds_per_s_postgresql"),
        )


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a day of ``runs`` takes: CPU seconds by part, events, and gigabytes kept."""

    runs: int
    cpu_s: Mapping[str, float]
    events: float
    log_gb: float
    marts_gb: float
    full_build_cpu_h: float
    peak_holds_per_s: float

    @property
    def cores(self) -> float:
        """Cores for the busiest hour at the planned load; the nightly parts are spread over the day."""
        steady = ("build", "verify", "check")
        peaked = sum(cpu for name, cpu in self.cpu_s.items() if name not in steady) * ASSUMED.peak_factor
        nightly = sum(self.cpu_s[name] for name in steady)
        return (peaked + nightly) / DAY_S / ASSUMED.used_share_of_a_core


def need(cost: Measured, runs: int, *, build_factor: float = 1.0) -> Need:
    """The sums for ``runs`` a day; ``build_factor`` is the builder's CPU against DuckDB's."""
    events = runs * ASSUMED.events_per_run
    kept = events * ASSUMED.kept_days
    builds = ASSUMED.builds_a_day * cost.build_fixed_cpu_s + events * cost.build_event_cpu_s
    return Need(
        runs=runs,
        cpu_s={
            "runs": runs * cost.run_cpu_s,
            "seal": events * cost.seal_cpu_s,
            "build": builds * build_factor,
            "verify": kept * cost.verify_cpu_s * ASSUMED.verifications_a_day,
            "check": kept * cost.check_event_cpu_s / MONTH_DAYS,
            "pages": runs / 1000 * ASSUMED.pages_a_day_per_1000_runs * cost.page_cpu_s,
        },
        events=events,
        log_gb=(kept * cost.sealed_bytes + runs * ASSUMED.kept_days * ASSUMED.texts_bytes_per_run) / 1e9,
        marts_gb=kept * cost.mart_bytes / 1e9,
        full_build_cpu_h=kept * cost.build_event_cpu_s * build_factor / 3600,
        peak_holds_per_s=runs * ASSUMED.turns_per_run * ASSUMED.peak_factor / DAY_S,
    )


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to run it, priced for one size; ``ends`` are the limits that this size is beyond."""

    name: str
    machines: str
    month_usd: float
    ends: tuple[str, ...]


def one_machine(cost: Measured, told: Need) -> Way:
    """SQLite, local disk, one builder; backup doubles the disk."""
    disk_gb = 2 * (told.log_gb + told.marts_gb)
    cores = max(2, math.ceil(told.cores))
    ends = _beyond(
        (told.cores > ASSUMED.most_cores_of_one_machine, f"needs {told.cores:,.0f} cores"),
        (disk_gb > 1000 * ASSUMED.most_disk_tb_of_one_machine, f"needs {disk_gb / 1000:,.0f} TB of disk"),
        (
            told.peak_holds_per_s > cost.sqlite_holds_per_s,
            f"SQLite gives {cost.sqlite_holds_per_s:,.0f} holds a second, the busiest hour asks "
            f"{told.peak_holds_per_s:,.0f}",
        ),
        (
            told.full_build_cpu_h > ASSUMED.build_hours_at_most,
            f"a full build takes {told.full_build_cpu_h:,.0f} CPU hours of one builder",
        ),
        *_generation(told),
    )
    usd = _cores_usd(cores) + disk_gb * ASSUMED.disk_gb_month_usd
    return Way(name="One machine", machines=f"1 machine of {cores} cores", month_usd=usd, ends=ends)


def several_machines(cost: Measured, told: Need, *, on_spark: bool = False) -> Way:
    """PostgreSQL, the log on S3, runners side by side; the tables built by one of them, or on Spark."""
    machines = max(3, math.ceil(told.cores / ASSUMED.cores_a_machine))
    objects_gb = told.log_gb + told.marts_gb
    puts = told.events / 10_000 * MONTH_DAYS + machines * DAY_S * MONTH_DAYS / 60
    gate = cost.postgresql_holds_per_s
    ends = _beyond(
        (
            gate is not None and told.peak_holds_per_s > gate,
            f"one PostgreSQL gave {gate or 0:,.0f} holds a second here, the busiest hour asks "
            f"{told.peak_holds_per_s:,.0f}; Fleetbook does not spread wallets over several stores",
        ),
        *_generation(told),
    )
    usd = (
        _cores_usd(machines * ASSUMED.cores_a_machine)
        + ASSUMED.database_month_usd
        + objects_gb * ASSUMED.object_gb_month_usd
        + puts / 1e6 * ASSUMED.million_puts_usd
    )
    name = (
        "The same with builds on Spark, which this release cannot do yet"
        if on_spark
        else "Several machines on S3 and PostgreSQL"
    )
    words = f"{machines} machines of {ASSUMED.cores_a_machine} cores, PostgreSQL, S3"
    return Way(name=name, machines=words, month_usd=usd, ends=ends)


def _generation(told: Need) -> Sequence[tuple[bool, str]]:
    """On every path the pages read one DuckDB file, which is copied and replaced by each build."""
    copy_s, interval_s = told.marts_gb / ASSUMED.disk_gb_per_s, DAY_S / ASSUMED.builds_a_day
    return (
        (
            copy_s > interval_s,
            f"copying the {told.marts_gb:,.0f} GB of a generation takes {copy_s:,.0f} s, builds come every "
            f"{interval_s:,.0f} s: build less often, or keep fewer days",
        ),
    )


def _beyond(*limits: tuple[bool, str]) -> tuple[str, ...]:
    return tuple(words for is_beyond, words in limits if is_beyond)


def _cores_usd(cores: int) -> float:
    return cores * 24 * MONTH_DAYS * ASSUMED.core_hour_usd


def main(words: list[str]) -> None:
    """Print the page, or write it."""
    from tests.benchmarks._scale_page import page

    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="./fleetbook bench scale")
    parser.add_argument("--from", dest="report", type=Path, default=root / "docs" / "benchmarks.json")
    parser.add_argument("--to", type=Path, help="file to write, for example tests/benchmarks/scale.md")
    asked = parser.parse_args(words)
    text = page(json.loads(asked.report.read_text(encoding="utf-8")))
    if asked.to:
        asked.to.write_text(text, encoding="utf-8")
    else:
        print(text)


def paths(cost: Measured, runs: int) -> Sequence[Way]:
    """The three paths for ``runs`` a day."""
    told = need(cost, runs)
    spark = need(cost, runs, build_factor=ASSUMED.spark_times_duckdb_cpu)
    return (
        one_machine(cost, told),
        several_machines(cost, told),
        several_machines(cost, spark, on_spark=True),
    )
