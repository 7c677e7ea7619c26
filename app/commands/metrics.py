"""``fleetbook serve-metrics``: the workspace's vital signs for Prometheus, and a health address."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

_log = logging.getLogger("fleetbook.metrics")
DEFAULT_PORT = 9464  # the port that OpenTelemetry gives to Prometheus exporters


def register(app: typer.Typer) -> None:
    """Add ``serve-metrics`` to the command line."""
    app.command("serve-metrics")(serve_metrics)


def serve_metrics(
    host: Annotated[
        str, typer.Option(help="Address to listen on. Default: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = DEFAULT_PORT,
) -> None:
    """Answer /metrics (Prometheus) and /health (200, or 503 with what is broken) until Ctrl-C."""
    import uvicorn

    from app.commands.listening import listening, serve_until_signal
    from app.upkeep.endpoints import application
    from ingest.workspace import Workspace, home

    workspace = Workspace.open(home())
    with listening("Metrics", host, port, "serve-metrics") as listener:
        config = uvicorn.Config(
            application(workspace), access_log=False, log_config=None, server_header=False
        )
        _log.info("Metrics: http://%s:%d/metrics, and /health  (Ctrl-C stops it)", host, port)
        serve_until_signal(uvicorn.Server(config), listener, _log, "Metrics stopped.")
