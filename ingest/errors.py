"""Errors of the event log, as one tree.

IngestError
├── WorkspaceError      the workspace folder is missing, half made or of another version
├── ContractError       an event does not meet the contract
├── WriterError         the log could not be written; the writer takes no more events
├── SegmentError        a sealed file is missing, torn or not what the manifest says
├── MaintenanceError    a compaction, pruning, erasure or hold cannot be done
│   └── MaintenanceRefusal   the law, a hold or a rule forbids it
├── KeyUnusable         a key of texts is missing, unreadable or not the right one
│   └── PayloadLocked        a text is encrypted with a key that is not at hand
├── PlaceError          the place of the shared record cannot be used or reached
│   ├── PlaceRefusal         it is not the record that this machine knows
│   └── ShippingBusy         another process of this machine ships
├── EvidenceError       an evidence bundle cannot be made
├── VerificationError   the log could not be verified to its end
├── NotaryError         the notary's key or memory cannot be used
│   └── NotaryRefusal   the notary does not sign: the log does not continue what it signed before
├── RequestError        an OTLP request is no such request, or too large
├── TokenError          a sender's token cannot be made, found or revoked
├── SourceError         an import file cannot be read or is of an unknown format
└── MappingError        an import mapping names a team or agent that is not there

Every message has three parts: what happened · with which values · what to do now.
"""

from __future__ import annotations

from typing import ClassVar


class IngestError(Exception):
    """Base of every error the event log raises on purpose.

    ``exit_code`` is what the command line ends with: 1 a finding or a refusal, 2 it could not be done.
    """

    exit_code: ClassVar[int] = 2


class WorkspaceError(IngestError):
    """The workspace folder is missing, half made or of another version."""


class ContractError(IngestError):
    """An event does not meet the contract.

    ``event_type`` and ``problem`` say which event and what is wrong; nothing of the batch was written.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        event_type: str,
        problem: str,
        advice: str = "Correct the sender; docs/events.md lists every column.",
    ):
        self.event_type = event_type
        self.problem = problem
        super().__init__(f"Event refused: {event_type or 'without type'}: {problem}. {advice}")


class WriterError(IngestError):
    """The log could not be written; the writer takes no more events."""


class SegmentError(IngestError):
    """A sealed file is missing, torn or not what the manifest says."""


class MaintenanceError(IngestError):
    """A compaction, pruning, erasure or hold cannot be done."""


class MaintenanceRefusal(MaintenanceError):
    """The law, a legal hold or a rule forbids what was asked; nothing was changed."""

    exit_code: ClassVar[int] = 1


class KeyUnusable(IngestError):
    """A key of texts is missing, cannot be read, or is none."""


class PayloadLocked(KeyUnusable):
    """Texts are encrypted with keys that are not at hand; ``key_ids`` names them."""

    def __init__(self, key_ids: frozenset[str]):
        self.key_ids = key_ids
        super().__init__(
            f"Texts not readable: they are encrypted with key {', '.join(sorted(key_ids))}, which is not at "
            "hand. Set FLEETBOOK_PAYLOAD_KEY to the file that holds it."
        )


class PlaceError(IngestError):
    """The place of the shared record cannot be used, or is not reached now."""


class PlaceRefusal(PlaceError):
    """The place holds another record than this machine knows, or less of it; nothing was shipped."""

    exit_code: ClassVar[int] = 1


class ShippingBusy(PlaceError):
    """Another process of this machine ships to the shared record right now."""


class EvidenceError(IngestError):
    """An evidence bundle cannot be made."""


class VerificationError(IngestError):
    """The log could not be verified to its end; what was seen until then is no result."""


class NotaryError(IngestError):
    """The notary's key, memory or a checkpoint cannot be read."""


class NotaryRefusal(NotaryError):
    """The notary does not sign: the log does not continue what it signed before."""

    exit_code: ClassVar[int] = 1


class RequestError(IngestError):
    """An OTLP request is no such request, or too large. The text goes back to the sender."""


class TokenError(IngestError):
    """A sender's token cannot be made, found or revoked."""

    exit_code: ClassVar[int] = 1


class SourceError(IngestError):
    """An import file cannot be read or is of an unknown format."""


class MappingError(IngestError):
    """An import mapping names a team or agent that is not there."""
