"""``fleetbook stop`` and ``fleetbook start``: halt a run, an agent or everything, and let it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runner.control.plane import Control
    from runner.control.stops import Halted, Order, StopScope

TargetArgument = Annotated[
    str | None, typer.Argument(metavar="RUN|AGENT", help="Run id or agent id; none with --all.")
]
PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who acts.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept in the log.")]


def register(app: typer.Typer) -> None:
    """Add the commands that halt and let go on."""
    app.command("stop")(stop)
    app.command("start")(start)


def stop(
    person: PersonOption,
    reason: ReasonOption,
    target: TargetArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="Stop all agents of the company.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask back before --all.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="Record a drill: how long each run took to halt.")
    ] = False,
    patience: Annotated[float, typer.Option("--wait", help="Seconds to wait for the last run.")] = 60,
) -> None:
    """Halt a run, an agent or everything, on whatever machine it runs; `fleetbook start` lifts it.

    A run in hand halts before its next model call or tool call; a model call in flight is cancelled. Runs
    that wait end as cancelled. A drill on an agent without a run in hand makes one. Ends with 1 when a run
    has not halted in time.
    """
    from runner.control.stops import order_stop

    scope, name = _scope(target, everything)
    with _control("fleetbook stop") as control:
        if scope == "company" and not is_sure:
            typer.confirm("Stop every agent of the company?", abort=True)
        if drill and scope == "agent":
            _need_a_run(control, name, person)
        order = order_stop(control, scope, name, person, reason, is_drill=drill)
        halted = _wait(control, order, patience)
        _tell(order, halted)
    if any(one.halt_ns is None for one in halted):
        raise typer.Exit(1)


def start(
    person: PersonOption,
    reason: ReasonOption,
    target: Annotated[str | None, typer.Argument(metavar="AGENT", help="Agent id; none with --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Lift the stop of all agents.")] = False,
) -> None:
    """Lift the stop of an agent, or of everything; runs that were stopped stay ended."""
    from runner.control.stops import lift

    scope: StopScope = "company" if everything else "agent"
    if everything == (target is not None):
        raise typer.BadParameter("give an agent, or --all")
    with _control("fleetbook start") as control:
        lift(control, scope, target or "", person, reason)
    typer.echo(f"{target or 'Every agent'} may start runs again.")


def _scope(target: str | None, everything: bool) -> tuple[StopScope, str]:
    if everything == (target is not None):
        raise typer.BadParameter("give a run, an agent, or --all")
    if target is None:
        return "company", ""
    # Run ids are UUIDs, agent ids never are.
    is_run = target.count("-") == 4 and len(target) == 36
    return ("run" if is_run else "agent"), target


def _need_a_run(control: Control, agent_id: str, person_id: str) -> None:
    """A drill on an idle agent is made on a run of its own, which a worker may take up meanwhile."""
    from runner.control import runs
    from runner.control.tables import OPEN_RUN_STATUSES

    with control.store.read() as connection:
        found = runs.listed(connection, OPEN_RUN_STATUSES)
    if not any(run.agent_id == agent_id for run in found):
        run_id = control.request_run(agent_id, "Stop drill: this run is there to be stopped.", person_id)
        typer.echo(f"Run {run_id} was made for the drill.")


def _wait(control: Control, order: Order, patience_s: float) -> list[Halted]:
    import time

    from runner.control.stops import halt_what_nobody_plays, halted

    deadline = time.monotonic() + patience_s
    while True:
        with control.store.read() as connection:
            found = halted(connection, order)
        if all(one.halt_ns is not None for one in found) or time.monotonic() > deadline:
            control.relay.flush()
            return found
        time.sleep(0.2)
        halt_what_nobody_plays(control)  # a worker that died in the middle


def _tell(order: Order, halted: list[Halted]) -> None:
    for one in halted:
        how = "has not halted yet" if one.halt_ns is None else f"halted after {one.halt_ns / 1e9:.2f} s"
        typer.echo(f"{one.agent_id} run {one.run_id}: {how}")
    if not halted:
        typer.echo("No run was in hand.")
    if order.is_drill:
        typer.echo(f"Drill {order.stop_id} is in the log.")
    elif order.stop_scope != "run":
        target = order.target_id or "--all"
        typer.echo(f'Stopped until `fleetbook start {target} --as <person> --reason "…"`.')


def _control(process_name: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=process_name)
