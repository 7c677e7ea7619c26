"""The addresses for monitoring: /metrics for Prometheus, /health for supervisors and load balancers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.upkeep.doctor import examine
from app.upkeep.exposition import WorkspaceCollector
from ingest.log.writer import utc_now
from ingest.workspace import Workspace


def application(workspace: Workspace) -> Starlette:
    """The ASGI application. Its answers hold counts and words about stores, never texts of runs."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkspaceCollector(workspace))

    def metrics(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=media_type)

    def health(_: Request) -> Response:
        """503 when something is broken; what is only worth a look is listed and does not count."""
        found = [one for one in examine(workspace, utc_now()) if one.state != "ok"]
        is_broken = any(one.state == "broken" for one in found)
        findings = [{"subject": one.subject, "state": one.state, "words": one.words} for one in found]
        body = {"status": "broken" if is_broken else "ok", "findings": findings}
        return JSONResponse(body, 503 if is_broken else 200)

    return Starlette(routes=[Route("/metrics", metrics), Route("/health", health)])
