"""Logs of OpenAI-compatible chat completions: JSON lines ``{"request": {…}, "response": {…}}``.

One line is one model call. Calls belong to one run when they name the same conversation, or when a request
repeats an earlier request and its answer word for word and goes on, as agent loops do; repeated messages are
counted once. What a tool returned is in the next request; whether it failed is not said.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from ingest.errors import SourceError
from ingest.importers.chat_run import ChatRun
from ingest.importers.chat_shape import Exchange
from ingest.importers.draft import attempt
from ingest.importers.facts import SHAPE_ERRORS
from ingest.importers.formats import Item, Reading, Rejected
from ingest.importers.lines import read_lines
from ingest.importers.probe import Probe
from ingest.importers.source import Json, SourceFile

NAME = "chat_log"
OPEN_RUNS = 1_000  # conversations held at once; one that was silent for so many others is closed


class ChatLog:
    """The importer ``chat_log``."""

    name = NAME
    summary = "OpenAI-compatible request/response logs (.jsonl)"

    def recognises(self, probe: Probe) -> bool:
        """Objects with a request that has messages."""
        if probe.kind == "object":
            return probe.has("request", "response")
        return probe.kind == "lines" and any(_is_ours(record) for record in probe.records)

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """Runs in the order in which they are complete. Raises SourceError when no line is an exchange."""
        runs: OrderedDict[str, ChatRun] = OrderedDict()
        is_any = False
        for line in read_lines(source):
            try:
                exchange = None if line.problem else msgspec.convert(line.value, type=Exchange)
                problem = line.problem
            except SHAPE_ERRORS as error:
                exchange, problem = None, str(error)
            if exchange is None:
                yield Rejected(position=line.number, source_run_id="", reason=problem, raw=line.text)
                continue
            is_any = True
            run = _continued(runs, exchange) or ChatRun(exchange, line.text, source, reading)
            run.add(exchange, line.text)
            equal = runs.get(run.key)
            if equal is not None and equal is not run:
                yield _closed(equal)  # two conversations with the same words; the older one is over
            runs[run.key] = run
            runs.move_to_end(run.key)
            if len(runs) > OPEN_RUNS:
                yield _closed(runs.popitem(last=False)[1])
        if not is_any:
            raise SourceError(
                f"Nothing imported: {source.title} holds no request with its response. "
                'A line is {"request": {"model", "messages"}, "response": {…}}; see docs/importing.md.'
            )
        for run in runs.values():
            yield _closed(run)


FORMAT = ChatLog()


def _is_ours(record: Json) -> bool:
    request = record.get("request") if isinstance(record, dict) else None
    return isinstance(request, dict) and isinstance(request.get("messages"), list)


def _continued(runs: OrderedDict[str, ChatRun], exchange: Exchange) -> ChatRun | None:
    """The open run that the exchange goes on with, taken out of its old place."""
    if exchange.conversation:
        return runs.get(f"conversation {exchange.conversation}")
    for head in reversed(ChatRun.heads(exchange)):
        if head in runs:
            return runs.pop(head)
    return None


def _closed(run: ChatRun) -> Item:
    return attempt(run.finish, raw="".join(run.lines), source_run_id=run.source_run_id)
