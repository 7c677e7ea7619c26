"""Sign-in through OpenID Connect: what the workspace's secrets.toml says, and what a provider's claims say.

Streamlit does the protocol (state, nonce, PKCE; the claims lie in a signed cookie of 30 days that nobody can
revoke). So a claim only says who somebody is and since when: rights are looked up in the registry on every
rerun, and the time that the provider gave is checked here, because Streamlit does not.
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

from app.errors import SignInError

CALLBACK = "/oauth2callback"
FILE_NAME = "secrets.toml"
_NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_SECRET_CHARACTERS = 32
_DISCOVERY = "/.well-known/openid-configuration"
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")

Claims = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """How people sign in. ``auth`` is the table that Streamlit reads; ``hours`` how long a sign-in holds,
    None for as long as the provider's ID token says.
    """

    auth: Mapping[str, str | dict[str, str]]
    hours: float | None = None

    @property
    def host(self) -> str:
        """The name under which people reach the pages, from the redirect URI."""
        return urlsplit(str(self.auth["redirect_uri"])).hostname or ""


class Identity(NamedTuple):
    """Who a provider says it is: its subject, the verified e-mail address in lower case, or neither."""

    subject: str
    email: str
    told_email: str


def read_sign_in(root: Path) -> SignIn | None:
    """The sign-in of the workspace at ``root``, None where its secrets.toml has no table ``auth``.

    Raises SignInError when the file cannot be used as it stands, or others than its owner can read it.
    """
    file = root / FILE_NAME
    if not file.exists():
        return None
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        mode = file.stat().st_mode
    except (OSError, ValueError) as error:
        raise SignInError(f"Sign-in not usable: {file}: {error}. Correct the file.") from error
    auth = told.get("auth")
    if auth is None:
        return None
    if mode & 0o077:
        raise SignInError(
            f"Sign-in not usable: others than its owner can read {file}, which holds secrets. "
            f"Run `chmod 600 {file}`."
        )
    session = told.get("session", {})
    hours = session.get("hours") if isinstance(session, dict) else None
    problem = _problem(auth, hours)
    if problem:
        raise SignInError(f"Sign-in not usable: {file}: {problem}. docs/security.md has an example.")
    client = {"scope": "openid email profile", "code_challenge_method": "S256"}
    own = auth.get("client_kwargs", {})
    return SignIn(auth={**auth, "client_kwargs": {**client, **own}}, hours=hours)


def _problem(auth: object, hours: object) -> str:
    """What is wrong with the tables, empty when nothing is."""
    if not isinstance(auth, dict):
        return "[auth] is no table"
    for name in _NEEDED:
        if not isinstance(auth.get(name), str) or not auth[name]:
            return f"[auth] lacks {name}"
    address = urlsplit(auth["redirect_uri"])
    if address.path != CALLBACK or address.scheme not in ("http", "https"):
        return f"redirect_uri is {auth['redirect_uri']!r}, expected https://<host>{CALLBACK}"
    for name in ("redirect_uri", "server_metadata_url"):
        place = urlsplit(auth[name])
        if place.scheme != "https" and place.hostname not in _OWN_MACHINE:
            return f"{name} is {auth[name]!r}, and only on one's own machine may it be without https"
    if len(auth["cookie_secret"]) < _SECRET_CHARACTERS:
        return f"cookie_secret has fewer than {_SECRET_CHARACTERS} characters"
    if hours is not None and (isinstance(hours, bool) or not isinstance(hours, int | float) or hours <= 0):
        return f"[session] hours is {hours!r}, expected a number over 0"
    return ""


def write_sign_in(
    root: Path, *, provider: str, client_id: str, client_secret: str, address: str, hours: float | None
) -> Path:
    """Write the table ``auth`` into secrets.toml of ``root``, for its owner alone; with a new cookie secret.

    Returns the file. Raises SignInError when it would not be usable; then the file stays as it was.
    """
    known = provider.rstrip("/")
    auth = {
        "redirect_uri": address.rstrip("/") + CALLBACK,
        "cookie_secret": secrets.token_urlsafe(48),  # whoever was signed in has to sign in again
        "client_id": client_id,
        "client_secret": client_secret,
        "server_metadata_url": known if known.endswith(_DISCOVERY) else known + _DISCOVERY,
    }
    problem = _problem(auth, hours)
    if problem:
        raise SignInError(f"Sign-in not written: {problem}. docs/security.md has an example.")
    lines = ["[auth]", *(f"{name} = {json.dumps(told)}" for name, told in auth.items())]
    if hours is not None:
        lines += ["", "[session]", f"hours = {hours}"]
    file, making = root / FILE_NAME, root / f"{FILE_NAME}.tmp"
    making.unlink(missing_ok=True)
    making.touch(mode=0o600)
    making.write_text("\n".join(lines) + "\n", encoding="utf-8")
    making.replace(file)
    return file


def reach_provider(sign_in: SignIn) -> str:
    """The issuer as the provider's configuration states it. Raises SignInError when there is no answer."""
    url = str(sign_in.auth["server_metadata_url"])
    try:
        with urlopen(url, timeout=10) as answer:
            return str(json.load(answer)["issuer"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise SignInError(
            f"Provider not reached: {url} ({type(error).__name__}: {error}). "
            "Correct the address with `fleetbook sign-in set`, or the network."
        ) from error


def identity_of(claims: Claims) -> Identity:
    """Who the provider says it is. An address that the provider has not verified names nobody."""
    told = str(claims.get("email") or "").strip()
    is_verified = claims.get("email_verified") in (True, "true")
    return Identity(str(claims.get("sub") or ""), told.casefold() if is_verified else "", told)


def ends_at(claims: Claims, hours: float | None) -> dt.datetime | None:
    """When the sign-in ends, UTC: ``hours`` after it was made, or with its ID token; None: not told."""
    start, end = claims.get("iat"), claims.get("exp")
    if hours is not None:
        return _moment(start, hours * 3600)
    return _moment(end)


def _moment(seconds: object, later: float = 0.0) -> dt.datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return dt.datetime.fromtimestamp(seconds + later, dt.UTC)
