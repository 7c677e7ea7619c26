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
RUNS = 96  # of a mebibyte each
ROOM = 56 * MEBIBYTE  # twenty runs are looked at together to tell the format

READ = """
import re, resource, sys
from pathlib import Path
from ingest.importers.intake import Intent, examine

room = int(sys.argv[2])
used = int(re.search(r"VmData:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + room, used + room))
try:
    bytes(2 * room)
except MemoryError:
    report = examine(Intent(format_name="auto", files=(Path(sys.argv[1]),)))
    print(sum(one.seen for one in report.files))
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere RLIMIT_DATA does not bound what is mapped")
@pytest.mark.parametrize(("make", "name"), [(our_lines, "runs.jsonl"), (inspect_log, "log.eval")])
def test_a_file_larger_than_the_memory_there_is_is_read_to_its_end(
    make: Callable[[Path, int], Path], name: str, tmp_path: Path, repository: Path
) -> None:
    path = make(tmp_path / name, RUNS)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), str(ROOM)], capture_output=True, text=True, cwd=repository
    )
    assert (done.stdout, done.stderr) == (f"{RUNS}\n", "")
