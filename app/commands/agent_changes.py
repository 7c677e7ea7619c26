"""``fleetbook agents add|set|owner|status|…``: what changes an agent, each with its event."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.control.plan import Plan
    from runner.control.plane import Control

AgentArgument = Annotated[
    str, typer.Argument(metavar="AGENT", help="Agent id, as `fleetbook agents` lists it.")
]
AsOption = Annotated[str, typer.Option("--as", metavar="PERSON", help="Who does it.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why, in a sentence; it is in the event.")]
WhyOption = Annotated[str, typer.Option("--reason", help="Why, in a sentence; it is in the event.")]


def add_changes(group: typer.Typer) -> None:
    """Add the commands to ``fleetbook agents``."""
    group.command("add")(add)
    group.command("set")(set_fields)
    group.command("owner")(owner)
    group.command("status")(status)
    group.command("approve-version")(approve_version)
    group.command("rollback")(rollback)
    group.command("attest")(attest)
    group.command("remove")(remove)


def add(
    agent: AgentArgument,
    file: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="YAML with the agent's keys, as in registry.yaml.")
    ],
    person: AsOption,
) -> None:
    """Declare an agent from a file with its keys, and apply it; see `fleetbook templates` for some."""
    import yaml

    from app.errors import AppError
    from runner.control import agent_changes

    try:
        facts = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AppError(
            f"Not added: {file} cannot be read as YAML ({type(error).__name__}). Check the path."
        ) from error
    if not isinstance(facts, dict):
        raise AppError(f"Not added: {file} holds no keys of an agent. docs/registry.md lists them.")
    with _control() as control:
        _show(control, agent_changes.add_agent(control, agent, facts, by=person))


def set_fields(
    agent: AgentArgument,
    fields: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE…", help="A key of the file, for example risk.class=high or model=."
        ),
    ],
    person: AsOption,
    reason: ReasonOption = None,
) -> None:
    """Change fields of an agent in registry.yaml and apply it; an empty value takes the field away."""
    import yaml

    from app.errors import AppError
    from runner.control import agent_changes

    values: dict[str, object] = {}
    for field in fields:
        key, sign, text = field.partition("=")
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise AppError(f"Nothing changed: {field!r} has no YAML value. Put it in quotes.") from error
        if not sign or not key:
            raise AppError(f"Nothing changed: {field!r} is not KEY=VALUE. For example max_output_tokens=500.")
    with _control() as control:
        _show(control, agent_changes.set_fields(control, agent, values, by=person, reason=reason))


def owner(
    agent: AgentArgument,
    new_owner: Annotated[str, typer.Argument(metavar="OWNER", help="Who answers for it from now on.")],
    person: AsOption,
    deputy: Annotated[str | None, typer.Option("--deputy", metavar="PERSON", help="Who stands in.")] = None,
    reason: ReasonOption = None,
) -> None:
    """Hand an agent over. Its owner and deputy may, and who may change agents."""
    from runner.control import agent_changes

    with _control() as control:
        done = agent_changes.change_owner(
            control, agent, new_owner, deputy_id=deputy, by=person, reason=reason
        )
        _show(control, done)


def status(
    agent: AgentArgument,
    new_status: Annotated[
        str, typer.Argument(metavar="STATUS", help="draft, review, live, watch, suspended or retired.")
    ],
    person: AsOption,
    reason: WhyOption,
) -> None:
    """Decide the status of an agent; only live and watch can start. The file does not change it back."""
    from typing import cast, get_args

    from runner.control.declared import Status, nearest
    from runner.errors import NotFound

    known = list(get_args(Status))
    if new_status not in known:
        raise NotFound("status", new_status, nearest(new_status, known), f"Words: {', '.join(known)}.")
    with _control() as control:
        event_id = control.decide_status(agent, cast(Status, new_status), person, reason)
    _say(f"{agent} is {new_status}: {reason} (event {event_id}).")


def approve_version(
    agent: AgentArgument,
    person: AsOption,
    number: Annotated[
        int | None, typer.Argument(metavar="N", help="Version. Default: the newest one.")
    ] = None,
    reason: ReasonOption = None,
) -> None:
    """Approve a version as the second person: not its author, and not who applied it. It is in force then."""
    from runner.control import version_approval

    with _control() as control:
        version = version_approval.approve_version(control, agent, number, person, reason or "")
        now = control.agent_states()[agent].status
    if version.is_in_force:
        by = f", approved by {version.approved_by}" if version.approved_by else " and needed no approval"
        _say(f"Nothing to do: version {version.agent_version} of {agent} is in force{by}.")
    else:
        _say(
            f"Version {version.agent_version} of {agent} is in force, approved by {person}; {agent} is {now}."
        )


def rollback(
    agent: AgentArgument,
    number: Annotated[int, typer.Option("--to", metavar="N", help="Version to go back to.")],
    person: AsOption,
    reason: WhyOption,
) -> None:
    """Make a new version with the specification of an earlier one, in registry.yaml too."""
    from runner.control import agent_changes
    from runner.control.version_approval import versions_of

    with _control() as control:
        with control.store.read() as connection:
            count = len(versions_of(connection, agent))
        version, different = agent_changes.roll_back(control, agent, number, by=person, reason=reason)
        with control.store.read() as connection:
            is_new = len(versions_of(connection, agent)) > count
        if is_new:
            _say(f"Version {version.agent_version} of {agent} has the specification of version {number}.")
        else:
            _say(f"Nothing to roll back: {agent} v{version.agent_version} is as version {number}.")
        for tool in different:
            _say(
                f"Tool {tool} is declared differently than in version {number}, for all agents, and stays so."
            )
        _say_waiting(control)


def attest(agent: AgentArgument, person: AsOption, reason: ReasonOption = None) -> None:
    """State as owner or deputy that the agent is still wanted and as it is described."""
    from runner.control import agent_changes

    with _control() as control:
        event_id = agent_changes.attest(control, agent, by=person, reason=reason)
    _say(f"{person} attested {agent} (event {event_id}).")


def remove(agent: AgentArgument, person: AsOption, reason: ReasonOption = None) -> None:
    """Take an agent with its wallets, grants and schedules out of registry.yaml; its history stays."""
    from runner.control import agent_changes

    with _control() as control:
        _show(control, agent_changes.remove_agent(control, agent, by=person, reason=reason))


@contextmanager
def _control() -> Iterator[Control]:
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    with Control(Workspace.open(home()), process_name="fleetbook agents") as control:
        yield control


def _show(control: Control, done: Plan) -> None:
    from rich.console import Console

    from app.commands.plan_shown import print_plan

    print_plan(Console(highlight=False), done)
    _say_waiting(control)


def _say_waiting(control: Control) -> None:
    from rich.console import Console

    from app.commands.plan_shown import print_waiting_versions

    print_waiting_versions(Console(highlight=False), control)


def _say(text: str) -> None:
    from rich.console import Console

    from app.terminal import plain

    Console(highlight=False).print(plain(text), markup=False, soft_wrap=True)
