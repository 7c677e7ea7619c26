"""One conversation of a chat log as events of the log."""

from __future__ import annotations

import datetime as dt

from ingest.importers.chat_shape import ErrorBody, Exchange, Message, Time, chain
from ingest.importers.chat_shape import Usage as ChatUsage
from ingest.importers.draft import RunDraft
from ingest.importers.facts import Counts, Identity, Result, Turn, Usage, content_id
from ingest.importers.figures import nano_usd
from ingest.importers.formats import ImportedRun, Reading
from ingest.importers.source import SourceFile
from ingest.importers.times import Moment, epoch_moment, read_moment

NAME = "chat_log"
UNSTATED = ("tool_errors", "other_side_calls", "approvals")
NANOS_PER_MS = 1_000_000


class ChatRun:
    """A run that grows exchange by exchange; ``key`` is its conversation, or a digest of its words so far.

    What a line says is looked at when the run is finished, so that one bad line costs one run and no import.
    """

    def __init__(self, first: Exchange, line: str, source: SourceFile, reading: Reading) -> None:
        self.key = ""
        self.lines: list[str] = []
        response_id = first.response.id if first.response else None
        self.source_run_id = first.conversation or response_id or f"line {line[:40]}"
        # A conversation that goes on in another file begins another run there, under the same conversation.
        self._run_id = content_id(NAME, first.conversation or "", response_id or line)
        self._first = first
        self._source = source
        self._reading = reading
        self._exchanges: list[Exchange] = []

    @staticmethod
    def heads(exchange: Exchange) -> list[str]:
        """Digests of the request's messages up to the first, the second, … message."""
        heads: list[str] = []
        for message in exchange.request.messages:
            heads.append(chain(heads[-1] if heads else "", message))
        return heads

    def add(self, exchange: Exchange, line: str) -> None:
        """Take in the next exchange."""
        self._exchanges.append(exchange)
        self.lines.append(line)
        heads = self.heads(exchange)
        head = heads[-1] if heads else ""
        if exchange.answer:
            head = chain(head, exchange.answer.message)
        self.key = f"conversation {exchange.conversation}" if exchange.conversation else head

    def finish(self) -> ImportedRun:
        """The run. Raises MalformedError or TimeError with the reason."""
        first, started = self._first, self._moment(self._first)
        draft = RunDraft(
            Identity(
                format_name=NAME,
                run_id=self._run_id,
                source_run_id=self.source_run_id,
                source_file=self._source.name,
                source_agent=first.agent or NAME,
                model=first.request.model or (first.response.model if first.response else "") or "",
                conversation_id=first.conversation,
                started=started,
                carried_at=self._reading.imported_at,
            ),
            self._reading.places,
        )
        known: list[str] = []
        for exchange in self._exchanges:
            known = self._exchange(draft, exchange, known)
        self._end(draft)
        return draft.finish()

    def _exchange(self, draft: RunDraft, exchange: Exchange, known: list[str]) -> list[str]:
        """Say what is new since the ``known`` heads, and record the call; returns the heads known now."""
        heads = self.heads(exchange)
        asked = self._moment(exchange)
        draft.at(asked.at if asked else None)
        for message in exchange.request.messages[_first_new(exchange, heads, known) :]:
            _say(draft, message)
        answer, duration = exchange.answer, _duration(exchange)
        finished = asked.at + dt.timedelta(milliseconds=duration) if asked and duration is not None else None
        usage = exchange.response.usage if exchange.response else None
        cost = exchange.cost_usd if exchange.cost_usd is not None else usage.cost if usage else None
        index = draft.turn(
            Turn(
                text=answer.message.text if answer else None,
                requested_at=asked.at if asked else None,
                finished_at=finished,
                model=exchange.request.model or None,
                served_model=exchange.response.model if exchange.response else None,
                usage=_usage(usage),
                cost_nano_usd=nano_usd(cost),
                duration_ns=None if duration is None else round(duration * NANOS_PER_MS),
                finish_reason=answer.finish_reason if answer else None,
                error_type=_error_type(exchange.error),
            )
        )
        for call in (answer.message.tool_calls if answer else None) or ():
            draft.call(call.function.name, call.function.arguments, call_id=call.id, turn_index=index)
        if answer:
            heads = [*heads, chain(heads[-1] if heads else "", answer.message)]
        return heads

    def _moment(self, exchange: Exchange) -> Moment | None:
        given: Time | None = exchange.time
        if given is None and exchange.response:
            given = exchange.response.created
        if given is None:
            return None
        if isinstance(given, str):
            return read_moment(given, self._reading.time_zone, "timestamp")
        return epoch_moment(given, "timestamp")

    def _end(self, draft: RunDraft) -> None:
        last = self._exchanges[-1]
        edition = str(len(self._exchanges))
        draft.counted(Counts(unstated=UNSTATED, edition=edition))
        if last.error is not None:
            draft.end("failed", edition=edition, error_type=_error_type(last.error))
        elif last.answer and not last.answer.message.tool_calls:
            draft.end("completed", edition=edition, source_end_reason=last.answer.finish_reason)
        else:
            draft.step("run_resumed", edition)  # its answer is not in the log yet


def _first_new(exchange: Exchange, heads: list[str], known: list[str]) -> int:
    """Where the request goes on from what is known; a rewritten history counts from its last answer on."""
    if not known:
        return 0
    if known[-1] in heads:
        return heads.index(known[-1]) + 1
    roles = [message.role for message in exchange.request.messages]
    return len(roles) - roles[::-1].index("assistant") if "assistant" in roles else max(len(roles) - 1, 0)


def _say(draft: RunDraft, message: Message) -> None:
    if message.role == "tool":
        draft.result(draft.open_call(message.tool_call_id), Result(outcome="unknown", text=message.text))
    elif message.role == "developer":
        draft.say("system", message.text)
    else:
        draft.say(message.role, message.text)


def _duration(exchange: Exchange) -> float | None:
    return exchange.duration_ms if exchange.duration_ms is not None else exchange.latency_ms


def _error_type(error: ErrorBody | str | None) -> str | None:
    """The class of an error; its message may hold anything and is not kept."""
    if error is None:
        return None
    if isinstance(error, str):
        return "error"
    return str(error.code or error.type or "error")


def _usage(usage: ChatUsage | None) -> Usage:
    if usage is None:
        return Usage()
    given, answered = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=given.cached_tokens if given else None,
        reasoning_tokens=answered.reasoning_tokens if answered else None,
        is_cache_in_input=True,
    )
