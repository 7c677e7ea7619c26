"""A small OpenID Connect provider for tests: authorization code with PKCE, signed ID tokens, logout."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "fleetbook", "a-secret-of-the-test"


@dataclass
class Provider:
    """Who comes to sign in is whoever ``claims`` says; ``ended`` counts the sign-outs it was told of."""

    issuer: str
    claims: dict[str, object] = field(default_factory=dict)
    ended: int = 0
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "test"}))
    _codes: dict[str, tuple[str, str]] = field(default_factory=dict)

    def comes(self, subject: str, email: str, *, verified: bool = True, since_s: int = 0) -> None:
        """The next to sign in; ``since_s`` seconds ago the provider says they did."""
        now = int(time.time())
        self.claims = {"sub": subject, "email": email, "email_verified": verified, "name": subject}
        self.claims |= {"iat": now - since_s, "exp": now + 600}

    def app(self) -> Starlette:
        """The provider as an application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
                Route("/logout", self._logout),
            ]
        )

    async def _discovery(self, _request: Request) -> Response:
        places = {"authorization": "authorize", "token": "token", "end_session": "logout"}
        told: dict[str, object] = {f"{name}_endpoint": f"{self.issuer}/{at}" for name, at in places.items()}
        told |= {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
        return JSONResponse(told)

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = (asked["nonce"], asked["code_challenge"])
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}")

    async def _token(self, request: Request) -> Response:
        told = {name: one[0] for name, one in parse_qs((await request.body()).decode()).items()}
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        assert base64.b64decode(basic).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
        nonce, challenge = self._codes.pop(told["code"])  # once
        digest = hashlib.sha256(told["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "nonce": nonce, **self.claims}
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self.key)
        return JSONResponse(
            {"access_token": "none", "token_type": "Bearer", "expires_in": 600, "id_token": token}
        )

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False) | {"use": "sig", "alg": "RS256"}]})

    async def _logout(self, request: Request) -> Response:
        self.ended += 1
        return RedirectResponse(request.query_params["post_logout_redirect_uri"])


@contextmanager
def running() -> Iterator[Provider]:
    """The provider, listening on a free port of this machine while this is open."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    provider = Provider(issuer=f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
