"""``fleetbook import`` and ``fleetbook quarantine``: runs of agents built elsewhere come into the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

FORMAT_NAMES = (
    "auto",
    "tau2",
    "tau2_reviews",
    "tau_bench_v1",
    "agentdojo",
    "medagentbench",
    "inspect",
    "swe_agent",
    "managed_agents",
    "claude_code",
    "langfuse",
    "openai_run_state",
    "chat_log",
    "fleetbook",
)
FORMAT_HELP = (
    f"auto (each document by its content), or one of {', '.join(FORMAT_NAMES[1:])}; "
    "usage for exports of model providers."
)
FINDING = 1

Tell = Callable[[str, str, int], None]
MappingOption = Annotated[
    Path | None,
    typer.Option(help="YAML file: which source agent, domain, model or file is which team and agent."),
]
ZoneOption = Annotated[str, typer.Option(help="IANA zone of times that come without one.")]


def register(app: typer.Typer) -> None:
    """Add ``import`` and ``quarantine`` to the command line."""
    app.command("import")(import_files)
    quarantine = typer.Typer(no_args_is_help=True, help="Runs that could not be read, with their reasons.")
    quarantine.command("list")(list_quarantine)
    quarantine.command("replay")(replay_quarantine)
    app.add_typer(quarantine, name="quarantine")


def import_files(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=FORMAT_HELP)],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…", help="Files, folders or zip archives; gzip is unpacked."),
    ],
    team: Annotated[str | None, typer.Option(help="Team that the runs belong to.")] = None,
    agent: Annotated[str | None, typer.Option(help="Registered agent that the runs belong to.")] = None,
    mapping: MappingOption = None,
    time_zone: ZoneOption = "UTC",
    account: Annotated[
        str | None,
        typer.Option(help="With usage: the account at the provider, where there are several."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Only read and check, write nothing; exit code 1 when a run is refused."
        ),
    ] = False,
) -> None:
    """Take in runs of agents built elsewhere, or (usage) what model providers say was used and charged.

    Everything is checked to its end before anything is written, and repeating an import adds only what is
    missing. A malformed run inside a good source goes to quarantine with its reason. Agents that no mapping
    names keep their own names. A later usage export of the same account restates the days that it covers.
    """
    if format_name == "usage":
        from app.commands.usage import import_usage

        import_usage(files, account, check=check)
        return
    from rich.console import Console

    from app.commands.imports_shown import show_check, show_import
    from ingest.importers.intake import Intent, examine, take_in
    from ingest.workspace import Workspace, home

    intent = Intent(
        format_name=format_name,
        files=tuple(files),
        team=team,
        agent=agent,
        mapping_file=mapping,
        time_zone=time_zone,
    )
    console = Console()
    if check:
        with _progress(console) as tell:
            report = examine(intent, tell)
        show_check(console, report)
        raise typer.Exit(FINDING if any(file.rejects for file in report.files) else 0)
    workspace = Workspace.open(home())
    with _progress(console) as tell:
        report = take_in(workspace, intent, tell)
    show_import(console, report)


def list_quarantine() -> None:
    """List what is in quarantine: source, run and reason. Ends with 1 when there is something."""
    from rich.console import Console

    from app.commands.imports_shown import show_quarantine
    from ingest.importers import quarantine
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    kept = [(path, quarantine.read(path)) for path in quarantine.files(workspace)]
    show_quarantine(Console(), kept)
    raise typer.Exit(FINDING if kept else 0)


def replay_quarantine(mapping: MappingOption = None, time_zone: ZoneOption = "UTC") -> None:
    """Read everything in quarantine again, after a fix. Ends with 1 when some of it is still refused."""
    from rich.console import Console

    from app.commands.imports_shown import show_replay
    from ingest.importers.replay import replay
    from ingest.workspace import Workspace, home

    report = replay(Workspace.open(home()), mapping_file=mapping, time_zone=time_zone)
    show_replay(Console(), report)
    raise typer.Exit(FINDING if report.left else 0)


@contextmanager
def _progress(console: Console) -> Iterator[Tell]:
    """A line that says what is read, while it is read."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from app.terminal import plain

    # Names of files are foreign text: no markup.
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        shown = progress.add_task("reading", total=None)

        def tell(step: str, source_name: str, runs: int) -> None:
            progress.update(shown, description=f"{step} {plain(source_name, limit=80)}: {runs:,} runs")

        yield tell
