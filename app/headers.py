"""Headers of every answer of the pages: what a browser may load, and that nobody frames or sniffs it.

Streamlit sends none of them. The policy lets a page load from its own server only, so that a remote image in
a prompt, whatever shows it, is never fetched; Streamlit's one inline script is allowed by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def security_headers(index: Path) -> dict[str, str]:
    """The headers for pages whose entry is the HTML file ``index``. Raises OSError."""
    scripts = "".join(f" '{_hash(text)}'" for text in _INLINE.findall(index.read_text(encoding="utf-8")))
    policy = {
        "default-src": "'self'",
        "script-src": f"'self'{scripts}",
        "style-src": "'self' 'unsafe-inline'",  # the frontend writes its styles at run time
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",  # a link of ours carries ids in its address
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


class SecurityHeaders:
    """ASGI middleware that adds ``headers`` to each answer."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the headers to its answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        await self.app(scope, receive, with_headers)
