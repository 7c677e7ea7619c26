"""``fleetbook serve-otlp`` and ``token create|list|revoke``: runs of agents elsewhere, over OTLP/HTTP."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ingest.errors import WriterError
    from ingest.receivers.tokens import Token

_log = logging.getLogger("fleetbook.receiver")
# The port that OpenTelemetry gives to OTLP over HTTP: senders use it unless told otherwise.
DEFAULT_PORT = 4318
# Sealing takes memory: at full speed 490 MiB with files of 64 MiB, 390 with 16, 310 with 8.
SEAL_BYTES = 8 << 20
MEBIBYTE = 1 << 20

PersonOption = Annotated[str | None, typer.Option("--as", metavar="PERSON", help="Who does it.")]


def register(app: typer.Typer) -> None:
    """Add the receiver and its tokens to the command line."""
    app.command("serve-otlp")(serve_otlp)
    token = typer.Typer(no_args_is_help=True, help="Tokens with which outside agents send their runs.")
    token.command("create")(token_create)
    token.command("list")(token_list)
    token.command("revoke")(token_revoke)
    app.add_typer(token, name="token")


def serve_otlp(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Default: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = DEFAULT_PORT,
    body_mb: Annotated[int, typer.Option(min=1, help="Largest request in MiB, as it arrives.")] = 16,
    token_mb_per_s: Annotated[int, typer.Option(min=1, help="MiB a second that one token may send.")] = 128,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain (PEM), for https.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key of the certificate (PEM).")] = None,
) -> None:
    """Take in spans and log records of outside agents (OTLP/HTTP) until Ctrl-C. 200 means: on the disk."""
    import uvicorn

    from app.commands.listening import listening, serve_until_signal
    from ingest.log.writer import LogWriter
    from ingest.receivers.limits import Limits
    from ingest.receivers.memory import collect_rarely, keep_memory_flat
    from ingest.receivers.otlp import Receiver
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    keep_memory_flat()
    failures: list[WriterError] = []
    limits = Limits(body_bytes=body_mb * MEBIBYTE, token_bytes_per_second=token_mb_per_s * MEBIBYTE)
    with (
        listening("Receiver", host, port, "serve-otlp") as listener,
        LogWriter(
            workspace, recorded_via="otlp", process_name="fleetbook serve-otlp", seal_bytes=SEAL_BYTES
        ) as writer,
    ):

        def stop(error: WriterError) -> None:
            failures.append(error)
            server.should_exit = True

        receiver = Receiver(workspace, writer, limits=limits, on_failure=stop)
        config = uvicorn.Config(
            receiver.application(),
            access_log=False,
            log_config=None,
            server_header=False,
            # Exporters send every few seconds over one connection; closed in between, they fail once.
            timeout_keep_alive=75,
            timeout_graceful_shutdown=10,
            ssl_certfile=tls_cert,
            ssl_keyfile=tls_key,
        )
        server = uvicorn.Server(config)
        scheme = "https" if tls_cert else "http"
        _log.info("Receiver: %s://%s:%d  (/v1/traces, /v1/logs; Ctrl-C stops it)", scheme, host, port)
        if scheme == "http" and host not in ("127.0.0.1", "::1", "localhost"):
            _log.warning(
                "Tokens travel unencrypted: give --tls-cert and --tls-key, or put a TLS proxy in front."
            )
        collect_rarely()
        serve_until_signal(
            server, listener, _log, "Receiver stopped. What it answered with 200 is in the log."
        )
        if failures:
            raise failures[0]


def token_create(
    team: Annotated[str, typer.Option(help="Team that the sending agents belong to.")],
    label: Annotated[str, typer.Option(help="What sends with it, for the list.")] = "",
    content: Annotated[
        Literal["off", "hashed", "on"],
        typer.Option(help="Prompt, answer, argument and result texts: dropped, kept as a hash, or kept."),
    ] = "off",
    endpoint: Annotated[
        str, typer.Option(help="Address of the receiver as senders see it, for the printed lines.")
    ] = f"http://127.0.0.1:{DEFAULT_PORT}",
    person: PersonOption = None,
) -> None:
    """Make a token for a team's agents and print it, once, as the two lines that the sender needs."""
    from ingest.log.writer import LogWriter, utc_now
    from ingest.receivers.tokens import create_token
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    _refuse_unknown_team(workspace.registry_file, team)
    with LogWriter(workspace, recorded_via="app", process_name="fleetbook token create") as writer:
        made = create_token(
            workspace,
            writer,
            team_id=team,
            label=label,
            content_capture=content,
            person_id=person,
            now=utc_now(),
        )
    typer.echo(f"Token {made.token.token_id} of team {team}, content {content}. It is shown this once:")
    typer.echo(f"  OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}")
    typer.echo(f"  OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20{made.text}")
    typer.echo("docs/connect.md has the lines for each framework.")


def token_list() -> None:
    """List the tokens: id, team, content rule, what they are for, and whether they still work."""
    from rich.console import Console
    from rich.table import Table

    from ingest.receivers.tokens import read_tokens
    from ingest.workspace import Workspace, home

    tokens = read_tokens(Workspace.open(home()))
    if not tokens:
        typer.echo("No tokens. Make one with `fleetbook token create --team <team>`.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("token", "team", "content", "state", "made", "label"):
        table.add_column(name, overflow="fold")
    for token in tokens:
        table.add_row(*_cells(token))
    Console(highlight=False, markup=False).print(table)


def token_revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `token list` shows it.")],
    person: PersonOption = None,
) -> None:
    """Revoke a token: its next request is refused. What it sent before stays."""
    from ingest.log.writer import LogWriter, utc_now
    from ingest.receivers.tokens import revoke_token
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    with LogWriter(workspace, recorded_via="app", process_name="fleetbook token revoke") as writer:
        token = revoke_token(workspace, writer, token_id, person_id=person, now=utc_now())
    typer.echo(f"Token {token.token_id} of team {token.team_id} is revoked.")


def _cells(token: Token) -> tuple[str, ...]:
    state = "works" if token.revoked_at is None else f"revoked {token.revoked_at[:10]}"
    return (token.token_id, token.team_id, token.content_capture, state, token.created_at[:10], token.label)


def _refuse_unknown_team(registry_file: Path, team: str) -> None:
    """A team that registry.yaml does not know is a typing error; without registry.yaml any team is taken."""
    if not registry_file.exists():
        return
    from ingest.errors import TokenError
    from runner.control.registry_file import load_registry

    teams = load_registry(registry_file).teams
    if team not in teams:
        raise TokenError(
            f"Token not made: team {team!r} is not in {registry_file}, which has {', '.join(sorted(teams))}. "
            "Name one of these with --team, or declare the team there."
        )
