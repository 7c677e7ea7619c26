"""The evidence pack of a month: report, findings, rows, queries and answer, and a manifest over all of them.

The same answer over the same log gives the same bytes: nothing in it says when or where it was made.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from app.checks import pack_verify
from app.checks.pack_report import Beside, pdf, report_json
from app.checks.pack_tables import Tables, read_tables
from app.checks.results import Answer
from app.checks.stored import answer_json, json_bytes
from app.errors import CheckError, PackRefused
from app.export import formats
from app.warehouse import Scoped
from runner.control.months import last_day, month_text

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1
_EXACT: tuple[formats.Format, ...] = ("csv", "parquet")
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One evidence pack: where it lies, its month, the SHA-256 of its manifest, how many files that names."""

    place: Path
    month: str
    content_sha256: str
    file_count: int


class _Node(msgspec.Struct):
    resource_type: str
    compiled_code: str | None = None


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node]


def write_pack(answer: Answer, scoped: Scoped, place: Path, beside: Beside) -> Pack:
    """Write the pack of ``answer`` into the folder ``place``, or into a zip file where it ends with .zip.

    ``scoped`` is the generation that the answer was decided on. A pack of the same month that lies there is
    replaced. Raises PackRefused when something else lies there, CheckError when it cannot be written.
    """
    _refuse_foreign(place, answer.month)
    making = place.parent / f".{place.name}.making"
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        pack = _fill(answer, scoped, making, beside)
        if place.suffix == ".zip":
            _zip(making, place)
        else:
            shutil.rmtree(place, ignore_errors=True)
            making.rename(place)
    except OSError as error:
        raise CheckError(
            f"No pack made: {error.strerror or error} ({place}). "
            "Free space or correct the folder's rights, then make it again."
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return replace(pack, place=place)


def read_pack(place: Path) -> Pack:
    """The pack in the folder ``place``, after every file was compared with its manifest.

    Raises PackRefused when it is not what was made, CheckError when there is none.
    """
    try:
        manifest = json.loads((place / MANIFEST_NAME).read_bytes())
        found = [*pack_verify.wrong_files(place, manifest), *pack_verify.wrong_results(place)]
        month, count = str(manifest["month"]), len(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckError(
            f"No pack in {place}: {type(error).__name__}: {error}. "
            "Make it with `fleetbook check --month <month>`."
        ) from error
    if found:
        raise PackRefused(
            f"The pack in {place} is not what was made: {' '.join(found[:5])} "
            "Make it again with `fleetbook check --month <month>` and look for who changed it."
        )
    sha256 = pack_verify.digest(place / MANIFEST_NAME)
    return Pack(place=place, month=month, content_sha256=sha256, file_count=count)


def _fill(answer: Answer, scoped: Scoped, folder: Path, beside: Beside) -> Pack:
    tables = read_tables(answer, scoped, beside.cases, beside.waivers)
    report = report_json(answer, tables, beside)
    (folder / "report.pdf").write_bytes(pdf(report, answer.month))
    (folder / "checks.json").write_bytes(json_bytes(answer_json(answer)))
    (folder / "verify.py").write_bytes(Path(pack_verify.__file__).read_bytes())
    _write_findings(answer, tables, folder)
    _write_rows(tables, folder / "rows")
    _write_sql(answer, scoped, folder / "sql")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "version": MANIFEST_VERSION,
        "month": month_text(answer.month),
        "company": beside.company,
        "checkpoint_size": answer.checkpoint_size,
        "checkpoint_root": answer.checkpoint_root,
        "files": [
            {
                "name": path.relative_to(folder).as_posix(),
                "size_bytes": path.stat().st_size,
                "sha256": pack_verify.digest(path),
            }
            for path in files
        ],
    }
    content = json_bytes(manifest)
    (folder / MANIFEST_NAME).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return Pack(place=folder, month=month_text(answer.month), content_sha256=sha256, file_count=len(files))


def _write_findings(answer: Answer, tables: Tables, folder: Path) -> None:
    created = dt.datetime.combine(last_day(answer.month), dt.time())
    frame = tables.findings
    for format_ in _EXACT:
        formats.write([frame], folder / f"findings.{format_}", format_, tables.meanings)
    if frame.height <= formats.XLSX_MAX_ROWS:  # otherwise the report says where the rest is: in the other two
        formats.write([frame], folder / "findings.xlsx", "xlsx", tables.meanings, created=created)


def _write_rows(tables: Tables, folder: Path) -> None:
    folder.mkdir()
    frames = {
        "check_counts": tables.counts,
        "agents_at_risk": tables.agents,
        "approvals_of_agents_at_risk": tables.approvals,
        "consequential_calls_of_agents_at_risk": tables.calls,
    }
    for name, frame in frames.items():
        for format_ in _EXACT:
            formats.write([frame], folder / f"{name}.{format_}", format_, {})


def _write_sql(answer: Answer, scoped: Scoped, folder: Path) -> None:
    """The query of each check, as the generation's dbt manifest has it compiled."""
    folder.mkdir()
    try:
        raw = (scoped.warehouse.path / MANIFEST_NAME).read_bytes()
        nodes = msgspec.json.decode(raw, type=_Manifest).nodes
    except (OSError, msgspec.MsgspecError) as error:
        raise CheckError(
            f"No pack made: the queries of build {scoped.warehouse.build_id} cannot be read ({error}). "
            "Run `fleetbook check` again."
        ) from error
    by_name = {name.rpartition(".")[2]: node for name, node in nodes.items() if node.resource_type == "model"}
    for result in answer.results:
        node = by_name.get(f"chk_{result.check_id.lower().replace('-', '_')}")
        if node is not None and node.compiled_code:
            (folder / f"{result.check_id}.sql").write_text(node.compiled_code, encoding="utf-8")


def _refuse_foreign(place: Path, month: dt.date) -> None:
    """Raise PackRefused unless nothing lies at ``place``, or a pack of the same month."""
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return
    try:
        if place.suffix == ".zip":
            with zipfile.ZipFile(place) as archive:
                told = json.loads(archive.read(MANIFEST_NAME))
        else:
            told = json.loads((place / MANIFEST_NAME).read_bytes())
        if told["month"] == month_text(month):
            return
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        pass
    raise PackRefused(
        f"No pack made: {place} holds something other than a pack of {month_text(month)}. "
        "Name another folder, or remove it yourself."
    )


def _zip(folder: Path, place: Path) -> None:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
