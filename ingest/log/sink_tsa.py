"""A timestamp authority (RFC 3161) as a checkpoint sink; needs the extra ``timestamp`` (rfc3161-client).

The authority signs that it saw the checkpoint at a moment. Its answer, the token, is kept beside a copy of
the checkpoint; ``fleetbook verify --against TOKEN`` checks it with the authority's certificates.
"""

from __future__ import annotations

import datetime as dt
import os
import urllib.error
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509

from ingest.errors import NotaryError
from ingest.log.disk import make_folder, write_file
from ingest.log.sink_folder import FolderSink

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

CERTS_VARIABLE = "FLEETBOOK_TSA_CERTS"
TOKEN_SUFFIX = ".tsr"
_TIMEOUT_S = 30
_MAX_BYTES = 1 << 20


class Stamp(NamedTuple):
    """What a token says: when its authority saw the checkpoint. ``problem`` says why it proves nothing."""

    seen_at: dt.datetime | None
    problem: str = ""


class TsaSink(FolderSink):
    """One authority by its URL; tokens and copies of their checkpoints are kept below ``memory``."""

    def __init__(self, url: str, memory: Path) -> None:
        if not url.startswith(("https://", "http://")):
            raise NotaryError(
                f"Not kept: {url!r} is no timestamp authority. Write it as tsa:https://HOST/PATH."
            )
        self._url = url
        self._memory = memory / f"tsa-{sha256(url.encode()).hexdigest()[:16]}"
        super().__init__(self._memory, url)

    def keep(self, name: str, note: str) -> str:
        """Ask for a token unless there is one. Raises NotaryRefusal, NotaryError, OSError."""
        token = self._memory / f"{name}{TOKEN_SUFFIX}"
        if not (self.holds(name, note) and token.exists()):
            answer = _ask(self._url, note.encode())
            make_folder(self._memory)
            write_file(token, answer)
            super().keep(name, note)
        return str(token)


def _ask(url: str, note: bytes) -> bytes:
    """The authority's answer for ``note``, checked as far as it can be without its certificates."""
    _require_client()
    from rfc3161_client import PKIStatus, TimestampRequestBuilder

    request = TimestampRequestBuilder().data(note).build()
    body = urllib.request.Request(
        url, data=request.as_bytes(), headers={"Content-Type": "application/timestamp-query"}
    )
    try:
        with urllib.request.urlopen(body, timeout=_TIMEOUT_S) as reply:
            answer = bytes(reply.read(_MAX_BYTES))
    except (urllib.error.URLError, OSError) as error:
        raise _unusable(url, error) from error
    response = _decoded(answer)
    if response is None or PKIStatus(response.status) != PKIStatus.GRANTED:
        raise _unusable(url, "its answer grants no timestamp")
    token = response.tst_info
    if token.message_imprint.message not in _digests(note) or token.nonce != request.nonce:
        raise _unusable(url, "its answer is about something else")
    return answer


def _digests(note: bytes) -> set[bytes]:
    from hashlib import sha384, sha512

    return {digest(note).digest() for digest in (sha256, sha384, sha512)}


def _decoded(answer: bytes) -> TimeStampResponse | None:
    from rfc3161_client import decode_timestamp_response

    try:
        return decode_timestamp_response(answer)
    except ValueError:
        return None


def read_token(token: Path) -> tuple[str, Stamp]:
    """The checkpoint beside ``token``, and what the token says of it.

    Raises NotaryError when it could not be checked: no certificates, no package, a file that cannot be read.
    """
    try:
        answer = token.read_bytes()
        note = token.with_suffix("").read_bytes()
    except OSError as error:
        raise NotaryError(
            f"Not verified: {error.filename} cannot be read ({error.strerror}). A token needs the checkpoint "
            f"that it is about beside it, under the same name without {TOKEN_SUFFIX}."
        ) from error
    roots, others = _certificates()
    _require_client()
    from rfc3161_client import VerificationError, VerifierBuilder

    response = _decoded(answer)
    if response is None:
        return note.decode("utf-8", "replace"), Stamp(None, "it is no timestamp token")
    verifier = VerifierBuilder(roots=roots, intermediates=others).build()
    try:
        verifier.verify_message(response, note)
        stamp = Stamp(response.tst_info.gen_time)
    except (VerificationError, ValueError) as error:
        stamp = Stamp(None, str(error) or "its signature does not hold")
    return note.decode("utf-8", "replace"), stamp


def _certificates() -> tuple[list[x509.Certificate], list[x509.Certificate]]:
    """The authorities' roots, and the other certificates, of the PEM file that the variable names."""
    named = os.environ.get(CERTS_VARIABLE, "")
    try:
        found = x509.load_pem_x509_certificates(Path(named).read_bytes()) if named else []
    except (OSError, ValueError) as error:
        raise NotaryError(
            f"Not verified: {CERTS_VARIABLE} names {named}, which holds no certificates ({error}). "
            "Name a PEM file with the authority's root certificate."
        ) from error
    roots = [certificate for certificate in found if certificate.issuer == certificate.subject]
    if not roots:
        raise NotaryError(
            "Not verified: a timestamp token proves nothing without its authority's root certificate. "
            f"Set {CERTS_VARIABLE} to a PEM file that holds it."
        )
    return roots, [certificate for certificate in found if certificate not in roots]


def _require_client() -> None:
    try:
        import rfc3161_client  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise NotaryError(
            "Timestamps need the package rfc3161-client, which is not installed. "
            "Install it with `pip install 'fleetbook[timestamp]'` and run the command again."
        ) from error


def _unusable(url: str, problem: object) -> NotaryError:
    return NotaryError(
        f"Signed, but no timestamp from {url}: {problem}. "
        "Check the address and the network, then run `fleetbook notarise` again."
    )
