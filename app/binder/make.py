"""Makes a binder: the lines of a month as PDF, XLSX, CSV and JSON with a manifest, reproducible."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from app.binder.decide import Line, decide
from app.binder.facts import Facts, facts_of
from app.binder.requirements import Requirements, shipped
from app.checks.follow import answer_of
from app.checks.pack_report import pdf
from app.checks.results import Answer
from app.checks.stored import json_bytes
from app.errors import BinderError
from app.export import formats
from ingest.workspace import Workspace
from runner.control.core import Core
from runner.control.months import company_zone, last_day, month_text
from runner.errors import RegistryNotApplied

TEMPLATE = Path(__file__).with_name("binder.typ")
LINES_NAME = "binder.json"
MANIFEST_NAME = "manifest.json"
REPORT_NAME = "binder.pdf"
_MEANINGS = {
    "requirement_id": "Id of the requirement in the binder.",
    "article": "Article and paragraphs of Regulation (EU) 2024/1689.",
    "binds": "Whom the article binds: provider, deployer, or both.",
    "title": "What the requirement is about.",
    "asks": "What it asks, in our words; the Regulation's text decides.",
    "result": "EVIDENCE: answered and nothing is missing. GAP: something is missing. NOT OURS: another role.",
    "evidence": "Checks, events and statements that answer it.",
    "gap": "What is missing; empty when nothing is.",
    "owner_id": "Person who answers for it; empty: nobody, which is a gap.",
    "limit": "What the evidence does not show.",
    "applies_from": "From when the company holds the duty to apply.",
    "iso_42001": "Where ISO/IEC 42001:2023 asks for the like.",
    "nist_ai_rmf": "Where the NIST AI RMF 1.0 asks for the like.",
    "soc_2": "Trust services criteria (2017) that ask for the like.",
}


@dataclass(frozen=True, kw_only=True)
class Binder:
    """A binder as made: its lines, its place, the SHA-256 of its manifest, and the dates it names."""

    month: dt.date
    lines: tuple[Line, ...]
    place: Path
    content_sha256: str
    applies: tuple[str, ...]
    is_demo: bool

    @property
    def gap_count(self) -> int:
        """How many requirements have a gap."""
        return sum(line.word == "GAP" for line in self.lines)


def folder_of(workspace: Workspace, month: dt.date) -> Path:
    """Where the workspace keeps the binder of a month."""
    return workspace.root / "binder" / month_text(month)


def make_binder(control: Core, month: dt.date, place: Path | None = None) -> Binder:
    """Decide every requirement for ``month`` and write the binder; the log records that it was made.

    Rests on the kept answer of the month's check. Raises CheckError without one, BinderError when it cannot
    be written, SegmentError.
    """
    workspace = control.workspace
    answer, asked = answer_of(workspace, month), shipped()
    events = sorted({name for one in asked.requirements for name in one.events})
    facts = facts_of(workspace, month, company_zone(control), events, is_demo=answer.is_demo)
    lines = tuple(decide(one, answer, facts) for one in asked.requirements)
    folder = place or folder_of(workspace, month)
    applies = applies_from(asked, facts)
    sha256 = _write(folder, lines, answer, asked, applies, _company(control))
    made = Binder(
        month=month,
        lines=lines,
        place=folder,
        content_sha256=sha256,
        applies=applies,
        is_demo=answer.is_demo,
    )
    with control.store.write() as tx:
        tx.emit(
            "binder_made",
            check_month=month_text(month),
            content_sha256=sha256,
            row_count=made.gap_count,
        )
    control.relay.flush()
    return made


def applies_from(asked: Requirements, facts: Facts) -> tuple[str, ...]:
    """The day the company plans with, or what is told of it: never a date of ours."""
    settings = facts.settings
    if settings.high_risk_from is not None:
        return (f"{settings.high_risk_from} (set by the company; {settings.high_risk_from_source})",)
    return (
        "not set by the company (oversight.ai_act.high_risk_from)",
        *(f"{told.first_date}: {told.what}" for told in asked.dates),
    )


def table(lines: Sequence[Line], applies: Sequence[str]) -> pl.DataFrame:
    """One row per requirement."""
    rows = [
        {
            "requirement_id": line.requirement.id,
            "article": line.requirement.article,
            "binds": line.requirement.who,
            "title": line.requirement.title,
            "asks": line.requirement.asks,
            "result": line.word,
            "evidence": "; ".join(line.evidence),
            "gap": "; ".join(line.gaps),
            "owner_id": line.owner_id,
            "limit": line.requirement.limit,
            "applies_from": applies[0],
            "iso_42001": "; ".join(line.requirement.cross.iso42001),
            "nist_ai_rmf": "; ".join(line.requirement.cross.nist),
            "soc_2": "; ".join(line.requirement.cross.soc2),
        }
        for line in lines
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(_MEANINGS, pl.String))


def sentence(lines: Sequence[Line]) -> str:
    """The binder in one sentence."""
    counts = Counter(line.word for line in lines)
    ours = len(lines) - counts["NOT OURS"]
    return (
        f"Of {ours} requirements {counts['EVIDENCE']} have evidence and an owner, {counts['GAP']} have a gap"
        + (f"; {counts['NOT OURS']} bind another role." if counts["NOT OURS"] else ".")
    )


def _write(
    folder: Path,
    lines: Sequence[Line],
    answer: Answer,
    asked: Requirements,
    applies: Sequence[str],
    company: str,
) -> str:
    """Write every file and the manifest; returns its SHA-256."""
    if folder.exists() and any(folder.iterdir()) and not (folder / LINES_NAME).exists():
        raise BinderError(f"No binder made: {folder} holds something else. Name another folder with --out.")
    making = folder.parent / f".{folder.name}.making"
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        _fill(making, lines, answer, asked, applies, company)
        sha256 = _manifest(making, answer, asked, company)
        shutil.rmtree(folder, ignore_errors=True)
        making.rename(folder)
    except OSError as error:
        raise BinderError(
            f"No binder made: {error.strerror or error} ({folder}). "
            "Free space or correct the folder's rights, then make it again."
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return sha256


def _fill(
    folder: Path,
    lines: Sequence[Line],
    answer: Answer,
    asked: Requirements,
    applies: Sequence[str],
    company: str,
) -> None:
    frame = table(lines, applies)
    created = dt.datetime.combine(last_day(answer.month), dt.time())
    formats.write([frame], folder / "requirements.csv", "csv", _MEANINGS)
    formats.write([frame], folder / "requirements.xlsx", "xlsx", _MEANINGS, created=created)
    told = {
        "month": month_text(answer.month),
        "sentence": sentence(lines),
        "applies": list(applies),
        "is_demo": answer.is_demo,
        "lines": frame.to_dicts(),
    }
    (folder / LINES_NAME).write_bytes(json_bytes(told))
    (folder / REPORT_NAME).write_bytes(
        pdf(_report(lines, answer, asked, applies, company), answer.month, TEMPLATE)
    )


def _report(
    lines: Sequence[Line], answer: Answer, asked: Requirements, applies: Sequence[str], company: str
) -> dict[str, object]:
    last = last_day(answer.month)
    root = f"manifest lines {answer.checkpoint_size}, root {answer.checkpoint_root}"
    return {
        "title": f"EU AI Act binder, {answer.month:%B %Y}",
        "company": company,
        "date": [last.year, last.month, last.day],
        "footer": f"{company} · EU AI Act binder {answer.month:%Y-%m} · evidence, not a certificate",
        "is_demo": answer.is_demo,
        "sentence": sentence(lines),
        "regulation": asked.regulation,
        "applies": list(applies),
        "rests": [
            f"Requirements version {asked.version}, in our words; the Regulation's text decides.",
            f"The check of {answer.month:%Y-%m}: {'verified' if answer.is_verified else 'NOT verified'} log.",
            f"Signed checkpoint: {root}." if answer.checkpoint_root else "No checkpoint was signed.",
            "Whether a system is of high risk, and which duties bind the company, is for people to decide.",
        ],
        "lines": [
            {
                "id": line.requirement.id,
                "article": line.requirement.article,
                "who": line.requirement.who,
                "title": line.requirement.title,
                "asks": line.requirement.asks,
                "word": line.word,
                "evidence": list(line.evidence),
                "gaps": list(line.gaps),
                "owner": line.owner_id or "nobody: a gap",
                "limit": line.requirement.limit,
                "cross": _cross(line),
            }
            for line in lines
        ],
    }


def _cross(line: Line) -> str:
    cross = line.requirement.cross
    parts = (("ISO/IEC 42001", cross.iso42001), ("NIST AI RMF", cross.nist), ("SOC 2", cross.soc2))
    return " · ".join(f"{name} {', '.join(ids)}" for name, ids in parts if ids) or "none"


def _manifest(folder: Path, answer: Answer, asked: Requirements, company: str) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    content = json_bytes(
        {
            "month": month_text(answer.month),
            "company": company,
            "requirements_version": asked.version,
            "checkpoint_size": answer.checkpoint_size,
            "checkpoint_root": answer.checkpoint_root,
            "files": [
                {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in files
            ],
        }
    )
    (folder / MANIFEST_NAME).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


class Told(msgspec.Struct, frozen=True):
    """A binder as its JSON says."""

    month: str
    sentence: str
    applies: tuple[str, ...]
    is_demo: bool
    lines: tuple[dict[str, str | None], ...]


def read_binder(workspace: Workspace, month: dt.date) -> Told | None:
    """The binder that is kept for ``month``, None without one. Raises BinderError."""
    file = folder_of(workspace, month) / LINES_NAME
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Told)
    except (OSError, msgspec.MsgspecError) as error:
        raise BinderError(
            f"Binder not readable: {file} ({type(error).__name__}: {error}). "
            f"Make it again with `fleetbook binder --month {month_text(month)}`."
        ) from error


def _company(control: Core) -> str:
    try:
        return control.registry().company.name
    except RegistryNotApplied:
        return "Company without a registry"
