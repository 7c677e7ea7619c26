"""What spans and log records say about a run: verdicts on it, and decisions of people or rules on its calls.

Conventions that carry verdicts: the OTel GenAI event ``gen_ai.evaluation.result``, on a span or in a log;
OpenInference's ``annotation.*`` and ``evaluation.*``. Coding agents tell of decisions: Claude Code and Codex
in the log event ``tool_decision`` (Claude Code also in spans of the time that a call waited for its user),
Gemini CLI in ``tool_call``. What they mean is taken as stated: a score does not say whether high is good, and
a rule of the settings is no person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from ingest.dialects.assemble import Run, run_id_of, trace_id_of_log
from ingest.dialects.spans import MappedSpan
from ingest.dialects.texts import event_attributes
from ingest.dialects.values import (
    Attributes,
    Json,
    decimal_of,
    first_name,
    name_of,
    object_of,
    text_of,
    time_of,
)

_MAX_SCORE = Decimal(2**53 - 1) / 10**6
_PASSED = {"pass": True, "passed": True, "fail": False, "failed": False}
_ANNOTATOR_KINDS = {"LLM": "judge"}
_USER_WORDS = ("user_feedback", "user-feedback", "user feedback", "user_rating", "thumbs")
# Where Claude Code and Codex say that a decision came from: settings, hooks and reviewing models are rules.
_RULE_SOURCES = frozenset({"config", "hook", "automated_reviewer"})
_DECISION_NAMES = (
    "claude_code.tool_decision",
    "claude_code.tool.blocked_on_user",
    "codex.tool_decision",
    "gemini_cli.tool_call",
)
_DECISIONS = {
    "accept": "approved",
    "reject": "rejected",
    # Gemini CLI: "auto_accept" is a standing consent, of a person or of its settings; it does not say whose.
    "auto_accept": "approved",
    "modify": "approved_changed",
    # Codex (protocol.rs, ReviewDecision): "abort" is a no that also ends the turn.
    "abort": "rejected",
}
_DECISION_STARTS = (("approved", "approved"), ("denied", "rejected"))  # Codex: "approved_for_session", …
_GEMINI_PERSON = frozenset({"accept", "modify", "reject"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Convention:
    """Names under which one convention puts a verdict: name, score, label, and who gave it."""

    name: str
    score: str
    label: str
    annotator: str = ""


CONVENTIONS: tuple[Convention, ...] = (
    # OTel GenAI, model/gen-ai/events.yaml of semantic-conventions-genai
    Convention(
        name="gen_ai.evaluation.name",
        score="gen_ai.evaluation.score.value",
        label="gen_ai.evaluation.score.label",
    ),
    # OpenInference semantic conventions: annotations of spans, and their former name
    Convention(
        name="annotation.name",
        score="annotation.score",
        label="annotation.label",
        annotator="annotation.annotator_kind",
    ),
    Convention(
        name="evaluation.name",
        score="evaluation.score",
        label="evaluation.label",
        annotator="evaluation.annotator_kind",
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something was said, and what that helps to find the run."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    response_id: str | None
    said_ns: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A verdict on a run or on a call of it; ``score_micro`` in millionths."""

    place: Place
    outcome_kind: str
    outcome_name: str
    is_good: bool | None
    score_micro: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether a tool call was allowed, and who or what decided."""

    place: Place
    is_log: bool
    tool_name: str | None
    tool_call_id: str | None
    decision: str
    source_decision: str
    decider_kind: str
    person_id: str | None


@dataclass(kw_only=True, slots=True)
class Said:
    """What was said about one run, each once, in order of time."""

    verdicts: list[Verdict] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def said_of(raw: Mapping[str, Json], span: MappedSpan) -> Iterator[Verdict | Decision]:
    """What ``raw``, mapped as ``span``, says. Never raises for its content."""
    attributes = object_of(raw.get("attributes"))
    body = raw.get("body")
    if isinstance(body, Mapping):
        attributes = {**body, **attributes}
    place = _place(raw, span)
    yield from _verdicts(attributes, place)
    events = raw.get("events")
    if isinstance(events, Sequence) and not isinstance(events, str):
        for _, details in event_attributes(events):
            yield from _verdicts(details, place)
    if made := _decision(attributes, span, place):
        yield made


def _place(raw: Mapping[str, Json], span: MappedSpan) -> Place:
    trace_id = span.trace_id
    if not trace_id and span.signal == "log" and span.conversation_id:
        trace_id = trace_id_of_log(span)
    stated = object_of(raw.get("attributes")).get("gen_ai.response.id")
    return Place(
        trace_id=trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        response_id=name_of(stated) or span.response_id,
        said_ns=time_of(raw.get("time_ns"))
        or time_of(raw.get("observed_ns"))
        or span.end_ns
        or span.start_ns,
    )


def _verdicts(attributes: Attributes, place: Place) -> Iterator[Verdict]:
    for convention in CONVENTIONS:
        name = name_of(attributes.get(convention.name))
        score = _micro(attributes.get(convention.score))
        label = (text_of(attributes.get(convention.label)) or "").strip().lower()
        if name and (score is not None or label):
            yield Verdict(
                place=place,
                outcome_kind=_verdict_kind(name, text_of(attributes.get(convention.annotator))),
                outcome_name=name,
                is_good=_PASSED.get(label),
                score_micro=score,
            )


def _verdict_kind(name: str, annotator: str | None) -> str:
    """By who gave it, where that is stated; a verdict named after users is theirs."""
    if any(word in name.lower() for word in _USER_WORDS):
        return "user_rating"
    return _ANNOTATOR_KINDS.get((annotator or "").upper(), "score")


def _micro(value: Json) -> int | None:
    number = decimal_of(value)
    if number is None or abs(number) > _MAX_SCORE:
        return None
    return int((number * 10**6).to_integral_value(ROUND_HALF_EVEN))


def _decision(attributes: Attributes, span: MappedSpan, place: Place) -> Decision | None:
    if span.name not in _DECISION_NAMES:
        return None
    stated = text_of(attributes.get("decision")) or ""
    source = text_of(attributes.get("source")) or ""
    decision = _DECISIONS.get(stated)
    if decision is None:
        decision = next((word for start, word in _DECISION_STARTS if stated.startswith(start)), None)
    if decision is None:
        return None
    decider = _decider(span, stated, source)
    return Decision(
        place=place,
        is_log=span.signal == "log",
        tool_name=first_name(attributes, "tool_name", span.dialect),
        tool_call_id=first_name(attributes, "tool_call_id", span.dialect),
        decision=decision,
        source_decision=f"{stated} ({source})" if source else stated,
        decider_kind=decider,
        person_id=span.person_id if decider == "person" else None,
    )


def _decider(span: MappedSpan, stated: str, source: str) -> str:
    """Who decided, as far as that is said."""
    if source in _RULE_SOURCES:
        return "policy"
    is_person = source.startswith("user") or (span.dialect == "gemini_cli" and stated in _GEMINI_PERSON)
    return "person" if is_person else "unknown"


def said_about(runs: Iterable[Run], said: Iterable[Verdict | Decision]) -> dict[str, Said]:
    """What was said about each of ``runs``, by run id; what names no run of them waits for its run."""
    found: dict[str, Said] = {}
    runs = list(runs)
    known, by_response = _known_spans(runs)
    for one in _in_order(said):
        run_id = _run_of(one.place, known, by_response)
        if run_id is None:
            continue
        about = found.setdefault(run_id, Said())
        if isinstance(one, Verdict):
            if one not in about.verdicts:
                about.verdicts.append(one)
        elif one not in about.decisions:
            about.decisions.append(one)
    for about in found.values():
        if any(decision.is_log for decision in about.decisions):  # spans tell the same again
            about.decisions = [decision for decision in about.decisions if decision.is_log]
    return found


def _in_order(said: Iterable[Verdict | Decision]) -> list[Verdict | Decision]:
    """In time, whatever order it arrived in; what has no time comes last."""
    return sorted(said, key=lambda one: (one.place.said_ns is None, one.place.said_ns or 0, repr(one)))


def _known_spans(runs: Iterable[Run]) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Trace and span → run, with the whole trace under an empty span id; response → run."""
    known: dict[tuple[str, str], str] = {}
    by_response: dict[str, str] = {}
    for run in runs:
        if run.parent_run_id is None:
            known[run.trace_id, ""] = run_id_of(run.trace_id)
        spans = [turn.span for turn in run.turns] + [call.span for call in run.tool_calls]
        for span in [run.root, *spans] if run.root else spans:
            known[run.trace_id, span.span_id] = run.run_id
            if span.response_id:
                by_response.setdefault(span.response_id, run.run_id)
    return known, by_response


def _run_of(place: Place, known: Mapping[tuple[str, str], str], by_response: Mapping[str, str]) -> str | None:
    for span_id in (place.span_id, place.parent_span_id):
        if span_id and (run_id := known.get((place.trace_id, span_id))):
            return run_id
    if place.response_id and place.response_id in by_response:
        return by_response[place.response_id]
    return known.get((place.trace_id, ""))
