"""``fleetbook sign``, ``signed`` and ``check-pack``: the evidence pack of a month and who stands for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MonthOption = Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="Month of the check.")]
PackOption = Annotated[
    Path | None,
    typer.Option("--pack", metavar="FOLDER", help="The pack, where it is not the one in the workspace."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("check-pack")(check_pack)
    app.command("sign")(sign)
    app.command("signed")(signed)


def check_pack(
    month: MonthOption,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PLACE", help="Another folder, or a file ending with .zip."),
    ] = None,
) -> None:
    """Make the evidence pack from the last answer of a month; nothing is checked again."""
    from app.checks.follow import make_pack
    from ingest.workspace import Workspace, home
    from runner.control.months import parse_month
    from runner.control.plane import Control

    asked = parse_month(month)
    with Control(Workspace.open(home()), process_name="fleetbook check-pack", recorded_via="app") as control:
        pack = make_pack(control, asked, out)
    typer.echo(f"{pack.place}: {pack.file_count} files, manifest {pack.content_sha256}")
    typer.echo(f"Sign it with: fleetbook sign --month {month} --as <person>")


def sign(
    month: MonthOption,
    person: Annotated[str, typer.Option("--as", metavar="PERSON", help="Person id who signs.")],
    statement: Annotated[
        str, typer.Option(help="What you state; without it: that you read the report, and what is open.")
    ] = "",
    second: Annotated[bool, typer.Option("--second", help="Sign as the second person.")] = False,
    pack: PackOption = None,
) -> None:
    """Sign the evidence pack of a month, after every file of it was compared with its manifest.

    The signature is an event in the log over the manifest's SHA-256. With oversight.signatures_needed: 2 in
    registry.yaml a month counts as signed after a second person has signed, too.
    """
    from app.checks.follow import answer_of, sign_pack, statement_of
    from ingest.workspace import Workspace, home
    from runner.control.months import parse_month
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    first = parse_month(month)
    said = statement or statement_of(answer_of(workspace, first))
    with Control(workspace, process_name="fleetbook sign", recorded_via="app") as control:
        done = sign_pack(control, first, person, said, is_second=second, place=pack)
    typer.echo(f"Signed: {done.check_month} by {done.person_id}, manifest {done.content_sha256}")
    if done.is_second_needed and not done.is_second_signature:
        typer.echo(f"A second person signs: fleetbook sign --month {month} --second --as <person>")


def signed(
    month: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Only this month.")] = None,
) -> None:
    """List who signed which month, over which pack, and with what words."""
    from rich.console import Console
    from rich.text import Text

    from ingest.workspace import Workspace, home
    from runner.control import signatures
    from runner.control.plane import Control

    console = Console(highlight=False)
    with Control(Workspace.open(home())) as control, control.store.read() as connection:
        given = signatures.of_month(connection, month)
    if not given:
        console.print("Nothing is signed yet.", markup=False)
    for one in given:
        own = [other for other in given if other.content_sha256 == one.content_sha256]
        state = "" if signatures.is_complete(own) else " · waits for a second person"
        head = f"{one.check_month} · {one.person_id} · {one.signed_at:%Y-%m-%d %H:%M} UTC{state}"
        console.print(Text(head, "bold"), soft_wrap=True)
        console.print(Text(f"  {one.statement}"), soft_wrap=True)
        console.print(Text(f"  manifest {one.content_sha256}", "dim"), soft_wrap=True)
