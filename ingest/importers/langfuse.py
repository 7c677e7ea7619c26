"""Langfuse trace exports: ``{trace, observations}``, or a trace as the API returns it; one trace is one run.

Source: langfuse/langfuse, ``GET /api/public/traces/{id}``. A turn is a GENERATION, a call a TOOL observation.
Durations are end minus start: the exports' ``latency`` is in seconds in most and in milliseconds in others.
A score's number does not say whether high is good (``correctness`` and ``toxicity`` are both scores): it is
kept as a number without a verdict. A cost or usage of 0 without its details is no statement.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import msgspec

from ingest.errors import SourceError
from ingest.importers.draft import RunDraft, attempt
from ingest.importers.facts import Counts, Identity, MalformedError, Result, Turn, Usage, Verdict
from ingest.importers.figures import is_cache_inside, millionths, nano_usd
from ingest.importers.formats import ImportedRun, Item, Reading, Rejected
from ingest.importers.lines import read_lines
from ingest.importers.probe import Probe
from ingest.importers.source import Json, JsonReader, SourceFile
from ingest.importers.times import read_moment

NAME = "langfuse"
UNSTATED = ("other_side_calls", "approvals")
CACHE_READ_KEYS = ("input_cached_tokens", "prompt_details.cache_read", "cache_read_input_tokens")
CACHE_WRITE_KEYS = ("input_cache_creation", "prompt_details.cache_write", "cache_creation_input_tokens")
REASONING_KEYS = ("output_reasoning_tokens", "output_reasoning", "completion_details.reasoning")
# Who gave a score: an evaluator model, a person in Langfuse, or the customer's own program.
SCORE_KINDS = {"EVAL": "judge", "ANNOTATION": "user_rating"}

Amount = Annotated[float, msgspec.Meta(ge=0, le=9e15)]
Usd = Annotated[float, msgspec.Meta(ge=0, le=9e6)]
Number = Annotated[float, msgspec.Meta(ge=-9e9, le=9e9)]


class Score(msgspec.Struct, frozen=True):
    """One score of a trace."""

    id: str
    name: str
    value: Number | None = None
    source: str = ""
    timestamp: str | None = None


class Observation(msgspec.Struct, frozen=True, rename="camel"):
    """One step of a trace."""

    id: str
    type: str
    start_time: str | None = None
    end_time: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    parent_observation_id: str | None = None
    name: str | None = None
    model: str | None = None
    level: str = "DEFAULT"
    usage_details: dict[str, Amount] | None = None
    cost_details: dict[str, Usd] | None = None
    metadata: object = None
    input: object = None
    output: object = None


class Trace(msgspec.Struct, frozen=True, rename="camel"):
    """The trace itself."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    name: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    environment: str | None = None
    input: object = None
    scores: list[Score] = []


class Langfuse:
    """The importer ``langfuse``."""

    name = NAME
    summary = "Langfuse trace exports (.json, .jsonl)"

    def recognises(self, probe: Probe) -> bool:
        """Traces with their observations."""
        if probe.kind == "object":
            return probe.has("trace", "observations") or probe.has(
                "id", "timestamp", "observations", "scores"
            )
        return any(_is_ours(record) for record in probe.records)

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """Runs and rejects in file order. Raises SourceError when the document holds no trace."""
        is_any = False
        for position, raw, problem in _documents(source):
            if problem:
                yield Rejected(position=position, source_run_id="", reason=problem, raw=str(raw))
                continue
            is_any = True
            trace = raw.get("trace", raw) if isinstance(raw, dict) else {}
            name = trace.get("id") if isinstance(trace, dict) else None
            yield attempt(
                partial(_run, raw, source, reading), raw=raw, position=position, source_run_id=str(name or "")
            )
        if not is_any:
            raise SourceError(f"Nothing imported: {source.title} holds no trace. Export it again as JSON.")


FORMAT = Langfuse()


def _is_ours(record: Json) -> bool:
    if not isinstance(record, dict):
        return False
    return record.keys() >= {"trace", "observations"} or record.keys() >= {"id", "timestamp", "observations"}


def _documents(source: SourceFile) -> Iterator[tuple[int, Json, str]]:
    """Position, value and problem of each trace: elements of a list, else one per line, else the document."""
    with source.open() as stream:
        reader = JsonReader(stream, source.title)
        if reader.next_is("["):
            for position, value in enumerate(reader.items()):
                yield position, value, ""
            return
        value = reader.value()
        if reader.at_end():
            yield 0, value, ""
            return
    for position, line in enumerate(read_lines(source)):
        yield position, line.text if line.problem else line.value, line.problem


def _run(raw: Json, source: SourceFile, reading: Reading) -> ImportedRun:
    if not isinstance(raw, dict):
        raise MalformedError("a trace is no object")
    trace = msgspec.convert(raw.get("trace", raw), type=Trace)
    observations = msgspec.convert(raw.get("observations"), type=list[Observation])
    return _TraceDraft(trace, observations, source, reading).run()


class _TraceDraft:
    """One trace on its way to events."""

    def __init__(
        self, trace: Trace, observations: list[Observation], source: SourceFile, reading: Reading
    ) -> None:
        self._trace = trace
        # In the order in which Langfuse stored them: a later export only adds at the end.
        self._observations = sorted(
            observations, key=lambda one: (one.created_at or "", one.start_time or "", one.id)
        )
        self._zone = reading.time_zone
        starts = sorted(one.start_time for one in observations if one.start_time)
        first = min([trace.timestamp or "", *starts[:1]], default="") or (starts[0] if starts else "")
        models = [one.model for one in self._observations if one.model]
        self._draft = RunDraft(
            Identity(
                format_name=NAME,
                run_id=f"{NAME}-{trace.id}",
                source_run_id=trace.id,
                source_file=source.name,
                source_agent=trace.name or "unnamed",
                source_domain=trace.environment or "",
                model=models[0] if models else "",
                conversation_id=trace.session_id,
                started=read_moment(first, reading.time_zone, "timestamp") if first else None,
                carried_at=reading.imported_at,
            ),
            reading.places,
        )

    def run(self) -> ImportedRun:
        draft = self._draft
        if self._trace.input is not None:
            draft.say("user", _text(self._trace.input))
        for one in self._observations:
            if one.type == "GENERATION":
                self._generation(one)
            elif one.type == "TOOL":
                self._tool(one)
        roots = [one for one in self._observations if one.parent_observation_id is None]
        is_failed = any(one.level == "ERROR" for one in roots)
        draft.at(self._last())
        draft.counted(Counts(unstated=UNSTATED if draft.turn_count else ("turns", *UNSTATED)))
        draft.end(
            "failed" if is_failed else "completed",
            edition=str(len(self._observations)),
            error_type="agent_error" if is_failed else None,
            machine_ns=self._length(),
        )
        for score in self._trace.scores:
            self._score(score)
        return draft.finish()

    def _at(self, text: str | None) -> dt.datetime | None:
        return read_moment(text, self._zone, "time").at if text else None

    def _generation(self, one: Observation) -> None:
        self._draft.turn(
            Turn(
                text=_text(one.output),
                requested_at=self._at(one.start_time),
                finished_at=self._at(one.end_time or one.start_time),
                model=one.model,
                usage=_usage(one.usage_details or {}),
                cost_nano_usd=_cost(one.cost_details or {}),
                duration_ns=_nanoseconds(self._at(one.start_time), self._at(one.end_time)),
                error_type="model_error" if one.level == "ERROR" else None,
                edition=one.updated_at or "",
            )
        )

    def _tool(self, one: Observation) -> None:
        self._draft.at(self._at(one.start_time))
        name = _attribute(one.metadata, "gen_ai.tool.name") or one.name or "unnamed"
        index = self._draft.call(name, _text(one.input) or "", call_id=one.id)
        self._draft.at(self._at(one.end_time))
        is_failed = one.level == "ERROR"
        self._draft.result(
            index,
            Result(
                outcome="failed" if is_failed else "succeeded",
                error_class="upstream" if is_failed else None,
                text=_text(one.output),
                duration_ns=_nanoseconds(self._at(one.start_time), self._at(one.end_time)),
            ),
        )

    def _score(self, score: Score) -> None:
        self._draft.at(self._at(score.timestamp))
        self._draft.verdict(
            Verdict(
                kind=SCORE_KINDS.get(score.source, "score"),
                name=score.name,
                score_micro=millionths(score.value),
                part=score.id,
            )
        )

    def _last(self) -> dt.datetime | None:
        return max(filter(None, (self._at(one.end_time) for one in self._observations)), default=None)

    def _length(self) -> int | None:
        first = min(filter(None, (self._at(one.start_time) for one in self._observations)), default=None)
        return _nanoseconds(first, self._last())


def _nanoseconds(start: dt.datetime | None, end: dt.datetime | None) -> int | None:
    if start is None or end is None:
        return None
    if end < start:
        raise MalformedError(f"an observation ends at {end} before it starts at {start}")
    return ((end - start) // dt.timedelta(microseconds=1)) * 1000


def _usage(details: dict[str, float]) -> Usage:
    """Tokens of a generation; without details nothing is stated."""
    read = _first(details, CACHE_READ_KEYS)
    write = _first(details, CACHE_WRITE_KEYS)
    given, answered, total = (_first(details, (key,)) for key in ("input", "output", "total"))
    return Usage(
        input_tokens=given,
        output_tokens=answered,
        cache_read_tokens=read,
        cache_write_tokens=write,
        reasoning_tokens=_first(details, REASONING_KEYS),
        is_cache_in_input=is_cache_inside(
            input_tokens=given,
            output_tokens=answered,
            cached_tokens=(read or 0) + (write or 0),
            total_tokens=total,
        ),
    )


def _first(details: dict[str, float], keys: tuple[str, ...]) -> int | None:
    return next((int(details[key]) for key in keys if key in details), None)


def _cost(details: dict[str, float]) -> int | None:
    if not details:
        return None
    return nano_usd(details["total"] if "total" in details else sum(details.values()))


def _attribute(metadata: object, name: str) -> str | None:
    """An OTel attribute in the metadata, which some exports hold as JSON text."""
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return None
    attributes = metadata.get("attributes") if isinstance(metadata, dict) else None
    found = attributes.get(name) if isinstance(attributes, dict) else None
    return found if isinstance(found, str) else None


def _text(content: object) -> str | None:
    if content is None or isinstance(content, str):
        return content
    return json.dumps(content, ensure_ascii=False)
