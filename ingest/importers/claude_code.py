"""Claude Code transcripts (``~/.claude/projects/**.jsonl``) and streams of the Claude Agent SDK.

The lines of one session are one run. A session file that was resumed under a new id repeats the lines of the
old one under the old id: they make the old run again, with the same events. A file of side lines only
(``agent-*.jsonl``) is the run of a subagent, delegated by its session.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from ingest.errors import SourceError
from ingest.importers.claude_run import TranscriptDraft
from ingest.importers.claude_shape import Line
from ingest.importers.draft import attempt
from ingest.importers.facts import SHAPE_ERRORS
from ingest.importers.formats import ImportedRun, Item, Reading, Rejected
from ingest.importers.lines import read_lines
from ingest.importers.probe import Probe
from ingest.importers.source import Json, JsonReader, SourceFile

NAME = "claude_code"
SPEAKERS = ("user", "assistant")


class ClaudeCode:
    """The importer ``claude_code``."""

    name = NAME
    summary = "Claude Code session files (.jsonl) and Claude Agent SDK streams"

    def recognises(self, probe: Probe) -> bool:
        """Records of users and assistants that name a session and hold a message."""
        return any(_is_ours(record) for record in probe.records)

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """One run per session in the file. Raises SourceError when no line is of a session."""
        sessions: dict[str, list[Line]] = {}
        texts: dict[str, list[str]] = {}
        seen: set[str] = set()
        current = ""
        for number, record, text, problem in _records(source):
            try:
                line = None if problem else _convert(record)
            except SHAPE_ERRORS as error:
                problem, line = str(error), None
            if problem:
                yield Rejected(position=number, source_run_id="", reason=problem, raw=text)
            if line is None or (line.uuid is not None and line.uuid in seen):
                continue
            seen.add(line.uuid or "")
            # A stream's tool results name no session: they belong to the one that was named last.
            current = line.session or current
            sessions.setdefault(current, []).append(line)
            texts.setdefault(current, []).append(text)
        if not any(line.message for lines in sessions.values() for line in lines):
            raise SourceError(
                f"Nothing imported: {source.title} holds no message of a Claude Code session. "
                "Name another format, or leave the file out."
            )
        for session, lines in sessions.items():
            if session and any(line.type in SPEAKERS for line in lines):
                yield attempt(
                    partial(_run, session, lines, source, reading),
                    raw="".join(texts[session]),
                    source_run_id=session,
                )


FORMAT = ClaudeCode()


def _run(session: str, lines: list[Line], source: SourceFile, reading: Reading) -> ImportedRun:
    return TranscriptDraft(session, lines, source, reading).run()


def _is_ours(record: Json) -> bool:
    if not isinstance(record, dict) or record.get("type") not in SPEAKERS:
        return False
    has_session = "sessionId" in record or "session_id" in record
    return has_session and isinstance(record.get("message"), dict)


def _convert(record: Json) -> Line | None:
    """The line; None for kinds that say nothing about the run (titles, snapshots, queue operations)."""
    if not isinstance(record, dict) or not isinstance(record.get("type"), str):
        return None
    if record["type"] not in (*SPEAKERS, "system", "result"):
        return None
    return msgspec.convert(record, type=Line)


def _records(source: SourceFile) -> Iterator[tuple[int, Json, str, str]]:
    """Number, value, text and problem of each record: a line, or an element of one list."""
    with source.open() as stream:
        reader = JsonReader(stream, source.title)
        is_list = reader.next_is("[")
        if is_list:
            for number, value in enumerate(reader.items(), start=1):
                yield number, value, msgspec.json.encode(value).decode() + "\n", ""
    if not is_list:
        for line in read_lines(source):
            yield line.number, line.value, line.text, line.problem
