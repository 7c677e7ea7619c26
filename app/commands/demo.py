"""``fleetbook demo``: an invented company with history, live runs and a request that waits for you."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.serve import DEFAULT_PORT

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from app.build import Step as BuildStep
    from app.demo.state import State
    from app.demo.steps import Step, Steps
    from ingest.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add ``demo`` to the command line."""
    app.command("demo")(demo)


def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop before the pages.")] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the pages on this machine.")
    ] = DEFAULT_PORT,
) -> None:
    """Make a demo workspace and open its pages: 34 agents, five teams, two quarters of history, live runs.

    Everything in it is marked as demo data. What is there already is kept; what was interrupted is carried
    on. Prompt and answer texts are kept for the last two weeks of the history.
    """
    from rich.console import Console

    from app.commands.serve import interruptible, refuse_taken, serve
    from app.demo.beside import beside
    from app.demo.making import alone
    from ingest.workspace import home

    console = Console(highlight=False)
    if not no_serve:
        refuse_taken(port)
    try:
        with alone(home()):
            workspace = _make(console, home())
    except KeyboardInterrupt:
        console.print("Stopped. Nothing is lost: `fleetbook demo` carries on from here.")
        raise typer.Exit(2) from None
    if no_serve:
        console.print(f"Ready: {workspace.root}. `fleetbook demo` opens its pages.", soft_wrap=True)
        return
    with interruptible(), beside(workspace):
        serve(workspace, port)


def _make(console: Console, root: Path) -> Workspace:
    """Make or complete the demo workspace at ``root``, saying what each step did."""
    import datetime as dt

    from app.demo import making
    from app.demo.steps import Steps

    steps = Steps(console)
    with steps.step("Workspace") as step:
        workspace, made = making.begin(root, dt.datetime.now(dt.UTC))
        step.says(str(workspace.root))
    was_ready = made.is_live_done
    _declare(steps, workspace, made)
    if made.has_begun and not made.is_history_done:
        console.print("The history of this demo was interrupted. It is carried on; nothing is written twice.")
    with steps.step("History") as step:
        made = making.tell_history(workspace, made, step.show)
        step.says(_period(made))
    with steps.step("Live runs") as step:
        made = making.play_live(workspace, made, step.show)
        step.says(f"{len(made.live_runs)} on the embedded model; {_waiting(workspace)}")
    _build(steps, workspace, is_new=not was_ready)
    if not made.is_checked:
        _check(steps, workspace, made)
    return workspace


def _declare(steps: Steps, workspace: Workspace, made: State) -> None:
    from app.demo import making

    with steps.step("Registry") as step:
        registry = making.declare(workspace, made)
        step.says(
            f"{registry.company.name}: {len(registry.agents)} agents, {len(registry.teams)} teams, "
            f"{len(registry.people)} people"
        )


def _build(steps: Steps, workspace: Workspace, *, is_new: bool) -> None:
    """Build the warehouse, unless nothing was added and one is there."""
    from app.warehouse import Warehouse

    with steps.step("Warehouse") as step:
        current = Warehouse.current(workspace)
        if current is not None and not is_new:
            step.says(f"build {current.build_id} of {current.built_at:%Y-%m-%d %H:%M} UTC")
            return
        _build_anew(step, workspace)


def _build_anew(step: Step, workspace: Workspace) -> None:
    from app.build import build

    def show(one: BuildStep) -> None:
        step.show(one.name, one.done, one.total)

    generation = build(workspace, progress=show)
    step.says(
        f"build {generation.build_id}: {generation.event_count:,} events, "
        f"{generation.row_counts['fct_runs']:,} runs, {len(generation.row_counts)} tables"
    )


def _check(steps: Steps, workspace: Workspace, made: State) -> None:
    """Sign the state of the log and verify it, once."""
    from dataclasses import replace

    from app.demo import state
    from ingest.log.checkpoint import notarise
    from ingest.log.verify import verify

    with steps.step("Log") as step:
        signed = notarise(workspace)
        report = verify(workspace)
        found = (
            f"{len(report.findings)} findings, see `fleetbook verify`" if report.findings else "no findings"
        )
        step.says(
            f"verified at level {report.level}: {report.events:,} events of {report.writers} writers, "
            f"{found}; signed {signed.path.name}"
        )
    state.save(workspace, replace(made, is_checked=True))


def _period(made: State) -> str:
    zone = made.plan.zone
    first, last = made.plan.start.astimezone(zone), made.plan.end.astimezone(zone)
    return f"{first:%d %B %Y} to {last:%d %B %Y}, generated, marked as demo data"


def _waiting(workspace: Workspace) -> str:
    from app.demo.live import waiting_requests

    count = waiting_requests(workspace)
    return "no request waits" if count == 0 else f"{count} request{'s' if count > 1 else ''} waits for you"
