"""``fleetbook run`` and ``fleetbook runs``: start a run, list those that have not ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from app.terminal import ProgressPrinter
    from runner.agent.loop import Outcome
    from runner.control.plane import Control
    from runner.control.runs import Run

PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who acts.")]


def register(app: typer.Typer) -> None:
    """Add the commands for runs to the command line."""
    app.command("run")(run)
    app.command("runs")(list_runs)


def run(
    agent: Annotated[str, typer.Argument(help="Agent id, see `fleetbook agents`.")],
    task: Annotated[str, typer.Argument(help="What the agent shall do.")],
    person: PersonOption,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Show each answer when it is whole, not while it arrives.")
    ] = False,
) -> None:
    """Run an agent here and show its turns, tool calls and cost. A call that needs a person parks the run.

    Ends with 0 when the run completed or waits for a person, 1 when it was refused or failed.
    """
    from rich.console import Console

    from app.terminal import ProgressPrinter, print_header, print_outcome

    console = Console(highlight=False)
    with _control("fleetbook run") as control:
        run_id = control.request_run(agent, task, person)
        _take_over(console, control, but_not=run_id)
        print_header(console, control, control.run(run_id))
        outcome = _play(control, run_id, ProgressPrinter(console), is_streaming=not no_stream)
        if outcome is None:
            console.print("Another worker has taken the run up; `fleetbook runs` shows it.", markup=False)
            return
        print_outcome(console, control, outcome)
    if outcome.status == "ended" and outcome.end_state != "completed":
        raise typer.Exit(1)


def list_runs() -> None:
    """List the runs that have not ended: who started them, what they wait for, what they have spent.

    Orders to stop that stand are listed first.
    """
    from rich.console import Console
    from rich.text import Text

    from app.terminal import foreign
    from runner.control import runs, stops
    from runner.control.purses import usd_text
    from runner.control.tables import OPEN_RUN_STATUSES

    console = Console(highlight=False)
    with _control("fleetbook runs") as control, control.store.read() as connection:
        found = runs.listed(connection, OPEN_RUN_STATUSES)
        orders = stops.standing(connection)
    if not found:
        console.print(
            'No run is open. `fleetbook run <agent> "<task>" --as <person>` starts one.', markup=False
        )
    for order in orders:
        console.print(
            foreign(f"{order.sentence} ({order.ordered_at:%Y-%m-%d %H:%M} UTC)", "yellow"), soft_wrap=True
        )
    for one in found:
        line = Text.assemble((one.run_id, "bold"), (f"  {_state(one)}", "yellow"))
        line.append(f"  {one.agent_id} v{one.agent_version} for {one.requested_by}")
        if one.parent_run_id is not None:
            line.append(f", delegated by {one.parent_run_id}")
        console.print(line, soft_wrap=True)
        facts = f"  since {one.requested_at:%Y-%m-%d %H:%M} UTC · {one.turn_count} turns · "
        console.print(Text(f"{facts}{usd_text(one.spent_nano_usd)}", "dim"), soft_wrap=True)


def _control(process_name: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=process_name)


def _play(
    control: Control, run_id: str, watch: ProgressPrinter, *, is_streaming: bool = True
) -> Outcome | None:
    from runner.worker import run_until_parked

    return run_until_parked(control, run_id, watch=watch, is_streaming=is_streaming)


def _take_over(console: Console, control: Control, *, but_not: str) -> None:
    """Runs that a dead process left behind come first: what it began is finished or asked about."""
    from app.terminal import print_outcome
    from runner.worker import take_over

    for outcome in take_over(control, but_not=but_not):
        console.print(f"Took up run {outcome.run_id}, left behind by a process that died:", markup=False)
        print_outcome(console, control, outcome)


def _state(one: Run) -> str:
    if one.status == "waiting":
        return f"waiting ({(one.pause_reason or 'approval').replace('_', ' ')})"
    return {"ready": "decided, not resumed"}.get(one.status, one.status)
