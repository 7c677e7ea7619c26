"""The second pass of an import: what is not in the log yet is appended, a few runs at a time."""

from __future__ import annotations

from types import TracebackType

from ingest.contract import Value
from ingest.importers.formats import Draft, EventDict, ImportedRun
from ingest.log.writer import LogWriter
from ingest.payload_capture import ALWAYS_KEPT, content_key, unkept_columns
from ingest.payload_rules import ContentRules
from ingest.payloads import Payload, make_payload
from ingest.reader import event_ids
from ingest.workspace import Workspace

BATCH_EVENTS = 2_000  # one fdatasync per batch; a batch of tau2 runs is about 5 MB of texts
BATCH_CHARACTERS = 8 << 20  # with long texts a batch of so many events would be hundreds of megabytes


class Recording:
    """The log as one import writes it. The writer opens with the first new event: no news leaves no trace."""

    def __init__(self, workspace: Workspace, *, process_name: str) -> None:
        self._workspace = workspace
        self._process_name = process_name
        self._rules = ContentRules(workspace)
        self._known: dict[str, set[str]] = {}
        self._writer: LogWriter | None = None
        self._events: list[EventDict] = []
        self._payloads: list[Payload] = []
        self._characters = 0  # of texts in the batch

    def take(self, format_name: str, run: ImportedRun) -> int:
        """Append the events of ``run`` that are not in the log; returns how many that were."""
        via = f"import:{format_name}"
        known = self._known_by(via)
        missing = [draft for draft in run.drafts if draft.event["event_id"] not in known]
        for draft in missing:
            self._add(draft, via)
            known.add(str(draft.event["event_id"]))
        if len(self._events) >= BATCH_EVENTS or self._characters >= BATCH_CHARACTERS:
            self._flush()
        return len(missing)

    def note(self, event: dict[str, Value]) -> bool:
        """Append an event that belongs to no run, unless it is in the log; returns whether it was new."""
        known = self._known_by(str(event["recorded_via"]))
        if event["event_id"] in known:
            return False
        known.add(str(event["event_id"]))
        self._events.append(event)
        return True

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._flush()
        finally:
            if self._writer:
                self._writer.close()

    def _known_by(self, via: str) -> set[str]:
        if via not in self._known:
            self._known[via] = event_ids(self._workspace, recorded_via=via)
        return self._known[via]

    def _add(self, draft: Draft, via: str) -> None:
        event = {**draft.event, "recorded_via": via}
        if draft.text is not None:
            event.update(self._text_columns(draft, draft.text))
        self._events.append(event)

    def _text_columns(self, draft: Draft, text: str) -> dict[str, Value]:
        """What the event says of its text, which becomes a payload unless the registry says otherwise."""
        team_id, agent_id = (str(draft.event.get(name) or "") for name in ("team_id", "agent_id"))
        capture = self._rules.of(team_id, agent_id)
        if capture != "on" and draft.text_kind not in ALWAYS_KEPT:
            key = content_key(self._workspace) if capture == "hashed" else b""
            return unkept_columns(text, capture, key)
        payload, columns = make_payload(
            text, kind=draft.text_kind, occurred_at=draft.occurred_at, run_id=str(draft.event["run_id"])
        )
        self._payloads.append(payload)
        self._characters += len(payload.content)
        return columns

    def _flush(self) -> None:
        if not self._events:
            return
        if self._writer is None:
            self._writer = LogWriter(self._workspace, recorded_via="import", process_name=self._process_name)
        self._writer.append(self._events, self._payloads)
        self._events, self._payloads, self._characters = [], [], 0
