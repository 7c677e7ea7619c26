"""The soak in its short form: everything at once for minutes, and each component killed at least once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are read from /proc")
def test_what_was_acknowledged_outlives_the_death_of_every_component(
    repository: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", "2", "--kill-seconds", "12"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], cwd=repository, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    assert "Soaked: nothing lost, stuck, held or grown." in done.stdout
