"""docs/importing.md says what there is: formats, codes, keys, and examples that pass the check."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from ingest.importers.coverage import Coverage
from ingest.importers.formats import FORMATS
from ingest.importers.intake import Intent, examine
from ingest.importers.mapping import load_mappings
from ingest.workspace import Workspace
from tests.imported import write, write_lines


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "importing.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_each_format_has_its_row(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ", page, re.MULTILINE)
    assert rows[: len(FORMATS)] == list(FORMATS)


def test_each_warning_has_its_row(page: str, tmp_path: Path) -> None:
    codes = set(re.findall(r"^\| `(\w+)` \| [^|]*\|$", page, re.MULTILINE))
    source = Path(inspect.getfile(Coverage)).read_text(encoding="utf-8")
    assert codes == set(re.findall(r'append\("(\w+)"\)', source))


def test_the_example_of_our_own_lines_passes_the_check(page: str, tmp_path: Path) -> None:
    (example,) = blocks(page, "json")
    path = write_lines(tmp_path / "runs.jsonl", json.loads(example))
    (report,) = examine(Intent(format_name="auto", files=(path,))).files
    assert (report.seen, report.quarantined) == (1, 0)


def test_the_python_example_writes_a_line_that_passes_the_check(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(page, "python")
    exec(example, {})
    (report,) = examine(Intent(format_name="fleetbook", files=(tmp_path / "runs.jsonl",))).files
    assert (report.seen, report.quarantined) == (1, 0)


def test_the_example_of_a_mapping_is_one(page: str, tmp_path: Path, workspace: Workspace) -> None:
    (example,) = blocks(page, "yaml")
    places = load_mappings(workspace, team=None, agent=None, mapping_file=write(tmp_path / "m.yaml", example))
    placed = places.place(source_agent="llm_agent", source_domain="airline", model="m", file="f")
    assert (placed.agent_id, placed.is_mapped) == ("refund-agent", True)


def test_the_words_of_unstated_are_those_of_the_schema(page: str, repository: Path) -> None:
    schema = json.loads((repository / "docs" / "run.schema.json").read_text(encoding="utf-8"))
    words = schema["$defs"]["Run"]["properties"]["unstated"]["items"]["enum"]
    line = next(line for line in page.splitlines() if line.startswith("- `unstated`"))
    assert set(words) == set(re.findall(r"`(\w+)`", line)) - {"unstated"}
