"""Exports: every file is complete or refused, the manifest says what is in it, formulas stay text."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from app.errors import ExportError, ExportRefused
from app.export import formats, manifest
from app.export.formats import FORMATS, Format
from app.export.manifest import Manifest
from app.export.package import Export, Order, Rows, create, past
from app.warehouse import Scope

NOW = dt.datetime(2026, 11, 22, 14, 5, 9, tzinfo=dt.UTC)
LEAD = Scope(person_id="ada", role_id="platform_lead", team_ids=None, own_only=False)
MARA = Scope(person_id="mara", role_id="team_manager", team_ids=("support",), own_only=False)
FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    '  =HYPERLINK("http://evil.test")',
    "'=1",
    "＝1",
]
HARMLESS = ["plain", "a=b", "1-2", "mail@host", 'Größe, "quoted"\nsecond line', ""]
ROWS = pl.DataFrame(
    {
        "run_id": [f"r{place}" for place in range(len(FORMULAS + HARMLESS))],
        "reason": FORMULAS + HARMLESS,
        "cost_usd": [Decimal("0.000000001") * place for place in range(14)] + [None],
        "ended_at": [NOW + dt.timedelta(seconds=place) for place in range(14)] + [None],
        "run_date": [NOW.date()] * 15,
        "turn_count": [*range(14), None],
        "is_success": [True, False, None] * 5,
    },
    schema_overrides={"cost_usd": pl.Decimal(18, 9), "ended_at": pl.Datetime("us", "UTC")},
)
MEANINGS = {name: f"What {name} means." for name in ROWS.columns}


class Journal:
    """Keeps the manifests whose export was recorded, and whether files were visible by then."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifests: list[Manifest] = []
        self.visible: list[list[str]] = []

    def __call__(self, made: Manifest) -> str:
        self.manifests.append(made)
        self.visible.append([path.name for path in self.folder.glob("[!.]*")])
        return f"event-{len(self.manifests)}"


def ordered(
    format_: Format, frame: pl.DataFrame = ROWS, scope: Scope = MARA, expected: int | None = None
) -> Order:
    return Order(
        scope=scope,
        mart="fct_runs",
        filters={"first_date": "2026-11-01"},
        is_demo=False,
        build_id="42",
        data_until=NOW,
        content=Rows(
            batches=[frame[:7], frame[7:]],
            row_count=frame.height if expected is None else expected,
            meanings=MEANINGS,
            format=format_,
        ),
        suffix=format_,
    )


def exported(folder: Path, format_: Format, **about: object) -> Export:
    export, event_id = create(ordered(format_, **about), folder, Journal(folder), NOW)  # type: ignore[arg-type]
    assert event_id == "event-1"
    return export


@pytest.mark.parametrize("format_", FORMATS)
def test_the_manifest_names_rows_build_filter_and_the_digest_of_the_file(
    format_: Format, tmp_path: Path
) -> None:
    export = exported(tmp_path, format_)
    told = json.loads(export.manifest_file.read_text())
    (entry,) = told["files"]
    content = export.data_file.read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert entry["size_bytes"] == len(content)
    assert (entry["row_count"], told["row_count"]) == (15, 15)
    assert (told["build_id"], told["filters"]) == ("42", {"first_date": "2026-11-01"})
    assert (told["person_id"], told["scope"]) == ("mara", "teams support")
    assert told["data_until"] == "2026-11-22T14:05:09+00:00"
    assert [column["name"] for column in told["columns"]] == ROWS.columns
    assert {column["meaning"] for column in told["columns"]} == set(MEANINGS.values())
    assert manifest.read(export.folder) == export.manifest
    assert hashlib.sha256(export.manifest_file.read_bytes()).hexdigest() == export.manifest.sha256
    assert manifest.differences(export.folder) == []


@pytest.mark.parametrize("format_", FORMATS)
def test_a_changed_or_missing_file_differs_from_its_manifest(format_: Format, tmp_path: Path) -> None:
    export = exported(tmp_path, format_)
    content = bytearray(export.data_file.read_bytes())
    content[len(content) // 2] ^= 1
    export.data_file.write_bytes(bytes(content))
    assert manifest.differences(export.folder) == [f"fct_runs.{format_} is not the file that was exported."]
    export.data_file.unlink()
    assert manifest.differences(export.folder) == [f"fct_runs.{format_} is missing."]


def test_a_spreadsheet_reads_no_formula_from_the_csv(tmp_path: Path) -> None:
    with exported(tmp_path, "csv").data_file.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = [row["reason"] for row in rows]
    assert told[: len(FORMULAS)] == [f"'{formula}" for formula in FORMULAS]
    assert told[len(FORMULAS) :] == HARMLESS
    assert [row["cost_usd"] for row in rows[:3]] == ["0.000000000", "0.000000001", "0.000000002"]
    assert rows[0]["ended_at"] == "2026-11-22T14:05:09.000000Z"
    assert rows[14]["cost_usd"] == rows[14]["turn_count"] == ""


def test_parquet_and_json_lines_hold_the_rows_exactly(tmp_path: Path) -> None:
    assert pl.read_parquet(exported(tmp_path / "p", "parquet").data_file).equals(ROWS)
    lines = exported(tmp_path / "j", "jsonl").data_file.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["reason"] for row in rows] == ROWS["reason"].to_list()
    assert [row["cost_usd"] for row in rows[:2]] == ["0.000000000", "0.000000001"]
    assert rows[14]["cost_usd"] is None


def cells(path: Path, sheet: int) -> list[list[tuple[str, str | None]]]:
    """Type and content of each cell of one sheet, as they stand in the XLSX file."""
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(path) as archive:
        root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml"))
        shared = []
        if "xl/sharedStrings.xml" in archive.namelist():
            strings = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
            shared = [
                "".join(text.text or "" for text in item.iter(f"{{{space['x']}}}t")) for item in strings
            ]
    found = []
    for row in root.iterfind(".//x:row", space):
        line: list[tuple[str, str | None]] = []
        for cell in row.iterfind("x:c", space):
            assert cell.find("x:f", space) is None, "a formula"
            kind = cell.get("t", "n")
            plain = cell.findtext("x:v", namespaces=space)
            if kind == "s" and plain is not None:
                plain = shared[int(plain)]
            elif kind == "inlineStr":
                plain = "".join(text.text or "" for text in cell.iter(f"{{{space['x']}}}t"))
            line.append((kind, plain))
        found.append(line)
    return found


def test_xlsx_is_typed_has_a_dictionary_and_no_formula(tmp_path: Path) -> None:
    path = exported(tmp_path, "xlsx").data_file
    head, first, *rest = cells(path, 1)
    assert [content for _, content in head] == ROWS.columns
    assert len(rest) == 14
    kinds = [kind for kind, _ in first]
    assert kinds[0] in ("s", "inlineStr")
    assert kinds[2:6] == ["n", "n", "n", "n"]
    assert kinds[6] == "b"
    told = [(line[1][1] or "").replace("_x000D_", "\r") for line in [first, *rest[:8]]]  # OOXML's own escape
    assert told == FORMULAS
    dictionary = cells(path, 2)
    assert [line[0][1] for line in dictionary[1:]] == ROWS.columns
    assert dictionary[1][2][1] == "What run_id means."


def test_xlsx_is_refused_before_it_would_cut_rows_or_text(tmp_path: Path) -> None:
    many = pl.DataFrame({"n": range(formats.XLSX_MAX_ROWS + 1)})
    with pytest.raises(ExportRefused, match="20,001 rows"):
        exported(tmp_path, "xlsx", frame=many)
    long = pl.DataFrame({"text": ["x" * (formats.XLSX_MAX_TEXT + 1)]})
    with pytest.raises(ExportRefused, match="32,768 characters"):
        exported(tmp_path, "xlsx", frame=long)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_do_not_match_their_count_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportRefused, match="15 rows were read and 16 were counted"):
        exported(tmp_path, "csv", expected=16)
    assert list(tmp_path.iterdir()) == []


def test_the_event_comes_before_the_files_and_without_it_there_are_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    export, _ = create(ordered("csv"), tmp_path, journal, NOW)
    assert journal.visible == [[]]
    assert journal.manifests == [export.manifest]

    def refuse(_made: Manifest) -> str:
        raise ExportRefused("Export refused: this person may not export.")

    with pytest.raises(ExportRefused):
        create(ordered("csv"), tmp_path, refuse, NOW)
    assert [path for path in tmp_path.iterdir() if path != export.folder] == []


def test_two_exports_of_the_same_second_lie_side_by_side(tmp_path: Path) -> None:
    first, second = (create(ordered("csv"), tmp_path, Journal(tmp_path), NOW)[0] for _ in range(2))
    assert first.folder != second.folder
    assert first.data_file.exists()
    assert second.data_file.exists()


def test_past_exports_are_ones_own_unless_one_sees_all_teams(tmp_path: Path) -> None:
    exported(tmp_path, "csv", scope=MARA)
    exported(tmp_path, "csv", scope=LEAD)
    assert [export.manifest.person_id for export in past(tmp_path, MARA)] == ["mara"]
    assert {export.manifest.person_id for export in past(tmp_path, LEAD)} == {"mara", "ada"}


def test_a_broken_manifest_is_named(tmp_path: Path) -> None:
    export = exported(tmp_path, "csv")
    export.manifest_file.write_text("{}")
    with pytest.raises(ExportError, match=r"manifest\.json is no export manifest"):
        past(tmp_path, LEAD)
