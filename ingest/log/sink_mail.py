"""A mailbox as a checkpoint sink: each checkpoint is one message, sent by SMTP.

``FLEETBOOK_SMTP_URL`` is ``smtp://USER:PASSWORD@HOST:587`` (STARTTLS), ``smtps://…`` (TLS from the start)
or, for a relay on this machine that asks for nothing, ``smtp://localhost:25``; ``FLEETBOOK_MAIL_FROM`` the
sender.
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from ingest.errors import NotaryError
from ingest.log.disk import make_folder
from ingest.log.sink_folder import FolderSink

SMTP_VARIABLE = "FLEETBOOK_SMTP_URL"
FROM_VARIABLE = "FLEETBOOK_MAIL_FROM"
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
_TIMEOUT_S = 30
_PORTS = {"smtp": 587, "smtps": 465}


class MailSink(FolderSink):
    """One mailbox; what was sent to it is remembered below ``memory``, because it cannot be read back.

    Raises NotaryError for an address that is none.
    """

    def __init__(self, address: str, memory: Path) -> None:
        if not _ADDRESS.fullmatch(address):
            raise NotaryError(
                f"Not kept: {address!r} is no mail address. Write it as mailto:AUDIT@EXAMPLE.ORG."
            )
        self._address = address
        self._memory = memory / f"mail-{sha256(address.lower().encode()).hexdigest()[:16]}"
        super().__init__(self._memory, address)

    def keep(self, name: str, note: str) -> str:
        """Send the note unless it was sent. A second message after a crash has the same Message-ID.

        Raises NotaryRefusal, NotaryError, OSError.
        """
        if not self.holds(name, note):
            _send(_message(self._address, name, note))
            make_folder(self._memory)
            super().keep(name, note)
        return f"{name} sent to {self._address}"


def _message(address: str, name: str, note: str) -> EmailMessage:
    sender = os.environ.get(FROM_VARIABLE, "")
    if not _ADDRESS.fullmatch(sender):
        raise NotaryError(f"Not kept: {FROM_VARIABLE} is {sender!r}. Set it to the sender's mail address.")
    message = EmailMessage()
    message["From"], message["To"] = sender, address
    message["Subject"] = f"Fleetbook checkpoint {Path(name).stem}"
    domain = sender.partition("@")[2]
    message["Message-ID"] = f"<{sha256(f'{address} {note}'.encode()).hexdigest()}@{domain}>"
    message.set_content(
        "The attached file states the whole event log up to now. Keep it: whoever verifies the log later "
        "names it with `fleetbook verify --against FILE`.\n"
    )
    message.add_attachment(note.encode(), maintype="application", subtype="octet-stream", filename=name)
    return message


def _send(message: EmailMessage) -> None:
    url = os.environ.get(SMTP_VARIABLE, "")
    try:
        server = urlsplit(url)
        port = server.port or _PORTS.get(server.scheme, 0)
    except ValueError:
        server, port = urlsplit(""), 0
    if server.scheme not in _PORTS or not server.hostname:
        raise NotaryError(
            f"Not kept: {SMTP_VARIABLE} is not set to a mail server. "
            "Write it as smtp://USER:PASSWORD@HOST:587 or smtps://…:465."
        )
    where = f"{server.hostname}:{port}"
    try:
        _deliver(message, server, port)
    except (smtplib.SMTPException, OSError) as error:
        raise NotaryError(
            f"Signed, but not sent to {message['To']}: {where} says {error}. "
            f"Check {SMTP_VARIABLE}, then run `fleetbook notarise` again."
        ) from error


def _deliver(message: EmailMessage, server: SplitResult, port: int) -> None:
    context = ssl.create_default_context()
    host = server.hostname or ""
    client = (
        smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=context)
        if server.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
    )
    with client:
        client.ehlo()
        # A password travels encrypted or not at all.
        if server.scheme == "smtp" and (server.password or client.has_extn("starttls")):
            client.starttls(context=context)
        if server.username and server.password:
            client.login(unquote(server.username), unquote(server.password))
        client.send_message(message)
