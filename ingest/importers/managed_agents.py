"""Anthropic managed agents: the event stream of a session, as JSON lines; one session is one run.

Read are the events themselves, one object per line, and recordings that wrap each in a list with the name of
the client's method (``["client.beta.sessions.events.stream", {…}]``). Source: the API reference of
``beta.sessions.events``. Events are counted once by their id; what was sent is read from the stream that
repeats it. A tool that asks (``evaluated_permission: ask``) waits for ``user.tool_confirmation``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from ingest.errors import SourceError
from ingest.importers.draft import attempt
from ingest.importers.facts import SHAPE_ERRORS
from ingest.importers.formats import Item, Reading, Rejected
from ingest.importers.lines import Line, read_lines
from ingest.importers.managed_run import session_run
from ingest.importers.managed_shape import Event, Sent, Session, SessionEvents
from ingest.importers.probe import Probe
from ingest.importers.source import Json, SourceFile

NAME = "managed_agents"
EVENT_PREFIXES = ("session.", "agent.", "user.", "span.")
METHODS = "client.beta.sessions."


class ManagedAgents:
    """The importer ``managed_agents``."""

    name = NAME
    summary = "Anthropic managed agents, event streams (.jsonl)"

    def recognises(self, probe: Probe) -> bool:
        """Lines, or a list, whose first records are events of a session."""
        if probe.kind not in ("lines", "list", "object") or not probe.records:
            return False
        return all(_is_ours(record) for record in probe.records)

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """One run per session. Raises SourceError when no line is an event."""
        session = SessionEvents(first_line=1)
        is_any = False
        for line in read_lines(source):
            if line.problem:
                yield Rejected(position=line.number, source_run_id="", reason=line.problem, raw=line.text)
                continue
            if _begins_session(line.value) and session.events:
                yield _run(session, source, reading)
                session = SessionEvents(first_line=line.number)
            reject = _take(session, line)
            if reject:
                yield reject
            is_any = is_any or _is_ours(line.value)
        if not is_any:
            raise SourceError(
                f"Nothing imported: {source.title} holds no event of a managed agent's session. "
                "Name another format, or leave the file out."
            )
        if session.events:
            yield _run(session, source, reading)


FORMAT = ManagedAgents()


def _is_ours(record: Json) -> bool:
    if isinstance(record, list):
        return len(record) == 2 and isinstance(record[0], str) and record[0].startswith(METHODS)
    if not isinstance(record, dict):
        return False
    kind = record.get("type")
    return isinstance(kind, str) and kind.startswith(EVENT_PREFIXES)


def _begins_session(record: Json) -> bool:
    return isinstance(record, list) and record[:1] == [f"{METHODS}create"]


def _take(session: SessionEvents, line: Line) -> Rejected | None:
    """Add the line to the session; a line of another shape is rejected alone."""
    record = line.value
    method, content = record if isinstance(record, list) and len(record) == 2 else ("", record)
    session.lines.append(line.text)
    try:
        if method == f"{METHODS}create":
            session.session = msgspec.convert(content, type=Session)
        elif method == f"{METHODS}events.send":
            session.add_sent(msgspec.convert(content, type=tuple[str, Sent]))
        elif _is_ours(record):
            session.add(msgspec.convert(content, type=Event))
    except SHAPE_ERRORS as error:
        return Rejected(position=line.number, source_run_id="", reason=str(error), raw=line.text)
    return None


def _run(session: SessionEvents, source: SourceFile, reading: Reading) -> Item:
    return attempt(
        partial(session_run, session, source, reading),
        raw="".join(session.lines),
        position=session.first_line,
        source_run_id=session.session_id,
    )
