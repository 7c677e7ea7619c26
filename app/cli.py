"""The ``fleetbook`` command: the map of the product, and how its errors reach a terminal."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from app import __version__
from app.errors import AppError
from ingest.errors import IngestError
from runner.errors import RunnerError

# In the order of `fleetbook --help`: modules of app/commands, each with register(app).
COMMAND_MODULES: tuple[str, ...] = (
    "app.commands.demo",
    "app.commands.registry",
    "app.commands.agents",
    "app.commands.people",
    "app.commands.templates",
    "app.commands.runs",
    "app.commands.approvals",
    "app.commands.worker",
    "app.commands.wallets",
    "app.commands.knowledge",
    "app.commands.mcp",
    "app.commands.notices",
    "app.commands.schedules",
    "app.commands.schedule_changes",
    "app.commands.stop",
    "app.commands.log",
    "app.commands.imports",
    "app.commands.adopt",
    "app.commands.otlp",
    "app.commands.build",
    "app.commands.shell",
    "app.commands.prices",
    "app.commands.review",
    "app.commands.check",
    "app.commands.assure",
    "app.commands.sign",
    "app.commands.waive",
    "app.commands.cases",
    "app.commands.exports",
    "app.commands.serve",
    "app.commands.up",
)

PRODUCT_ERRORS = (IngestError, RunnerError, AppError)


def workspace_first(arguments: list[str]) -> list[str]:
    """``arguments`` with ``--workspace PATH`` moved to the front, so that it may stand after the command.

    What follows ``--`` stays where it is.
    """
    front: list[str] = []
    rest: list[str] = []
    pending = iter(arguments)
    for argument in pending:
        if argument == "--":
            rest += [argument, *pending]
        elif argument == "--workspace":
            front += [argument, *(value for value in [next(pending, None)] if value is not None)]
        elif argument.startswith("--workspace="):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest


app = typer.Typer(
    name="fleetbook",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a defect shows Python's own traceback
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Every AI agent in the company: what it did, what it cost, who approved it, "
    "whether it is worth keeping.",
    epilog="Exit codes: 0 fine, 1 a finding or a refusal, 2 it could not be done or checked.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fleetbook {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            metavar="PATH",
            help="The workspace folder, before or after the command. "
            "Default: FLEETBOOK_HOME, else ./workspace.",
        ),
    ] = None,
    _asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    if workspace is not None:
        os.environ["FLEETBOOK_HOME"] = str(workspace)


for _module in COMMAND_MODULES:
    import_module(_module).register(app)


def main() -> None:
    """Run the command line. Product errors print their message to stderr and end with their exit code."""
    try:
        app(args=workspace_first(sys.argv[1:]), prog_name="fleetbook")
    except PRODUCT_ERRORS as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
