"""Files larger than memory: what is read stays as small as one run, however many runs a file holds."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_import_fleetbook import line
from tests.test_import_inspect import log, sample

MEBIBYTE = 1 << 20
SENTENCE = "the order was paid on Monday and the customer asks for a refund "
TEXT = SENTENCE * (MEBIBYTE // len(SENTENCE))
FEW, MANY = 4, 96  # runs of a mebibyte each

READ = """
import resource, sys
from pathlib import Path
from ingest.importers.intake import Intent, examine
report = examine(Intent(format_name="auto", files=(Path(sys.argv[1]),)))
print(sum(one.seen for one in report.files), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def our_lines(path: Path, count: int) -> Path:
    """``count`` runs in our own schema, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            steps = [{"type": "message", "role": "user", "text": f"{number} {TEXT}"}]
            file.write(json.dumps(line(run_id=f"r-{number}", steps=steps)) + "\n")
    return path


def inspect_log(path: Path, count: int) -> Path:
    """An Inspect archive of ``count`` samples."""
    document = log()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(count):
            one = sample(id=f"s-{number}", metadata={"question": TEXT})
            archive.writestr(f"samples/s-{number}_epoch_1.json", json.dumps(one))
        archive.writestr("header.json", json.dumps({**document, "samples": None}))
    return path


def peak_of(path: Path, repository: Path) -> tuple[int, int]:
    """Runs in the file, and the most bytes that reading it took, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, cwd=repository, check=True
    )
    runs, kibibytes = done.stdout.split()
    return int(runs), int(kibibytes) * 1024


@pytest.mark.parametrize(("make", "name"), [(our_lines, "runs.jsonl"), (inspect_log, "log.eval")])
def test_reading_many_runs_takes_no_more_memory_than_reading_a_few(
    make: Callable[[Path, int], Path], name: str, tmp_path: Path, repository: Path
) -> None:
    few, least = peak_of(make(tmp_path / f"few-{name}", FEW), repository)
    many, most = peak_of(make(tmp_path / f"many-{name}", MANY), repository)
    assert (few, many) == (FEW, MANY)
    # A reader that holds the document would need 92 MiB more; measured were 1 to 3.
    assert most - least < 24 * MEBIBYTE
