"""``fleetbook approvals``, ``approve``, ``reject``: what waits for a person, and their decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from runner.control.approvals import Request
    from runner.control.batches import Decided
    from runner.control.decisions import Wish
    from runner.control.plane import Control

PersonOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who acts.")]
NoResume = Annotated[bool, typer.Option("--no-resume", help="Only decide; a worker takes the run up.")]
Approvals = Annotated[
    list[str] | None,
    typer.Argument(metavar="APPROVAL...", help="Approval ids of one tool, see `fleetbook approvals`."),
]
AllLike = Annotated[
    str | None,
    typer.Option(
        "--all-like",
        metavar="APPROVAL",
        help="All that wait for the same agent, tool and rule as this one; each is judged by itself.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands for approvals to the command line."""
    app.command("approvals")(list_approvals)
    app.command("approve")(approve)
    app.command("reject")(reject)


def list_approvals(
    show_all: Annotated[bool, typer.Option("--all", help="Decided and lapsed ones too.")] = False,
    person: Annotated[
        str | None,
        typer.Option("--as", metavar="PERSON", help="Who looks; time to decide counts from the first look."),
    ] = None,
) -> None:
    """List the calls that wait for a person: risk, age, money at stake, arguments, who may decide and how."""
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
    person: PersonOption,
    approvals: Approvals = None,
    reason: Annotated[str, typer.Option(help="Why; kept in the log.")] = "",
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Approve with this argument changed; repeatable."),
    ] = None,
    all_like: AllLike = None,
    no_resume: NoResume = False,
) -> None:
    """Approve waiting calls, as they are or one with changed arguments, and resume the runs here.

    Ends with 1 when a decision was refused.
    """
    from runner.control.decisions import Wish

    with _control("fleetbook approve") as control:
        wanted = _wanted(control, approvals, all_like)
        if change and len(wanted) > 1:
            raise typer.BadParameter("arguments can be changed in one request at a time", param_hint="--set")
        changed = _changed(control, wanted[0], change) if change else None
        decision = "approved_changed" if change else "approved"
        wish = Wish(person_id=person, decision=decision, reason=reason, changed_arguments=changed)
        _decide(control, wanted, wish, no_resume=no_resume)


def reject(
    person: PersonOption,
    reason: Annotated[str, typer.Option(help="Why; the agent is told.")],
    approvals: Approvals = None,
    all_like: AllLike = None,
    no_resume: NoResume = False,
) -> None:
    """Reject waiting calls with a reason and resume the runs here; the agents are told the reason.

    Ends with 1 when a decision was refused.
    """
    from runner.control.decisions import Wish

    with _control("fleetbook reject") as control:
        wish = Wish(person_id=person, decision="rejected", reason=reason)
        _decide(control, _wanted(control, approvals, all_like), wish, no_resume=no_resume)


def _wanted(control: Control, named: list[str] | None, all_like: str | None) -> list[str]:
    from runner.control.batches import alike

    if bool(named) == (all_like is not None):
        raise typer.BadParameter("give approval ids, or --all-like with one")
    return named or alike(control, all_like or "")


def _decide(control: Control, wanted: list[str], wish: Wish, *, no_resume: bool) -> None:
    from rich.console import Console

    from runner.control import recover
    from runner.control.batches import decide_batch
    from runner.control.decisions import decide

    console = Console(highlight=False)
    recover.lapse_requests(control)
    if len(wanted) == 1:
        event_id = decide(control, wanted[0], wish, recorded_via=None)
        console.print(f"{_told(control, wanted[0], wish.decision)}; event {event_id}", markup=False)
        decided = set(wanted)
        refused = []
    else:
        made = decide_batch(control, wanted, wish)
        refused = [one for one in made if one.refusal is not None]
        decided = {one.request.approval_id for one in made if one.event_id is not None}
        for one in made:
            word = _told(control, one.request.approval_id, wish.decision)
            console.print(_made_line(one, word), markup=False, soft_wrap=True)
    for run_id in _runs_of(control, decided):
        _go_on(console, control, run_id, no_resume=no_resume)
    if refused:
        raise typer.Exit(1)


def _told(control: Control, approval_id: str, decision: str) -> str:
    """The decision in words; of the first of two it says so."""
    from runner.control.decisions import find_request

    with control.store.read() as connection:
        is_half = find_request(connection, approval_id).is_half_approved
    return f"{decision.replace('_', ' ')}{', 1 of 2: somebody else approves it, too' if is_half else ''}"


def _runs_of(control: Control, approval_ids: set[str]) -> list[str]:
    from runner.control.decisions import find_request

    with control.store.read() as connection:
        return sorted({find_request(connection, one).run_id for one in approval_ids})


def _go_on(console: Console, control: Control, run_id: str, *, no_resume: bool) -> None:
    if control.run(run_id).status != "ready":
        console.print(f"Run {run_id} waits for more decisions: `fleetbook approvals`.", markup=False)
    elif no_resume:
        console.print(f"Run {run_id} is ready; `fleetbook worker --once` resumes it.", markup=False)
    else:
        console.print(f"Resuming run {run_id} here.", markup=False)
        _play_upwards(console, control, run_id)


def _play_upwards(console: Console, control: Control, run_id: str) -> None:
    """Play a run here, and after its end the run that had delegated to it."""
    from app.terminal import ProgressPrinter, print_outcome
    from runner.worker import run_until_parked

    outcome = run_until_parked(control, run_id, watch=ProgressPrinter(console))
    while outcome is not None:
        print_outcome(console, control, outcome)
        parent_id = control.run(outcome.run_id).parent_run_id
        if outcome.status != "ended" or parent_id is None or control.run(parent_id).status != "ready":
            return
        console.print(f"Resuming run {parent_id}, which waited for it.", markup=False)
        outcome = run_until_parked(control, parent_id, watch=ProgressPrinter(console))


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


def _made_line(one: Decided, decision: str) -> str:
    what = str(one.refusal) if one.refusal else f"{decision}; event {one.event_id}"
    return f"{one.request.approval_id}  {what}"


def _decided_line(request: Request) -> str:
    by = f" by {request.decided_by}" if request.decided_by else ""
    why = f": {request.reason}" if request.reason else ""
    return (
        f"{request.approval_id}  {request.status.replace('_', ' ')}{by}  "
        f"{request.agent_id} {request.tool_name} {request.arguments}{why}"
    )


def _control(process_name: str) -> Control:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    return Control(Workspace.open(home()), process_name=process_name)
