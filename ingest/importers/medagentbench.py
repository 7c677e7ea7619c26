"""MedAgentBench results: one JSON document per task, and a SUMMARY.json that says how many there should be.

Source: WhissleAI/tau2-bench-w, ``results/whissle/medagentbench``. The model answers with text; the harness
reads a GET, a POST or the final answer from it and makes the call. There are no tokens, no cost and no start.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import msgspec

from ingest.importers.draft import RunDraft, attempt
from ingest.importers.facts import Counts, Identity, Result, Turn, Verdict, content_id
from ingest.importers.formats import Declared, ImportedRun, Item, Reading
from ingest.importers.probe import Probe
from ingest.importers.source import Json, SourceFile
from ingest.importers.times import read_moment

NAME = "medagentbench"
SOURCE_AGENT = "whissle-brain"  # the agent that this harness drives; the documents hold only its random id
UNSTATED = ("other_side_calls", "approvals")
NANOS_PER_MS = 1_000_000
TASK_KEYS = ("task_id", "category", "turns", "grade", "infra_fail")
SUMMARY_KEYS = ("suite", "n_tasks_attempted", "n_scored", "status_counts")

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=9_000_000_000)]


class Round(msgspec.Struct, frozen=True):
    """One answer of the model and what the harness did with it."""

    agent_reply: str | None = None
    latency_ms: Milliseconds | None = None


class Line(msgspec.Struct, frozen=True):
    """One line of the conversation; role is ``user`` or ``agent``."""

    role: str


class Call(msgspec.Struct, frozen=True):
    """A call that the harness made for the model."""

    turn: int
    name: Annotated[str, msgspec.Meta(min_length=1)]
    arguments: dict[str, object] = {}
    result: str | None = None
    ok: bool | None = None
    error: str | None = None


class Tools(msgspec.Struct, frozen=True):
    """The calls of a run."""

    calls: list[Call] = []


class Provenance(msgspec.Struct, frozen=True):
    """Where the run comes from; ``captured_at`` is when it was written down, after its end."""

    model: str = ""
    captured_at: str | None = None


class Diagnostics(msgspec.Struct, frozen=True):
    """What the harness noted about the run."""

    provenance: Provenance = Provenance()
    tools: Tools | None = None


class Task(msgspec.Struct, frozen=True):
    """One run."""

    task_id: Annotated[str, msgspec.Meta(min_length=1)]
    category: str
    status: str
    turns: list[Round]
    history: list[Line]
    diagnostics: Diagnostics
    prompt: str | None = None
    result: str | None = None
    infra_fail: bool = False
    duration_ms: Milliseconds | None = None
    correct: bool | None = None


class MedAgentBench:
    """The importer ``medagentbench``."""

    name = NAME
    summary = "MedAgentBench tasks, one JSON file each, and their SUMMARY.json"

    def recognises(self, probe: Probe) -> bool:
        """A task, or the summary of a run over many tasks."""
        return probe.kind == "object" and (probe.has(*TASK_KEYS) or probe.has(*SUMMARY_KEYS))

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """The one run of a task, or what the summary declares. Raises SourceError when it is no JSON."""
        raw = source.document()
        if isinstance(raw, dict) and raw.keys() >= set(SUMMARY_KEYS):
            attempted = raw["n_tasks_attempted"]
            if isinstance(attempted, int):
                yield Declared(run_count=attempted)
            return
        yield attempt(partial(_run, raw, source, reading), raw=raw, source_run_id=source.stem)


FORMAT = MedAgentBench()


def _run(raw: Json, source: SourceFile, reading: Reading) -> ImportedRun:
    task = msgspec.convert(raw, type=Task)
    provenance = task.diagnostics.provenance
    written_at = (
        read_moment(provenance.captured_at, reading.time_zone, "captured_at")
        if provenance.captured_at
        else None
    )
    draft = RunDraft(
        Identity(
            format_name=NAME,
            run_id=content_id(NAME, raw),  # task ids repeat between models
            source_run_id=task.task_id,
            source_task_id=task.task_id,
            source_file=source.name,
            source_agent=SOURCE_AGENT,
            source_domain=f"health/{task.category}",
            model=provenance.model,
            carried_at=written_at.at if written_at else reading.imported_at,
        ),
        reading.places,
    )
    draft.say("user", task.prompt)
    calls = task.diagnostics.tools.calls if task.diagnostics.tools else []
    for number, one in enumerate(task.turns):
        turn_index = draft.turn(Turn(text=one.agent_reply, duration_ns=_nanoseconds(one.latency_ms)))
        for call in calls:
            if call.turn == number:
                _call(draft, call, turn_index)
    _end(draft, task)
    return draft.finish()


def _nanoseconds(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds * NANOS_PER_MS


def _call(draft: RunDraft, call: Call, turn_index: int) -> None:
    index = draft.call(call.name, call.arguments, turn_index=turn_index)
    if call.ok is None:
        draft.result(index, Result(outcome="unknown", text=call.result))
    elif call.ok:
        draft.result(index, Result(outcome="succeeded", text=call.result))
    else:
        draft.result(index, Result(outcome="failed", error_class="upstream", text=call.error or call.result))


def _end(draft: RunDraft, task: Task) -> None:
    draft.counted(
        Counts(
            user_messages=sum(line.role == "user" for line in task.history),
            assistant_messages=sum(line.role == "agent" for line in task.history),
            tool_results=draft.call_count,
            unstated=UNSTATED,
        )
    )
    is_completed = task.status == "completed" and not task.infra_fail
    draft.end(
        "completed" if is_completed else "failed",
        text=task.result,
        error_type=None if is_completed else "infrastructure_error" if task.infra_fail else task.status,
        machine_ns=_nanoseconds(task.duration_ms),
        source_end_reason=task.status,
        is_time_stated=True if task.diagnostics.provenance.captured_at else None,
    )
    if task.correct is not None and not task.infra_fail:
        draft.verdict(Verdict(kind="task_reward", name="correct", is_good=task.correct))
