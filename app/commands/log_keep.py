"""``fleetbook log compact|erase|prune|key|encrypt|hold``: the log kept in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest.log.compact import CompactReport
    from ingest.retention import PrunePlan
    from ingest.workspace import Workspace

PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person who does it.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the record.")]


def register(log: typer.Typer) -> None:
    """Add the commands to ``fleetbook log``."""
    log.command("compact")(compact_log)
    log.command("erase")(erase_texts)
    log.command("prune")(prune_log)
    log.command("key")(key_for_texts)
    log.command("encrypt")(encrypt_texts)
    hold = typer.Typer(
        no_args_is_help=True, help="Legal holds: what they cover is neither pruned nor erased."
    )
    hold.command("add")(hold_add)
    hold.command("release")(hold_release)
    hold.command("list")(hold_list)
    log.add_typer(hold, name="hold")


def compact_log() -> None:
    """Put the small files of each day together, sorted by agent and run. Events and proofs stay."""
    from app.commands.machines import whole_log
    from ingest.log.compact import compact
    from ingest.shared.adding import sweep
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    for log in dict.fromkeys((workspace, whole_log(workspace))):
        _tell_compaction(compact(log))
        if log.origin_file.exists():
            sweep(log)


def _tell_compaction(report: CompactReport) -> None:
    for record in report.records:
        size = record.file_bytes / 1e6
        typer.echo(f"{record.file}: {record.count:,} events of {len(record.inputs):,} files, {size:,.1f} MB.")
    if report.is_postponed:
        typer.echo("The files are being read, by a verification or a build: run the command again later.")
    elif not report.records:
        typer.echo("Nothing to compact: no day has two small files, or the day is not over.")


def erase_texts(
    reason: ReasonOption,
    person: PersonOption,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Erase every text of this run.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Erase every text about this person.")
    ] = None,
) -> None:
    """Erase prompt, answer, argument and result texts for good, and record it. Proofs stay.

    Refuses, with exit code 1, what a legal hold keeps.
    """
    from app.commands.machines import whole_log
    from ingest.erasure import erase
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    require_keeper(workspace, person, "Not erased")
    whole_log(workspace)
    report = erase(workspace, run_id=run, subject_id=subject, reason=reason, person_id=person)
    typer.echo(f"Erased and recorded: {_texts(report.erased_count)}.")
    if report.finished_count:
        typer.echo(f"Finished erasures recorded before: {_texts(report.finished_count)}.")
    if report.open_count:
        typer.echo(
            f"{_texts(report.open_count)} of these lie in files of processes that still write: hidden now, "
            "gone when the files are sealed (the process ends, or 64 MB)."
        )


def key_for_texts(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Key file; made when it is missing.")],
) -> None:
    """Add a new key for texts to a key file: from now on it encrypts, older keys still decrypt."""
    from ingest.payload_keys import KEY_VARIABLE, add_key

    key_id = add_key(file)
    typer.echo(f"{file}: key {key_id} is the newest now. Keep a copy apart from the workspace's backups.")
    typer.echo(f"Set {KEY_VARIABLE}={file} for every process, then run `fleetbook log encrypt`.")


def encrypt_texts() -> None:
    """Encrypt every sealed text with the newest key of FLEETBOOK_PAYLOAD_KEY. Proofs stay.

    Ends with 1 when texts stay under an older key that is not at hand.
    """
    from ingest.payload_rewrap import rewrap
    from ingest.workspace import Workspace, home

    report = rewrap(Workspace.open(home()))
    typer.echo(f"Encrypted with key {report.key_id}: {_texts(report.rewrapped_count)}.")
    if report.locked_count:
        typer.echo(f"{_texts(report.locked_count)} stay: their older key is not at hand.", err=True)
        raise typer.Exit(1)


def prune_log(
    older_than_days: Annotated[int, typer.Option(metavar="N", help="Age of the newest event; at least 184.")],
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete. Without it, only show what would go.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why, for the record. Needed with --delete.")] = "",
    person: Annotated[
        str, typer.Option("--as", metavar="PERSON", help="Person who does it. Needed with --delete.")
    ] = "",
) -> None:
    """Show, and with --delete remove for good, sealed files whose retention has ended. Proofs stay.

    Refuses, with exit code 1, anything younger than the law allows. What a legal hold covers stays.
    """
    from app.commands.machines import whole_log
    from ingest.retention import plan_pruning, prune
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    record = whole_log(workspace)
    if not delete:
        _print_plan(plan_pruning(record, older_than_days))
        typer.echo("Nothing was deleted. Add --delete, --reason and --as to delete.")
        return
    require_keeper(workspace, person, "Not pruned")
    if record != workspace:  # this machine's own files first: what is gone there cannot be shipped again
        prune(workspace, older_than_days=older_than_days, reason=reason, person_id=person)
    report = prune(record, older_than_days=older_than_days, reason=reason, person_id=person)
    _print_plan(report.plan)
    typer.echo(f"Deleted and recorded, with {_texts(report.text_count)}.")
    if report.is_removal_postponed:
        typer.echo("Somebody reads the files: run the command again to remove them from the disk.")


def _print_plan(plan: PrunePlan) -> None:
    for file in plan.files:
        typer.echo(f"{file.file}: {file.count:,} events, {file.min_recorded_at} to {file.max_recorded_at}.")
    for name, why in plan.kept:
        typer.echo(f"{name} stays: {why}.")
    typer.echo(
        f"{len(plan.files):,} files, {plan.event_count:,} events, {plan.file_bytes / 1e6:,.1f} MB "
        f"recorded before {plan.cutoff:%Y-%m-%d}."
    )


def hold_add(
    reason: ReasonOption,
    person: PersonOption,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Hold this run.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Hold everything of this agent.")] = None,
) -> None:
    """Place a legal hold on a run, on an agent or, without either, on the whole log."""
    from app.commands.machines import whole_log
    from ingest.holds import add_hold, named
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    require_keeper(workspace, person, "No hold placed")
    whole_log(workspace)
    hold = add_hold(workspace, run_id=run, agent_id=agent, reason=reason, person_id=person)
    typer.echo(f"{hold.hold_id}: {named(hold)} is neither pruned nor erased until the hold is released.")


def hold_release(
    hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="The hold, as `log hold list` shows it.")],
    reason: ReasonOption,
    person: PersonOption,
) -> None:
    """End a legal hold."""
    from app.commands.machines import whole_log
    from ingest.holds import release_hold
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    require_keeper(workspace, person, "No hold released")
    whole_log(workspace)
    release_hold(workspace, hold_id, reason=reason, person_id=person)
    typer.echo(f"{hold_id} is released.")


def hold_list() -> None:
    """Show the legal holds in force."""
    from app.commands.machines import whole_log
    from ingest.holds import holds, named
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    whole_log(workspace)
    in_force = holds(workspace)
    for hold in in_force:
        typer.echo(f"{hold.hold_id}  {hold.placed_at[:10]}  {named(hold)}  {hold.placed_by}: {hold.reason}")
    if not in_force:
        typer.echo("No legal hold is in force.")


def _texts(number: int) -> str:
    return f"{number:,} text{'s' if number != 1 else ''}"


def require_keeper(workspace: Workspace, person_id: str, what: str) -> None:
    """Raise MaintenanceRefusal unless ``person_id`` may sign the compliance report, company-wide.

    Without a registry everybody on this machine may: there is nothing to ask.
    """
    if not workspace.registry_file.exists():
        return
    from ingest.errors import MaintenanceRefusal
    from runner.control.access import WHOLE_COMPANY, may
    from runner.control.registry_file import load_registry

    ruling = may(load_registry(workspace.registry_file), person_id, "sign_report", WHOLE_COMPANY)
    if not ruling.allowed:
        raise MaintenanceRefusal(
            f"{what}: {ruling.sentence} (rule {ruling.rule_id}), which this needs. "
            "Name a person who may sign_report with --as, or change the role in registry.yaml."
        )
