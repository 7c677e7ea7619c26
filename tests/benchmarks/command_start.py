"""How long a command takes to start, with and without the launcher: wall time, min, median and max."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REPEATS = 15


def _milliseconds(command: list[str]) -> list[float]:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        times.append((time.perf_counter() - started) * 1000)
    return times


def main() -> None:
    """Print min / median / max in ms."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -m app.cli --version": [sys.executable, "-m", "app.cli", "--version"],
        "./fleetbook --version": [str(ROOT / "fleetbook"), "--version"],
        "./fleetbook --help": [str(ROOT / "fleetbook"), "--help"],
    }
    for name, command in commands.items():
        times = _milliseconds(command)
        print(f"{name:<30} {min(times):6.0f} {statistics.median(times):6.0f} {max(times):6.0f} ms")
