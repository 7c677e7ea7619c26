"""The pages as one ASGI application, started by ``app/commands/serve.py`` in a process of its own."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.errors import PRODUCT_ERRORS, SignInError
from app.export import interrupted, links
from app.headers import SecurityHeaders, security_headers
from app.lifeline import hold
from app.service_log import set_up
from app.sign_in import SignIn, read_sign_in
from ingest.workspace import Workspace, home

if TYPE_CHECKING:
    from streamlit.runtime.secrets import SecretsValue

_log = logging.getLogger("fleetbook.pages")
_OWN_MACHINE = ["localhost", "127.0.0.1"]
_ENTRY = Path(__file__).with_name("streamlit_app.py")

# Imported before the first visitor, so that nobody waits for them and gc.freeze covers them.
_WARM = (
    "duckdb",
    "pandas",
    "plotly.graph_objects",
    "polars",
    "pyarrow",
    "app.desk",
    "app.warehouse",
    "app.charts",
    *(f"app.views.{path.stem}" for path in sorted(Path(__file__).with_name("views").glob("[!_]*.py"))),
)


@contextlib.asynccontextmanager
async def _warm(_app: st.App) -> AsyncIterator[dict[str, object] | None]:
    """Load the heavy modules and freeze them out of every later collection: 5-7 times more sessions."""
    for module in _WARM:
        import_module(module)
    for begun in interrupted.since_the_last_start(Workspace.open(home()).export_dir):
        print(begun.told, file=sys.stderr)
    gc.collect()
    gc.freeze()
    yield None


def _plain_sentence(error: Exception) -> bool:
    """Tell the reader in words that the page failed; the traceback goes to the terminal only."""
    _log.error("Page failed: %s", type(error).__name__, exc_info=error)
    if get_script_run_ctx() is not None:
        st.error(
            "This page could not be shown. The reason is in the terminal where the pages run. "
            "Reload the page; if it fails again, run `fleetbook build` and start the pages anew.",
            icon=":material/error:",
        )
    return True


async def _exported(request: Request) -> Response:
    """The file a signed link names, streamed from disk."""
    path = links.file_of(request.path_params["token"])
    if path is None:
        return PlainTextResponse(
            "This link has ended. Open the export on the page Log and export again.\n", status_code=410
        )
    return FileResponse(path, filename=path.name, media_type="application/octet-stream")


def application(sign_in: SignIn | None) -> st.App:
    """The pages; with ``sign_in`` people come in through its provider."""
    index = Path(st.__file__).with_name("static") / "index.html"
    return st.App(
        _ENTRY,
        routes=[Route(links.PATH, _exported)],
        lifespan=_warm,
        on_script_error=_plain_sentence,
        middleware=[Middleware(SecurityHeaders, headers=security_headers(index))],
        secrets={"auth": cast("SecretsValue", dict(sign_in.auth))} if sign_in else None,
    )


def settings(port: int, sign_in: SignIn | None) -> dict[str, object]:
    """Streamlit's settings that depend on this start: bound to this machine, and the names it answers to."""
    names = {"server.port": port, "server.address": "127.0.0.1"}
    if sign_in is None:
        return names
    return names | {
        "server.allowedHosts": [*_OWN_MACHINE, sign_in.host],
        "browser.serverAddress": sign_in.host,  # the origin from which a browser may open the socket
    }


def main() -> None:
    """Serve on 127.0.0.1 at the port given as first argument, until interrupted."""
    port = int(sys.argv.pop(1))
    hold()
    try:
        set_up()
        sign_in = read_sign_in(Workspace.open(home()).root)
        if sign_in is not None and find_spec("authlib") is None:
            raise SignInError(
                "Pages not started: secrets.toml declares a sign-in, and Authlib is not installed. "
                "Run `./fleetbook serve`, which installs what the lock names, or `pip install authlib`."
            )
    except PRODUCT_ERRORS as error:
        sys.exit(str(error))
    application(sign_in).run(config=settings(port, sign_in))


if __name__ == "__main__":
    main()
