"""``fleetbook adopt``: an agent built elsewhere, seen in imports or spans, becomes one of a team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import yaml

    from app.warehouse import Warehouse

# The id of an imported agent holds its model, that of one that sends spans does not.
WORDS = """
    select distinct
        source_agent,
        case when recorded_via <> 'otlp' then nullif(model_name, 'unknown') end as model
    from fct_runs
    where
        agent_id = $agent_id and not is_demo and source_agent is not null
        and (recorded_via like 'import:%' or recorded_via = 'otlp')
    order by all
"""


def register(app: typer.Typer) -> None:
    """Add ``adopt`` to the command line."""
    app.command("adopt")(adopt)


def adopt(
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="The outside agent's id, as the pages show it.")
    ],
    team: Annotated[
        str, typer.Option(help="Team that the agent belongs to from now on, past runs included.")
    ],
    into: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Registered agent that its runs count for.")
    ] = None,
) -> None:
    """Give an agent found in imports or spans a team, by an alias in registry.yaml.

    The next build applies it to every run of the agent that nobody claimed, however old.
    """
    from rich.console import Console

    from app.errors import AppError
    from app.warehouse import Warehouse
    from ingest.workspace import Workspace, home
    from runner.control.registry_file import parse_registry

    workspace = Workspace.open(home())
    if not workspace.registry_file.exists():
        raise AppError(
            f"Not adopted: {workspace.registry_file} does not exist. "
            "Run `fleetbook init` and declare the team."
        )
    names = _names(Warehouse.current(workspace), agent)
    file = workspace.registry_file
    text = with_aliases(file.read_text(encoding="utf-8"), names, team, into or agent)
    parse_registry(text, file)  # an alias that does not fit is refused before the file is touched
    temporary = file.with_suffix(".yaml.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)
    console = Console(highlight=False)
    for source_agent, model in names:
        on = f" on {model}" if model else ""
        console.print(f"{source_agent}{on} belongs to agent {into or agent} of team {team}.", markup=False)
    console.print("Next: `fleetbook build` applies it to all its runs.", markup=False)


def _names(warehouse: Warehouse | None, agent: str) -> list[tuple[str, str | None]]:
    """What the agent calls itself, and its models. Raises AppError when no run tells."""
    from app.errors import AppError

    rows = warehouse.fetch(WORDS, {"agent_id": agent}).rows() if warehouse else []
    if not rows:
        raise AppError(
            f"Not adopted: no run of an agent {agent!r} built elsewhere is in the warehouse. "
            "Check the id on the agents page, or run `fleetbook build` first."
        )
    return [(str(source_agent), model) for source_agent, model in rows]


def with_aliases(text: str, names: list[tuple[str, str | None]], team: str, agent: str) -> str:
    """The registry's ``text`` with one alias per name at the end of its aliases; nothing else changes."""
    import json

    import yaml

    entries = []
    for source_agent, model in names:
        words = {"source_agent": source_agent, **({"model": model} if model else {})}
        # JSON strings are YAML strings, whatever letters a foreign name has.
        inner = ", ".join(f"{key}: {json.dumps(value)}" for key, value in words.items())
        entries.append(f"{{{inner}, team: {team}, agent: {agent}}}")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    node = next((value for key, value in pairs if key.value == "aliases"), None)
    if node is None:
        return text.rstrip("\n") + "\n\naliases:\n" + _lines(entries, 2)
    if not node.value:
        return (
            text[: node.start_mark.index]
            + "\n"
            + _lines(entries, 2).rstrip("\n")
            + text[node.end_mark.index :]
        )
    if node.flow_style:
        close = node.end_mark.index - 1
        return f"{text[:close]}, {', '.join(entries)}{text[close:]}"
    end = text.find("\n", _last_index(node.value[-1]))
    at = len(text) if end < 0 else end + 1
    glue = "" if text[:at].endswith("\n") else "\n"
    return text[:at] + glue + _lines(entries, node.value[-1].start_mark.column - 2) + text[at:]


def _lines(entries: list[str], indent: int) -> str:
    return "".join(f"{' ' * indent}- {entry}\n" for entry in entries)


def _last_index(node: yaml.Node) -> int:
    """Where the node's last word ends; the end of a block lies behind the comments that follow it."""
    import yaml

    if isinstance(node, (yaml.SequenceNode, yaml.MappingNode)) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last_index(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
