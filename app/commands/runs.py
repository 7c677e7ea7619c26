"""``fleetbook run``, ``runs``, ``approvals``, ``approve``, ``reject``: runs, and what waits for a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from app.terminal import ProgressPrinter
    from runner.agent.loop import Outcome
    from runner.control.approvals import Request
    from runner.control.plane import Control
    from runner.control.runs import Run

PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who acts.")]
NoResume = Annotated[bool, typer.Option("--no-resume", help="Only decide; a worker takes the run up.")]
_OPEN = ("queued", "running", "waiting", "ready")


def register(app: typer.Typer) -> None:
    """Add the commands for runs and approvals to the command line."""
    app.command("run")(run)
    app.command("runs")(list_runs)
    app.command("approvals")(list_approvals)
    app.command("approve")(approve)
    app.command("reject")(reject)


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
    """List the runs that have not ended: who started them, what they wait for, what they have spent."""
    from rich.console import Console
    from rich.text import Text

    from runner.control import runs
    from runner.control.purses import usd_text

    console = Console(highlight=False)
    with _control("fleetbook runs") as control, control.store.read() as connection:
        found = runs.listed(connection, _OPEN)
    if not found:
        console.print(
            'No run is open. `fleetbook run <agent> "<task>" --as <person>` starts one.', markup=False
        )
    for one in found:
        line = Text.assemble((one.run_id, "bold"), (f"  {_state(one)}", "yellow"))
        line.append(f"  {one.agent_id} v{one.agent_version} for {one.requested_by}")
        if one.parent_run_id is not None:
            line.append(f", delegated by {one.parent_run_id}")
        console.print(line, soft_wrap=True)
        facts = f"  since {one.requested_at:%Y-%m-%d %H:%M} UTC · {one.turn_count} turns · "
        console.print(Text(f"{facts}{usd_text(one.spent_nano_usd)}", "dim"), soft_wrap=True)


def list_approvals(
    show_all: Annotated[bool, typer.Option("--all", help="Decided and lapsed ones too.")] = False,
    person: Annotated[
        str | None,
        typer.Option("--as", metavar="PERSON", help="Who looks; time to decide counts from the first look."),
    ] = None,
) -> None:
    """List the calls that wait for a person, with who may decide and the commands for it."""
    from rich.console import Console
    from rich.text import Text

    from app.terminal import foreign, print_request
    from runner.control import approvals, recover

    console = Console(highlight=False)
    with _control("fleetbook approvals") as control:
        if person is not None:
            control.known_person(control.registry(), person)
        recover.lapse_requests(control)
        with control.store.read() as connection:
            waiting = approvals.waiting(connection)
            decided = approvals.latest_decided(connection, 50) if show_all else []
        if not waiting:
            console.print("Nothing waits for a decision.", markup=False)
        for request in waiting:
            console.print(
                Text(f"{request.agent_id} · team {request.team_id} · for {request.requested_by}", "bold")
            )
            print_request(console, control, request)
        for request in decided:
            console.print(foreign(_decided_line(request)), soft_wrap=True)
        control.relay.flush()


def approve(
    approval: Annotated[str, typer.Argument(help="Approval id, see `fleetbook approvals`.")],
    person: PersonOption,
    reason: Annotated[str, typer.Option(help="Why; kept in the log.")] = "",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Approve with this argument changed; repeatable."),
    ] = None,
    no_resume: NoResume = False,
) -> None:
    """Approve a waiting call, as it is or with changed arguments, and resume the run here."""
    with _control("fleetbook approve") as control:
        if not change:
            _decide(control, approval, person, "approved", reason, no_resume=no_resume)
            return
        changed = _changed(control, approval, change)
        _decide(control, approval, person, "approved_changed", reason, changed=changed, no_resume=no_resume)


def reject(
    approval: Annotated[str, typer.Argument(help="Approval id, see `fleetbook approvals`.")],
    person: PersonOption,
    reason: Annotated[str, typer.Option(help="Why; the agent is told.")],
    no_resume: NoResume = False,
) -> None:
    """Reject a waiting call with a reason and resume the run here; the agent is told the reason."""
    with _control("fleetbook reject") as control:
        _decide(control, approval, person, "rejected", reason, no_resume=no_resume)


def _decide(
    control: Control,
    approval: str,
    person: str,
    decision: str,
    reason: str,
    *,
    changed: dict[str, object] | None = None,
    no_resume: bool,
) -> None:
    from rich.console import Console

    from runner.control import recover
    from runner.control.decisions import find_request

    console = Console(highlight=False)
    recover.lapse_requests(control)
    event_id = control.decide(approval, person, decision, reason, changed)
    console.print(f"{decision.replace('_', ' ')}; event {event_id}", markup=False)
    with control.store.read() as connection:
        run_id = find_request(connection, approval).run_id
    now = control.run(run_id)
    if now.status != "ready":
        console.print(f"Run {run_id} waits for other decisions: `fleetbook approvals`.", markup=False)
    elif no_resume:
        console.print(f"Run {run_id} is ready; `fleetbook worker --once` resumes it.", markup=False)
    else:
        console.print(f"Resuming run {run_id} here.", markup=False)
        _play_upwards(console, control, run_id)


def _play_upwards(console: Console, control: Control, run_id: str) -> None:
    """Play a run here, and after its end the run that had delegated to it."""
    from app.terminal import ProgressPrinter, print_outcome

    outcome = _play(control, run_id, ProgressPrinter(console))
    while outcome is not None:
        print_outcome(console, control, outcome)
        parent_id = control.run(outcome.run_id).parent_run_id
        if outcome.status != "ended" or parent_id is None or control.run(parent_id).status != "ready":
            return
        console.print(f"Resuming run {parent_id}, which waited for it.", markup=False)
        outcome = _play(control, parent_id, ProgressPrinter(console))


def _changed(control: Control, approval: str, changes: list[str]) -> dict[str, object]:
    """The request's arguments with the ``NAME=VALUE`` changes; a value is JSON, else text."""
    from runner.control.approvals import plain
    from runner.control.decisions import find_request

    with control.store.read() as connection:
        request = find_request(connection, approval)
    arguments = plain(request.arguments) or {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise typer.BadParameter(f"{change!r} is not NAME=VALUE", param_hint="--set")
        try:
            arguments[name] = json.loads(value)
        except json.JSONDecodeError:
            arguments[name] = value
    return arguments


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


def _decided_line(request: Request) -> str:
    by = f" by {request.decided_by}" if request.decided_by else ""
    why = f": {request.reason}" if request.reason else ""
    return (
        f"{request.approval_id}  {request.status.replace('_', ' ')}{by}  "
        f"{request.agent_id} {request.tool_name} {request.arguments}{why}"
    )
