"""The README is run: a newcomer's own workspace first, then the five flows in it, each command as printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tau2_files import document, good, write

ROOT = Path(__file__).resolve().parent.parent
OPENS_PAGES = {"serve", "demo"}  # they run until Ctrl-C; tests of the pages and of the demo start them


def blocks(part: str) -> list[str]:
    """The commands of all ```sh blocks below the heading ``part``, up to the next one of its level."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.split(r"(?m)^## ", text.split(f"## {part}\n")[1])[0]
    lines = "".join(re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)).splitlines()
    return [line for line in lines if line.strip()]


class Newcomer:
    """Types what the README says, in an empty folder."""

    def __init__(self, folder: Path, source: Path):
        self.folder = folder
        self.blanks = {"<file>": str(source)}
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.environment.pop("FLEETBOOK_HOME", None)

    def types(self, line: str) -> str:
        """Run one line of the README; returns what it printed. Fails unless it ends with 0."""
        words = [self.blanks.get(word, word) for word in shlex.split(line)]
        assert words[0] == "./fleetbook"
        if words[1] in OPENS_PAGES:
            return ""
        command = [sys.executable, "-P", "-m", "app.cli", *words[1:]]
        result = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
        waiting = re.search(r"fleetbook approve (\S+)", result.stdout)
        if waiting:
            self.blanks["<approval>"] = waiting.group(1)
        return result.stdout


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    """In an empty folder, with one real result file, or a made one where shared/ is missing."""
    real = ROOT.parent / "shared" / "data" / "real" / "tau2" / "gpt-4.1_airline.json.gz"
    if not real.exists():
        real = write(tmp_path / "made.json", document(good()))
    return Newcomer(tmp_path, real)


def test_the_readme_leads_from_an_empty_folder_to_ones_own_runs_and_through_the_five_flows(
    newcomer: Newcomer,
) -> None:
    for line in blocks("Your own runs in five minutes"):
        newcomer.types(line)
    newcomer.environment["FLEETBOOK_HOME"] = "mine"
    printed = {line: newcomer.types(line) for line in blocks("Five flows")}
    assert "completed" in printed['./fleetbook run refund-agent "Refund order W-2208, 60 USD" --as jon-vass']
    parked = './fleetbook run refund-agent "Refund order W-2211, 240 USD" --as jon-vass'
    assert "waits for a person" in printed[parked]
    assert "completed" in printed["./fleetbook worker --once"]
    assert list((newcomer.folder / "mine" / "exports").rglob("*.csv"))
    assert "Nothing was found" in printed["./fleetbook verify"]
