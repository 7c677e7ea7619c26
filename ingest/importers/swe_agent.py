"""SWE-agent trajectories: one ``.traj`` document is one run.

Source: SWE-agent/SWE-agent, ``sweagent/agent/agents.py``. ``trajectory`` holds the executed actions and is
the only record of calls; ``history`` is the prompt, which may hold demonstrations. ``model_stats`` are totals
of the run: ``instance_cost`` is its cost, while ``total_cost`` runs on over all instances of a batch and is
not read. SWE-agent saves the document after every step: a document without ``exit_status`` is a run that has
not ended. There are no times, and nothing says whether an action succeeded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import msgspec

from ingest.importers.draft import RunDraft, attempt
from ingest.importers.facts import Counts, Identity, Result, Usage, content_id
from ingest.importers.figures import nano_usd, nanoseconds
from ingest.importers.formats import ImportedRun, Item, Reading
from ingest.importers.probe import Probe
from ingest.importers.source import Json, SourceFile

NAME = "swe_agent"
SOURCE_AGENT = "swe-agent"
SOURCE_DOMAIN = "coding"
UNSTATED = ("tool_errors", "other_side_calls", "approvals")
COMMAND = re.compile(r"[A-Za-z_][\w.-]*")
BUDGET_EXITS = ("exit_cost", "exit_total_cost")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class Step(msgspec.Struct, frozen=True):
    """One action and what the environment answered."""

    action: str
    observation: str | None = None
    response: str | None = None
    execution_time: Annotated[float, msgspec.Meta(ge=0, le=9e6)] | None = None


class Message(msgspec.Struct, frozen=True):
    """One line of the prompt's history; ``content`` may be a list of parts."""

    role: str
    content: object = None


class ModelStats(msgspec.Struct, frozen=True):
    """Totals of the run. ``total_cost`` is left out on purpose: it is a running total over instances."""

    instance_cost: Annotated[float, msgspec.Meta(ge=0, le=9e6)] | None = None
    tokens_sent: Count | None = None
    tokens_received: Count | None = None
    api_calls: Count | None = None


class Info(msgspec.Struct, frozen=True):
    """How the run ended and what it used."""

    exit_status: str | None = None
    submission: str | None = None
    model_stats: ModelStats | None = None


class Trajectory(msgspec.Struct, frozen=True):
    """One document."""

    history: list[Message] = []
    trajectory: list[Step] = []
    info: Info = Info()
    replay_config: object = None


class SweAgent:
    """The importer ``swe_agent``."""

    name = NAME
    summary = "SWE-agent trajectories (.traj)"

    def recognises(self, probe: Probe) -> bool:
        """An object with history and trajectory; demonstrations have a history alone."""
        if probe.kind != "object" or "history" not in probe.keys:
            return False
        return probe.has("trajectory", "info") or probe.keys == {"history"}

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """The one run of the document, or a reject. Raises SourceError when it is no JSON."""
        raw = source.document()
        yield attempt(partial(_run, raw, source, reading), raw=raw, source_run_id=source.stem)


FORMAT = SweAgent()


def _run(raw: Json, source: SourceFile, reading: Reading) -> ImportedRun:
    document = msgspec.convert(raw, type=Trajectory)
    first = document.trajectory[0] if document.trajectory else Step(action="")
    opening = [_text(message) for message in document.history[:2]]
    draft = RunDraft(
        Identity(
            format_name=NAME,
            # What does not change while the document grows: its name, the task, and the first answer.
            run_id=content_id(NAME, source.stem, opening, first.response or first.action),
            source_run_id=source.stem,
            source_file=source.name,
            source_agent=SOURCE_AGENT,
            source_domain=SOURCE_DOMAIN,
            model=_model(document),
            carried_at=reading.imported_at,
        ),
        reading.places,
    )
    for message in _opening(document):
        draft.say(message.role if message.role in ("system", "user") else "assistant", _text(message))
    for step in document.trajectory:
        _step(draft, step)
    _end(draft, document)
    return draft.finish()


def _opening(document: Trajectory) -> list[Message]:
    """The prompt before the first action; the whole history, where no action was executed."""
    if not document.trajectory:
        return [message for message in document.history if message.role != "tool"]
    first = next((n for n, message in enumerate(document.history) if message.role == "assistant"), None)
    return document.history[:first]


def _text(message: Message) -> str:
    return message.content if isinstance(message.content, str) else json.dumps(message.content)


def _model(document: Trajectory) -> str:
    """The model named in the run's configuration, of which nothing else is read: it may hold keys.

    A run without tokens is a replay of an older one: no model answered.
    """
    stats, config = document.info.model_stats, document.replay_config
    if stats is None or not stats.tokens_sent:
        return ""
    try:
        found = json.loads(config) if isinstance(config, str) else config
        name = found["agent"]["model"]["name"]  # type: ignore[index]  # another shape names no model
    except (ValueError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def _step(draft: RunDraft, step: Step) -> None:
    if step.response:
        draft.say("assistant", step.response)
    command = COMMAND.match(step.action.lstrip())
    index = draft.call(command.group() if command else "command", step.action)
    if step.observation is not None:
        duration = nanoseconds(step.execution_time)
        draft.result(index, Result(outcome="unknown", text=step.observation, duration_ns=duration))


def _end(draft: RunDraft, document: Trajectory) -> None:
    stats = document.info.model_stats
    edition = str(len(document.trajectory))
    draft.counted(
        Counts(
            user_messages=sum(message.role == "user" for message in document.history),
            assistant_messages=sum(message.role == "assistant" for message in document.history),
            tool_results=sum(step.observation is not None for step in document.trajectory),
            turns=stats.api_calls if stats else None,
            usage=Usage(
                input_tokens=stats.tokens_sent if stats else None,
                output_tokens=stats.tokens_received if stats else None,
            ),
            cost_nano_usd=nano_usd(stats.instance_cost) if stats else None,
            unstated=UNSTATED if stats else ("turns", *UNSTATED),
            edition=edition,
        )
    )
    status = document.info.exit_status
    if status:
        state = _state(status)
        draft.end(
            state,
            edition=edition,
            text=document.info.submission,
            error_type=None if state == "completed" else status,
            source_end_reason=status,
        )


def _state(status: str) -> str:
    """``submitted (exit_cost)`` is an answer handed in when the money ran out: an answer all the same."""
    if status.startswith("submitted"):
        return "completed"
    return "stopped_budget" if status in BUDGET_EXITS else "failed"
