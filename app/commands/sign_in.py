"""``fleetbook sign-in``: how people come in through the company's identity provider, declared and checked."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add ``sign-in`` to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Sign-in through the company's identity provider (OIDC).")
    group.command("set")(set_)
    group.command("check")(check)
    app.add_typer(group, name="sign-in")


def set_(
    provider: Annotated[
        str, typer.Option("--provider", help="Issuer, or its /.well-known/openid-configuration.")
    ],
    client_id: Annotated[str, typer.Option("--client-id", help="Id that the provider gave the pages.")],
    address: Annotated[
        str, typer.Option("--address", help="Where people open the pages, for example https://fleet.example.")
    ],
    client_secret: Annotated[
        str,
        typer.Option(
            "--client-secret",
            envvar="FLEETBOOK_CLIENT_SECRET",
            prompt="Client secret",
            hide_input=True,
            help="Asked for when left out.",
        ),
    ],
    hours: Annotated[
        float | None,
        typer.Option("--hours", min=0.1, help="How long a sign-in holds. Default: as the ID token says."),
    ] = None,
) -> None:
    """Write secrets.toml of the workspace; the pages ask for a sign-in from their next start on."""
    from app.sign_in import write_sign_in
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    file = write_sign_in(
        workspace.root,
        provider=provider,
        client_id=client_id,
        client_secret=client_secret,
        address=address,
        hours=hours,
    )
    typer.echo(
        f"Written: {file}. Tell the provider the redirect URI {address.rstrip('/')}/oauth2callback, name "
        "people with `fleetbook people sign-in`, then start the pages anew (`fleetbook sign-in check`)."
    )


def check() -> None:
    """Say how people come in, ask the provider for its configuration, and name people without a sign-in."""
    from app.sign_in import reach_provider, read_sign_in
    from ingest.workspace import Workspace, home
    from runner.control.plane import Control

    workspace = Workspace.open(home())
    sign_in = read_sign_in(workspace.root)
    if sign_in is None:
        typer.echo(
            "No sign-in: people are picked, on this machine only. `fleetbook sign-in set` declares one."
        )
        raise typer.Exit(1)
    issuer = reach_provider(sign_in)
    with Control(workspace, process_name="fleetbook sign-in") as control:
        people = control.registry().people
    unnamed = [one for one, person in people.items() if person.email is None and person.subject is None]
    typer.echo(
        f"Sign-in through {issuer}, for {sign_in.host}. {len(people) - len(unnamed)} people are named."
    )
    if unnamed:
        typer.echo(f"Not named, so they cannot come in: {', '.join(unnamed)}.")
        raise typer.Exit(1)
