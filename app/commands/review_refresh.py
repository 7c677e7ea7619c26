"""``fleetbook review refreshes|trial|judge|rollback``: what a decision to refresh leads to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.plane import Control
    from runner.control.refreshes import Refresh

AgentArgument = Annotated[str, typer.Argument(help="Agent id, see `fleetbook review refreshes`.")]
PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who acts.")]
ReasonOption = Annotated[str, typer.Option(help="Why, in one sentence; the log keeps it.")]
DemoOption = Annotated[
    bool | None, typer.Option("--demo/--real", help="Which rows, where the build holds both.")
]


def register(group: typer.Typer) -> None:
    """Add the commands of refreshes to the group ``review``."""
    group.command("refreshes")(list_refreshes)
    group.command("trial")(trial)
    group.command("judge")(judge)
    group.command("rollback")(rollback)
    group.command("attestations")(list_attestations)


def list_refreshes(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones as well.")] = False,
) -> None:
    """List the tasks that decisions to refresh opened: their evidence, trial and verdict."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control import refreshes
    from runner.control.plane import Control

    console = Console(highlight=False)
    with Control(Workspace.open(home())) as control:
        with control.store.read() as connection:
            found = refreshes.listed(connection, only_open=not everything)
        for one in found:
            _print_task(console, control, one)
    if not found:
        console.print("No refresh is open. `fleetbook review decide` opens one.", markup=False)


def trial(
    agent: AgentArgument,
    until: Annotated[
        dt.datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of the verdict, in the company's zone.")
    ],
    person: PersonOption,
    share: Annotated[
        int, typer.Option(min=1, max=100, help="Percent of the runs for the new version; 100 replaces.")
    ] = 100,
) -> None:
    """Try the new version on a share of the runs, until the day of the verdict.

    Start it before or after the new version is applied; the old one gets the rest of the runs, and each run
    tells on which side it was.
    """
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control import refreshes
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook review trial") as control:
        judge_at = until.replace(tzinfo=ZoneInfo(control.registry().company.time_zone))
        done = refreshes.start(control, agent, person, share_percent=share, judge_at=judge_at)
        _print_task(Console(highlight=False), control, done)


def judge(
    agent: AgentArgument,
    keep: Annotated[str, typer.Option(help="new, or old: which version goes on.")],
    person: PersonOption,
    reason: ReasonOption,
    demo: DemoOption = None,
) -> None:
    """Close a trial with the verdict on each measure, once its day has come; ends with 1 when it is worse.

    It reads the last build: run `fleetbook build` before. With --keep old the old version is declared again.
    """
    from typing import cast

    from rich.console import Console

    from app.commands.review_shown import print_verdicts
    from app.review.judging import judge as close_with
    from app.review.judging import shown
    from app.review.reading import scoped_of
    from app.review.rules import rules_of
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control
    from runner.control.trials import ArmName

    if keep not in ("old", "new"):
        raise typer.BadParameter("give new or old", param_hint="--keep")
    workspace = Workspace.open(home())
    scoped, is_demo = scoped_of(workspace, None, demo)
    rules, _ = rules_of(workspace)
    with Control(workspace, process_name="fleetbook review judge") as control:
        done = close_with(
            control,
            scoped,
            agent,
            rules=rules,
            is_demo=is_demo,
            person_id=person,
            keep=cast(ArmName, keep),
            reason=reason,
        )
        console = Console(highlight=False)
        print_verdicts(console, f"{agent}: v{done.new_version} against v{done.old_version}", shown(done))
        _print_task(console, control, done)
    if done.verdict == "worse":
        raise typer.Exit(1)


def rollback(agent: AgentArgument, person: PersonOption, reason: ReasonOption) -> None:
    """Go back to the version before the refresh, at once and at any time; the task is closed by it."""
    from rich.console import Console

    from ingest.workspace import Workspace, home
    from runner.control import refreshes
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook review rollback") as control:
        done = refreshes.roll_back(control, agent, person, reason)
        is_written = control.agent_states()[agent].agent_version != done.new_version
        console = Console(highlight=False)
        _print_task(console, control, done)
    if not is_written:
        console.print(
            f"registry.yaml still declares v{done.new_version}, and no run gets it: a version as v"
            f"{done.old_version} waits for approval, or `fleetbook agents rollback {agent}` declares it.",
            markup=False,
            soft_wrap=True,
        )


def list_attestations() -> None:
    """List by when each agent at work is to be attested, first those that are due; 1 when one lapsed.

    `fleetbook agents attest` attests one. The days are oversight.attestation of registry.yaml.
    """
    from zoneinfo import ZoneInfo

    from rich.console import Console
    from rich.text import Text

    from ingest.workspace import Workspace, home
    from runner.control import attestations
    from runner.control.plane import Control

    with Control(Workspace.open(home())) as control, control.store.read() as connection:
        registry = control.registry_in(connection)
        found = attestations.standings(connection, registry, control.store.clock())
    zone, console = ZoneInfo(registry.company.time_zone), Console(highlight=False)
    styles = {"lapsed": "red", "overdue": "yellow", "due soon": "yellow"}
    for one in found:
        line = Text.assemble(
            f"{one.agent_id} · {one.risk_class} risk · ", (one.word, styles.get(one.word, ""))
        )
        line.append(f" · due {one.due_at.astimezone(zone):%Y-%m-%d}" if one.due_at else "")
        line.append(f" · last by {one.attested_by}" if one.attested_by else "")
        console.print(line, soft_wrap=True)
    if any(one.word == "lapsed" for one in found):
        raise typer.Exit(1)


def _print_task(console: Console, control: Control, task: Refresh) -> None:
    from zoneinfo import ZoneInfo

    from rich.text import Text

    zone = ZoneInfo(control.registry().company.time_zone)
    style = {"open": "yellow", "trial": "cyan", "closed": "dim"}[task.status]
    head = Text.assemble(
        (f"refresh {task.agent_id}", style), f" · {task.review_period} · {standing(task, zone)}"
    )
    console.print(head, soft_wrap=True)
    console.print(Text(f"  {task.reason} ({task.opened_by})", "dim"), soft_wrap=True)
    for line in evidence_lines(task):
        console.print(Text(f"  {line}", "dim"), soft_wrap=True)


def standing(task: Refresh, zone: dt.tzinfo) -> str:
    """Where the task stands, in one line; days are those of ``zone``."""
    if task.status == "open":
        return (
            f"v{task.old_version} is to be mended; `fleetbook review trial {task.agent_id}` tries a new one"
        )
    if task.status == "trial":
        day = task.judge_at.astimezone(zone) if task.judge_at else None
        how = "replaces it" if task.share_percent == 100 else f"gets {task.share_percent} % of the runs"
        return f"what follows v{task.old_version} {how}, verdict due {day:%Y-%m-%d}"
    kept = f", the {task.kept_arm} version goes on" if task.kept_arm else ""
    return f"closed: {task.verdict or 'no verdict'}{kept}: {task.closed_reason}"


def evidence_lines(task: Refresh) -> list[str]:
    """The classes of failures and the worst runs of a task that is not closed."""
    import json

    if task.status == "closed":
        return []
    found = json.loads(task.evidence)
    lines = [
        f"{one['count']} of {one['of']} {one['kind']}s: {one['name']}" for one in found.get("failures", [])
    ]
    runs = [str(one["run_id"]) for one in found.get("worst_runs", [])]
    return [*lines, f"worst runs: {', '.join(runs)}"] if runs else lines
