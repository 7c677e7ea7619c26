"""The report of benchmarks and what is calculated from it: numbers by hand, pages that say what they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks._figures import Figure, keeping, note, peer
from tests.benchmarks._profiles import HotPath, Line
from tests.benchmarks._report import Machine, Report
from tests.benchmarks._scale_page import page as scale_page
from tests.benchmarks._written import number, write
from tests.benchmarks.scale import ASSUMED, Measured, need, one_machine, paths

COST = Measured(
    run_cpu_s=0.01,
    seal_cpu_s=1e-5,
    verify_cpu_s=2e-6,
    build_fixed_cpu_s=4.0,
    build_event_cpu_s=3e-5,
    check_event_cpu_s=1e-5,
    page_cpu_s=0.2,
    sealed_bytes=200.0,
    mart_bytes=100.0,
    sqlite_holds_per_s=500.0,
    postgresql_holds_per_s=1500.0,
)


def figures() -> list[Figure]:
    """The figures of a small report, as JSON has them under their keys."""
    told = {
        "run_cpu_ms": 10.0,
        "seal_cpu_us": 10.0,
        "verify_2_cpu_us": 2.0,
        "check_cpu_us": 10.0,
        "page_cpu_ms": 200.0,
        "sealed_bytes": 200.0,
        "mart_bytes": 100.0,
        "holds_per_s_sqlite": 500.0,
        # 4 s however little came and 30 µs each: 200,000 events in 10 s, 20,000 in 4.6 s.
        "build_full_cpu_us": 50.0,
        "build_full_events": 200_000.0,
        "build_more_events": 20_000.0,
        "build_more_cpu_s": 4.6,
    }
    plain = [Figure(bench="log", name=key, value=value, unit="", key=key) for key, value in told.items()]
    return [*plain, Figure(bench="log", name="appends", value=30.0, unit="1/s", beside=peer("SQLite", 10.0))]


def report() -> Report:
    """A report without a measurement."""
    machine = Machine(cores=2, processor="a processor", memory_gib=8.0, system="L", python="3.12", load=3.0)
    path = HotPath(
        name="A path",
        unit="run",
        microseconds=5.0,
        lines=(Line(function="f", share=0.5, calls=2),),
        done="much",
    )
    return Report(
        measured_at="2026-11-04 09:00 UTC",
        release="1",
        size="small",
        machine=machine,
        figures=figures(),
        profiles=[path],
        left_out={"spark": "there is no Spark here"},
    )


def test_costs_of_a_build_are_the_line_through_two_measured_ones() -> None:
    read = Measured.read(json.loads(report().as_json()))
    assert (round(read.build_fixed_cpu_s, 9), round(read.build_event_cpu_s * 1e6, 6)) == (4.0, 30.0)
    assert read.postgresql_holds_per_s is None


def test_what_a_day_needs_is_the_sum_of_its_parts() -> None:
    told = need(COST, 100_000)
    # 14.4 events a run; 288 builds of 4 s and 30 µs an event; 365 days verified each day.
    assert told.events == pytest.approx(1_440_000)
    assert told.cpu_s["runs"] == pytest.approx(1_000)
    assert told.cpu_s["build"] == pytest.approx(288 * 4 + 1_440_000 * 3e-5)
    assert told.cpu_s["verify"] == pytest.approx(1_440_000 * 365 * 2e-6)
    assert told.log_gb == pytest.approx((1_440_000 * 200 + 100_000 * 6_000) * 365 / 1e9)
    assert told.peak_holds_per_s == pytest.approx(100_000 * 3 * 5 / 86_400)


def test_a_path_ends_where_a_measured_rate_is_not_enough() -> None:
    assert one_machine(COST, need(COST, 100_000)).ends == ()
    (ended, *_) = paths(COST, 10_000_000)
    assert any("SQLite gives 500 holds a second" in words for words in ended.ends)
    assert not one_machine(replace(COST, sqlite_holds_per_s=10**6), need(COST, 1_000)).ends


def test_the_page_of_a_calculation_says_what_is_measured_and_what_assumed() -> None:
    text = scale_page(json.loads(report().as_json()))
    assert "| run_cpu_s | 0.01 | measured |" in text
    assert f"| kept_days | {ASSUMED.kept_days} | assumed |" in text
    assert "extrapolated" in text
    assert "| postgresql_holds_per_s | not measured | measured |" not in text


def test_a_report_is_written_as_page_data_and_charts(tmp_path: Path) -> None:
    written = {path.name: path for path in write(report(), tmp_path)}
    assert set(written) == {"bench_log.svg", "benchmarks.json", "benchmarks.md"}
    text = written["benchmarks.md"].read_text(encoding="utf-8")
    assert "| appends | 30 1/s | SQLite: 10 | 3 |" in text
    assert "The machine was busy with other work (load 3.0" in text
    assert "Not measured: Spark: there is no Spark here." in text
    assert b"<svg" in written["bench_log.svg"].read_bytes()


def test_the_committed_calculation_is_that_of_the_committed_report(repository: Path) -> None:
    told = json.loads((repository / "docs" / "benchmarks.json").read_text(encoding="utf-8"))
    committed = (repository / "tests" / "benchmarks" / "scale.md").read_text(encoding="utf-8")
    assert committed == scale_page(told), "run `./fleetbook bench scale --to=tests/benchmarks/scale.md`"


def test_figures_are_kept_only_while_a_report_is_made() -> None:
    note("log", "before", 1, "s")
    with keeping() as kept:
        note("log", "inside", 2, "s", beside=peer("theirs", 0))
    assert [(one.name, one.ratio) for one in kept] == [("inside", None)]


def test_numbers_have_three_digits() -> None:
    assert [number(value) for value in (0, 0.01234, 12.345, 123_456)] == ["0", "0.0123", "12.3", "123,456"]
