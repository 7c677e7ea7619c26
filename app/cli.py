"""The ``fleetbook`` command: the map of the product, and how its errors reach a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from app import __version__
from app.errors import AppError
from app.lifeline import hold
from app.service_log import failed
from ingest.errors import IngestError
from runner.errors import RunnerError

# In the order of `fleetbook --help`: panels, and modules of app/commands, each with register(app).
PANELS: Mapping[str, tuple[str, ...]] = {
    "Begin": ("demo", "registry", "templates"),
    "Fleet": ("agents", "people", "schedules", "schedule_changes", "knowledge", "mcp"),
    "Runs": ("runs", "approvals", "worker", "stop"),
    "Money and notices": ("wallets", "notices", "alerts"),
    "Agents built elsewhere": ("imports", "adopt", "otlp"),
    "Numbers and pages": (
        "build",
        "shell",
        "prices",
        "usage",
        "exports",
        "exports_due",
        "serve",
        "sign_in",
        "up",
    ),
    "Upkeep": ("doctor", "backup", "metrics", "machines"),
    "Assurance": ("review", "check", "binder", "risk", "assure", "sign", "waive", "cases", "content", "log"),
}

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


def _register(panel: str, module: str) -> None:
    """Add the commands of a module under the panel's heading."""
    known = len(app.registered_commands), len(app.registered_groups)
    import_module(f"app.commands.{module}").register(app)
    for command in app.registered_commands[known[0] :]:
        command.rich_help_panel = panel
    for group in app.registered_groups[known[1] :]:
        group.rich_help_panel = panel


for _panel, _modules in PANELS.items():
    for _module in _modules:
        _register(_panel, _module)


def main() -> None:
    """Run the command line. Product errors print their message to stderr and end with their exit code."""
    hold()
    try:
        app(args=workspace_first(sys.argv[1:]), prog_name="fleetbook")
    except PRODUCT_ERRORS as error:
        failed(error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
