"""One span from everything that was said about it: delivered twice, changed, or repeated in a log record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from ingest.dialects.spans import MappedSpan
from ingest.dialects.texts import TextName

# What one telling may add to another. Kind, ids and times of the best telling stand.
_OWN = {"signal", "kind", "dialect", "trace_id", "span_id", "is_error", "start_ns", "end_ns", "texts"}
_FILLED = tuple(field.name for field in fields(MappedSpan) if field.name not in _OWN)


def filled(best: MappedSpan, other: MappedSpan) -> MappedSpan:
    """``best`` with what it does not say taken from ``other``."""
    added = {
        name: value
        for name in _FILLED
        if getattr(best, name) is None and (value := getattr(other, name)) is not None
    }
    if other.texts:
        added["texts"] = {**other.texts, **best.texts}
    return replace(best, **added) if added else best


def unified(spans: Iterable[MappedSpan]) -> list[MappedSpan]:
    """The spans of one trace, each once, with what log records add to them.

    The result does not depend on the order of arrival. A log record that tells of a whole call stands for
    a span that has not arrived.
    """
    tellings: dict[str, list[MappedSpan]] = {}
    logs: list[MappedSpan] = []
    for span in spans:
        if span.signal == "log":
            logs.append(span)
        elif span.span_id:
            tellings.setdefault(span.span_id, []).append(span)
    found = {span_id: _best(group) for span_id, group in tellings.items()}
    logs.sort(key=lambda log: (_place(log), repr(log)))
    loose = _with_logs(found, logs)
    for span_id, texts in _messages(logs).items():
        if span_id in found:
            found[span_id] = replace(found[span_id], texts={**texts, **found[span_id].texts})
    return sorted([*found.values(), *loose], key=_place)


def _best(group: Sequence[MappedSpan]) -> MappedSpan:
    best, *others = sorted(group, key=_rank)
    for other in others:
        best = filled(best, other)
    return best


def _rank(span: MappedSpan) -> tuple[object, ...]:
    """Smaller is better: ended before open, later end, with usage, fuller; then anything that is stable."""
    said = sum(getattr(span, name) is not None for name in _FILLED)
    return (span.end_ns is None, -(span.end_ns or 0), span.usage is None, -said, repr(span))


def _place(span: MappedSpan) -> tuple[bool, int, str]:
    """Order in time; what has no time comes last."""
    moment = span.start_ns if span.start_ns is not None else span.end_ns
    return (moment is None, moment or 0, span.span_id)


def _with_logs(found: dict[str, MappedSpan], logs: Sequence[MappedSpan]) -> list[MappedSpan]:
    """Fill the spans in ``found`` from their log records; returns the calls that only logs tell of."""
    told = {mark: span.span_id for span in found.values() if (mark := _call_of(span))}
    has_turns = any(span.kind == "turn" for span in found.values())
    loose: dict[object, MappedSpan] = {}
    for log in logs:
        # What a log says of a call, by its id, counts before where it was said.
        span = found.get(told.get(_call_of(log) or _answer_of(log), "")) or found.get(log.span_id)
        if span is not None and log.kind in (span.kind, "other"):
            found[span.span_id] = filled(span, log if log.kind != "other" else replace(log, texts={}))
        elif log.kind in ("turn", "tool_call") and not (span and has_turns and log.kind == "turn"):
            call = _below(span, log) if span else log
            key = call.span_id or _mark(call)
            loose[key] = filled(loose[key], call) if key in loose else call
    return list(loose.values())


def _call_of(span: MappedSpan) -> tuple[str, str] | None:
    """Which call ``span`` tells of: a turn by its response, a tool call by its id."""
    mark = {"turn": span.response_id, "tool_call": span.tool_call_id}.get(span.kind)
    return (span.kind, mark) if mark else None


def _answer_of(log: MappedSpan) -> tuple[str, str]:
    """The turn that a log record without a call of its own names."""
    return ("turn", log.response_id or "") if log.kind == "other" else ("", "")


def _messages(logs: Sequence[MappedSpan]) -> dict[str, dict[TextName, str]]:
    """The message events of each span as texts, one message a line, in order of time."""
    lines: dict[str, dict[TextName, dict[str, None]]] = {}
    for log in logs:
        for name, text in log.texts.items() if log.kind == "other" else ():
            lines.setdefault(log.span_id, {}).setdefault(name, {})[text] = None
    return {
        span_id: {name: "\n".join(texts) for name, texts in named.items()} for span_id, named in lines.items()
    }


def _mark(log: MappedSpan) -> str:
    # A tool call may name the answer that asked for it: several calls and a turn share that id.
    stated = log.tool_call_id if log.kind == "tool_call" else log.response_id
    return stated or f"{log.name}-{log.end_ns}-{log.tool_name}"


def _below(span: MappedSpan, log: MappedSpan) -> MappedSpan:
    """A call told by a log record inside a span that is no such call: it gets a place below that span."""
    return replace(log, span_id=f"{span.span_id}:{_mark(log)}", parent_span_id=span.span_id)
