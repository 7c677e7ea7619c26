"""Runs from spans, whatever order they came in: one trace is one top-level run, whatever is missing.

A span that names an agent is a run. The only outermost one of a trace is the trace's run; several are runs
delegated by it, and so is an agent of another name inside one. Everything else belongs to the nearest run
around it. A model call that wraps another model call is one turn, and a run's own usage repeats its turns'.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from ingest.dialects.spans import MappedSpan
from ingest.dialects.unify import filled, unified
from ingest.dialects.usage import Usage

RUN_PREFIX = "otel-"


def run_id_of(trace_id: str, span_id: str | None = None) -> str:
    """The id of a trace's run, or of the delegated run whose span is ``span_id``."""
    return f"{RUN_PREFIX}{trace_id}" + (f"-{span_id}" if span_id else "")


def trace_id_of_log(log: MappedSpan) -> str:
    """What stands for the trace of a log record without one: its service, conversation and prompt."""
    named = f"{log.service_name}\x1f{log.conversation_id}\x1f{log.prompt_id}"
    return sha256(named.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A model call of a run. ``turn_index`` counts from 0 in order of start."""

    turn_index: int
    span: MappedSpan


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool call of a run; ``turn_index`` is the last turn that started before it, where times say so."""

    call_index: int
    turn_index: int | None
    span: MappedSpan


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution of an outside agent; times in nanoseconds since 1970, None where unknown."""

    run_id: str
    parent_run_id: str | None
    root_run_id: str
    trace_id: str
    root: MappedSpan | None  # the span of the run itself; None as long as it is missing
    name: str
    agent_name: str | None
    service_name: str | None
    conversation_id: str | None
    person_id: str | None
    start_ns: int | None
    end_ns: int | None  # of the run's own span; None while it is missing
    last_seen_ns: int | None
    is_error: bool
    error_type: str | None
    usage: Usage | None  # as the run's own span states it, only where no turn of it is known
    turns: tuple[Turn, ...]
    tool_calls: tuple[ToolCall, ...]
    retrieval_count: int
    span_count: int


def assemble(spans: Iterable[MappedSpan]) -> list[Run]:
    """The runs in ``spans`` of any number of traces, by trace id; no agent and no call means no run."""
    runs: list[Run] = []
    for trace_id, members in sorted(_traces(spans).items()):
        runs += _runs_of(trace_id, unified(members))
    return runs


def _traces(spans: Iterable[MappedSpan]) -> dict[str, list[MappedSpan]]:
    traces: dict[str, list[MappedSpan]] = {}
    traceless: list[MappedSpan] = []
    told: set[str] = set()
    for span in spans:
        if span.trace_id:
            traces.setdefault(span.trace_id, []).append(span)
            if span.signal == "span" and span.kind == "turn" and span.conversation_id:
                told.add(span.conversation_id)
        elif span.signal == "log" and span.kind in ("turn", "tool_call") and span.conversation_id:
            traceless.append(span)
    for log in traceless:
        # The same conversation told in spans: its log events repeat it.
        if log.conversation_id not in told:
            traces.setdefault(trace_id_of_log(log), []).append(log)
    return traces


class _Tree:
    """The spans of one trace under their parents; a circle of parents is cut where it closes."""

    def __init__(self, spans: Sequence[MappedSpan]) -> None:
        self.spans = spans
        present = {span.span_id for span in spans if span.span_id}
        self._parents = {
            span.span_id: span.parent_span_id if span.parent_span_id in present else None for span in spans
        }

    def above(self, marked: Collection[str]) -> dict[str, str | None]:
        """For each span the nearest one of ``marked`` above it, itself left out; linear in the spans."""
        found: dict[str, str | None] = {}
        for span in self.spans:
            path: dict[str, None] = {}
            current: str | None = span.span_id
            while current is not None and current not in found and current not in path:
                path[current] = None
                current = self._parents[current]
            for child in reversed(path):
                parent = self._parents[child]
                if parent is None or parent not in found:  # not found yet: here a circle closes
                    found[child] = None
                else:
                    found[child] = parent if parent in marked else found[parent]
        return found


def _runs_of(trace_id: str, spans: Sequence[MappedSpan]) -> list[Run]:
    tree = _Tree(spans)
    heads = _heads(tree)
    around = tree.above(heads)
    outermost = [span_id for span_id in heads if around[span_id] is None]
    trace_head = outermost[0] if len(outermost) == 1 else None
    members: dict[str | None, list[MappedSpan]] = {None: []}
    for span in spans:
        owner = span.span_id if span.span_id in heads else around.get(span.span_id)
        members.setdefault(None if owner == trace_head else owner, []).append(span)
    top = _run(_Place(trace_id), heads[trace_head] if trace_head else _root(spans), members.pop(None))
    if trace_head is None:
        top = replace(top, agent_name=_agreed(top, has_delegated=bool(members)))
    runs = [top]
    for span_id, group in sorted(members.items(), key=lambda item: item[0] or ""):
        if span_id is not None:
            parent = around[span_id]
            place = _Place(trace_id, span_id, None if parent == trace_head else parent)
            runs.append(_run(place, heads[span_id], group))
    return _without_repeated_usage(runs) if len(runs) > 1 or _says_something(top) else []


def _heads(tree: _Tree) -> dict[str, MappedSpan]:
    """The spans that are runs of their own: they name an agent that the run around them does not name."""
    named = {span.span_id: span for span in tree.spans if span.kind == "run" and span.agent_name}
    around = tree.above(named)
    heads: dict[str, MappedSpan] = {}
    for span_id, span in named.items():
        outer = around[span_id]
        if outer is None or named[outer].agent_name != span.agent_name:
            heads[span_id] = span
    return heads


def _root(spans: Sequence[MappedSpan]) -> MappedSpan | None:
    """The span around everything, if it arrived: the only one without a parent, or the only run span."""
    roots = [span for span in spans if span.parent_span_id is None and span.signal == "span"]
    if len(roots) == 1:
        return roots[0]
    run_spans = [span for span in spans if span.kind == "run"]
    return run_spans[0] if len(run_spans) == 1 else None


def _agreed(run: Run, *, has_delegated: bool) -> str | None:
    """The agent that the run's own calls name, when they agree and no agent span does it better."""
    calls = [turn.span for turn in run.turns] + [call.span for call in run.tool_calls]
    names = {span.agent_name for span in calls} - {None}
    return next(iter(names)) if len(names) == 1 and not has_delegated else None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a run stands in its trace: its own span, and the span of the run that delegated to it."""

    trace_id: str
    span_id: str | None = None
    parent_span_id: str | None = None


def _run(place: _Place, root: MappedSpan | None, members: Sequence[MappedSpan]) -> Run:
    turns = tuple(Turn(turn_index=index, span=span) for index, span in enumerate(_turns(members)))
    calls = [span for span in members if span.kind == "tool_call"]
    ends = [moment for span in members if (moment := span.end_ns or span.start_ns) is not None]
    starts = [span.start_ns for span in members if span.start_ns is not None]
    return Run(
        run_id=run_id_of(place.trace_id, place.span_id),
        parent_run_id=run_id_of(place.trace_id, place.parent_span_id) if place.span_id else None,
        root_run_id=run_id_of(place.trace_id),
        trace_id=place.trace_id,
        root=root,
        name=root.name if root else "",
        agent_name=root.agent_name if root else None,
        service_name=_stated(root, members, "service_name"),
        conversation_id=_stated(root, members, "conversation_id"),
        person_id=_stated(root, members, "person_id"),
        start_ns=root.start_ns if root and root.start_ns is not None else min(starts, default=None),
        end_ns=root.end_ns if root else None,
        last_seen_ns=max(ends, default=None),
        is_error=root.is_error if root else False,
        error_type=root.error_type if root else None,
        usage=root.usage if root and root.kind == "run" else None,
        turns=turns,
        tool_calls=tuple(
            ToolCall(call_index=index, turn_index=_turn_before(turns, span), span=span)
            for index, span in enumerate(calls)
        ),
        retrieval_count=sum(span.kind == "retrieval" for span in members),
        span_count=len(members),
    )


def _stated(root: MappedSpan | None, members: Sequence[MappedSpan], name: str) -> str | None:
    """What the run's own span says, else the first of its members that says anything."""
    values = (getattr(span, name) for span in ((root, *members) if root else members))
    return next((value for value in values if value is not None), None)


def _turn_before(turns: Sequence[Turn], call: MappedSpan) -> int | None:
    """Turns are in order of start, those without a time last."""
    if call.start_ns is None:
        return None
    starts = [turn.span.start_ns for turn in turns if turn.span.start_ns is not None]
    place = bisect_right(starts, call.start_ns)
    return turns[place - 1].turn_index if place else None


def _turns(members: Sequence[MappedSpan]) -> list[MappedSpan]:
    """The model calls among ``members``, each once: what wraps or repeats a call is no call of its own."""
    turns = {span.span_id: span for span in members if span.kind == "turn" and span.span_id}
    inside: dict[str, list[str]] = {}
    for span_id, wrapper in _Tree(members).above(turns).items():
        if span_id in turns and wrapper is not None:
            inside.setdefault(wrapper, []).append(span_id)
    dropped: set[str] = set()
    for wrapper, inner in inside.items():
        if len(inner) == 1:
            turns[inner[0]] = filled(turns[inner[0]], turns[wrapper])
        if len(inner) > 1 and turns[wrapper].usage and not any(turns[one].usage for one in inner):
            dropped.update(inner)  # only the wrapper knows what its calls used
        else:
            dropped.add(wrapper)
    kept = [
        turns.get(span.span_id, span)
        for span in members
        if span.kind == "turn" and span.span_id not in dropped
    ]
    return _once_per_response(kept)


def _once_per_response(turns: Sequence[MappedSpan]) -> list[MappedSpan]:
    """Two instrumentations in one process tell of one answer: its response id is the same."""
    found: dict[str, MappedSpan] = {}
    for number, turn in enumerate(turns):
        key = turn.response_id or f"\x1f{number}"
        found[key] = filled(found[key], turn) if key in found else turn
    return list(found.values())


def _without_repeated_usage(runs: Sequence[Run]) -> list[Run]:
    """A run span adds up what the turns in and below it used; it counts only where no turn is known."""
    has_turns = any(run.turns for run in runs)
    return [replace(run, usage=None) if has_turns or run.parent_run_id else run for run in runs]


def _says_something(run: Run) -> bool:
    is_agent = run.root is not None and run.root.kind == "run"
    return is_agent or bool(run.turns or run.tool_calls or run.retrieval_count)
