"""What a decided month leads to: its answer is kept, failed checks become cases, and the pack is made."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from app.checks.pack import MANIFEST_NAME, Pack, read_pack, write_pack
from app.checks.pack_report import Beside, grid
from app.checks.pack_tables import Due, read_tables
from app.checks.pack_verify import digest
from app.checks.results import Answer, Result
from app.checks.stored import Stored, load, pack_folder, store
from app.checks.waivers import waivers_in_force
from app.errors import CheckError
from app.generations import PIN
from app.warehouse import Scope, Scoped, Warehouse
from ingest.workspace import Workspace
from runner.control import cases, signatures
from runner.control.cases import Case, Failed
from runner.control.core import Core
from runner.control.months import last_day, month_text
from runner.control.signatures import Signature
from runner.errors import RegistryNotApplied

_EVERYTHING = Scope(person_id="", role_id="", team_ids=None, own_only=False)


def keep(control: Core, answer: Answer, scoped: Scoped) -> list[Case]:
    """Keep ``answer`` as the last one of its month and see to a case for each check that needs one.

    These are the failed ones, and the findings: a critical check without data, a check that was not decided.

    ``scoped`` is the generation it was decided on, with every team; it stays, for a pack that is made later.
    Returns these cases.
    """
    workspace = control.workspace
    tables = read_tables(answer, scoped, {}, waivers_in_force(control, answer.month))
    place = scoped.warehouse.path
    before = load(workspace, answer.month)
    (place / PIN).touch()
    if before is not None and before.tables is not None and before.tables != place:
        (before.tables / PIN).unlink(missing_ok=True)
    store(workspace, answer, control.store.clock(), grid(answer, tables), place)
    failed = [result for result in answer.results if result.status == "FAIL" or result.is_finding]
    return cases.follow(control, month_text(answer.month), [_failed(one, answer, scoped) for one in failed])


def make_pack(control: Core, month: dt.date, place: Path | None = None) -> Pack:
    """Make the evidence pack from the kept answer, where the workspace keeps it unless ``place`` is named.

    Nothing is checked again. A signed pack that lies there is put aside as ``signed-<hash>``. Raises
    CheckError without an answer, WarehouseError when its tables are gone, PackRefused when something else
    lies at ``place``.
    """
    workspace = control.workspace
    stored = _stored(workspace, month)
    if stored.tables is None:
        raise CheckError(
            f"No pack made: the tables of the answer for {month_text(month)} were not kept. "
            f"Run `fleetbook check --month {month_text(month)}` again."
        )
    scoped = Warehouse.at(stored.tables).for_person(_EVERYTHING)
    beside = _beside(control, stored.answer)
    if place is not None:
        return write_pack(stored.answer, scoped, place, beside)
    folder = pack_folder(workspace, month)
    aside = _put_aside(control, folder)
    pack = write_pack(stored.answer, scoped, folder, beside)
    if aside is not None and aside == signed_folder(folder, pack.content_sha256):
        shutil.rmtree(aside)  # the same pack again: it lies where it lay
    return pack


def signed_folder(folder: Path, content_sha256: str) -> Path:
    """Where a signed pack is put aside when another one is made in ``folder``."""
    return folder.with_name(f"signed-{content_sha256[:12]}")


def _put_aside(control: Core, folder: Path) -> Path | None:
    """Move the pack in ``folder`` away when somebody signed it; returns where it lies then."""
    manifest = folder / MANIFEST_NAME
    if not manifest.exists():
        return None
    sha256 = digest(manifest)
    with control.store.read() as connection:
        is_signed = any(one.content_sha256 == sha256 for one in signatures.of_month(connection))
    aside = signed_folder(folder, sha256)
    if not is_signed or aside.exists():
        return None
    folder.rename(aside)
    return aside


def sign_pack(
    control: Core,
    month: dt.date,
    person_id: str,
    statement: str,
    *,
    is_second: bool = False,
    place: Path | None = None,
) -> Signature:
    """Sign the pack of ``month`` as it lies on disk, once every file agrees with its manifest.

    Raises CheckError when there is no pack or it is of another month, PackRefused when it was changed, and
    what :func:`runner.control.signatures.sign` raises.
    """
    pack = read_pack(place or pack_folder(control.workspace, month))
    if pack.month != month_text(month):
        raise CheckError(
            f"Nothing signed: the pack in {pack.place} is of {pack.month}, not of {month_text(month)}. "
            "Name the month of the pack, or another folder with --pack."
        )
    return signatures.sign(
        control, pack.month, pack.content_sha256, person_id, statement, is_second=is_second
    )


def answer_of(workspace: Workspace, month: dt.date) -> Answer:
    """The answer that is kept for ``month``. Raises CheckError when the month was never checked."""
    return _stored(workspace, month).answer


def _stored(workspace: Workspace, month: dt.date) -> Stored:
    stored = load(workspace, month)
    if stored is None:
        raise CheckError(
            f"No answer for {month_text(month)}: it was not checked in {workspace.root}. "
            f"Run `fleetbook check --month {month_text(month)}`."
        )
    return stored


def statement_of(answer: Answer) -> str:
    """What a person states who signs without words of their own."""
    count = len(answer.findings)
    found = f"{count} findings are open" if count else "nothing is open"
    return f"I have read the report of {month_text(answer.month)}; {found}."


def _beside(control: Core, answer: Answer) -> Beside:
    month = month_text(answer.month)
    with control.store.read() as connection:
        known = cases.listed(connection)
    due = {
        case.check_id: Due(case_id=case.case_id, due_at=case.due_at, deadline_rule=case.deadline_rule)
        for case in known
        if month in case.months
    }
    return Beside(company=_company(control), cases=due, waivers=waivers_in_force(control, answer.month))


def _company(control: Core) -> str:
    try:
        return control.registry().company.name
    except RegistryNotApplied:
        return "Company without a registry"


def _failed(result: Result, answer: Answer, scoped: Scoped) -> Failed:
    first = ", ".join(result.first_objects[:5])
    found = f"{result.violations:,} of {result.population:,} objects: {first}"
    return Failed(
        check_id=result.check_id,
        severity=result.severity,
        title=result.title,
        detail=found if result.violations else result.detail,
        owner_id=_owner(result, answer, scoped),
    )


def _owner(result: Result, answer: Answer, scoped: Scoped) -> str | None:
    """Who answers for every agent that the check finds something about; None where several do, or nobody."""
    rows = scoped.table(
        "fct_check_findings",
        is_demo=answer.is_demo,
        first_date=answer.month,
        last_date=last_day(answer.month),
        check_id=result.check_id,
    )
    agents = scoped.table("dim_agents", is_demo=answer.is_demo).select("agent_id", "owner_id")
    owners: Sequence[str | None] = (
        rows.select(pl.col("agent_id")).join(agents, on="agent_id", how="left")["owner_id"].unique().to_list()
    )
    return owners[0] if len(owners) == 1 else None
