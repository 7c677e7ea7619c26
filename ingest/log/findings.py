"""What a verification can find: the words, their meaning, and the report."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.log.taken_in import Taken

LEVELS: dict[int, str] = {
    1: "chain, links, gaps and columns of every event; signatures of the checkpoints",
    2: "level 1, and every sealed file, manifest line and payload hashed again",
    3: "level 2, and the manifest compared with checkpoints kept outside",
}

FINDINGS: dict[str, str] = {
    "chain_broken": "an event's body does not have the chain value that stands beside it",
    "columns_differ": "a typed column says something else than the hashed body",
    "body_unreadable": "a hashed body is no event of the contract",
    "link_broken": "a segment does not begin where the one before it ended",
    "seq_gap": "events of a writer are missing between two that are there",
    "seq_duplicate": "a position in a writer's chain is there twice",
    "tail_missing": "the last events of a writer are missing",
    "not_arrived": "a machine is silent, and events that it acknowledged are not known to be in the record",
    "count_differs": "a segment, or a writer's closing event, states another number of events than is there",
    "head_differs": "a chain does not end in the value that the manifest holds",
    "file_missing": "a segment of the manifest is not on the disk",
    "file_changed": "a sealed file has other bytes than when it was sealed",
    "file_unreadable": "a sealed file cannot be read",
    "file_unknown": "a file lies in the lake that was never sealed",
    "row_unlisted": "a sealed file holds a row that the manifest does not list there",
    "record_contradicts": "a compaction or prune record does not fit the files it names",
    "pruned_too_early": "events were deleted before the six months that the law has them kept",
    "wal_damaged": "an open line file holds whole lines that do not continue its chain",
    "manifest_damaged": "a line of the manifest is no entry",
    "manifest_truncated": "the manifest has fewer lines than a checkpoint states",
    "manifest_rewritten": "the manifest's lines do not have the root that a checkpoint states",
    "checkpoint_missing": "nothing was ever signed, or the newest checkpoint is gone",
    "checkpoint_invalid": "a checkpoint is not signed by the notary's key",
    "timestamp_invalid": "a timestamp token does not hold for the checkpoint beside it",
    "payload_missing": "a text that the log names is gone without a record of its erasure",
    "payload_changed": "a text does not have the commitment that the log holds",
    "erasure_unfinished": "a text is still there, or there again, although its erasure is on record",
    "payload_unreadable": "a payload file cannot be read",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong: a word of FINDINGS, the row, file or writer it is about, and what was seen.

    ``recorded_at`` (RFC 3339, UTC) is when what it is about began to be recorded, as the manifest, or a row
    that names a text, says; empty where it is about no one moment.
    """

    code: str
    object: str
    detail: str
    recorded_at: str = ""


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """The result of a verification at ``level``; ``notes`` are what to know beside the findings.

    ``payloads`` texts were hashed again; ``unchecked`` ones could not be, because their key is not at hand.
    ``taken`` is what the log had taken in before the moment that was asked for.
    """

    level: int
    ok: bool
    events: int
    writers: int
    segments: int
    payloads: int
    checkpoints: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    unchecked: int = 0
    taken: Taken | None = None


def event_name(event_id: str, writer_id: str, seq: int) -> str:
    """How a report names one event."""
    return f"event {event_id or 'without id'} (writer {writer_id}, seq {seq})"
