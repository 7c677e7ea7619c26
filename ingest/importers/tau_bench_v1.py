"""tau-bench v1 result files: a list of ``{task_id, trial, reward, info, traj}``, one element is one run.

Source: sierra-research/tau-bench, ``historical_trajectories``. The file says neither when, nor with how many
tokens, nor at what cost to the agent: all of that is unknown. The agent and model stand in the file's name
only (``gpt-4o-airline.json``); other names leave the model unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal

import msgspec

from ingest.errors import SourceError
from ingest.importers.draft import RunDraft, attempt
from ingest.importers.facts import Counts, Identity, Result, Verdict, content_id
from ingest.importers.figures import millionths, nano_usd
from ingest.importers.formats import ImportedRun, Item, Reading
from ingest.importers.probe import Probe
from ingest.importers.source import Json, JsonReader, SourceFile

NAME = "tau_bench_v1"
SOURCE_AGENT = "tool-calling"  # the strategy of the published trajectories
DOMAINS = ("airline", "retail")
FILE_NAME = re.compile(rf"(?P<model>.+?)-(?P<domain>{'|'.join(DOMAINS)})")
UNSTATED = ("turns", "other_side_calls", "approvals")


class Function(msgspec.Struct, frozen=True):
    """The called function; ``arguments`` is JSON text."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    arguments: str | dict[str, object] = ""


class ToolCall(msgspec.Struct, frozen=True):
    """A call inside an assistant message."""

    function: Function
    id: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One OpenAI chat message."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class Info(msgspec.Struct, frozen=True):
    """Of the run's bookkeeping only the cost of the simulated user is read."""

    user_cost: Annotated[float, msgspec.Meta(ge=0, le=9e6)] | None = None


class Trial(msgspec.Struct, frozen=True):
    """One run: a trial of a task."""

    task_id: int | str
    traj: Annotated[list[Message], msgspec.Meta(min_length=1)]
    trial: int = 0
    reward: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)] | None = None
    info: Info = Info()


class TauBenchV1:
    """The importer ``tau_bench_v1``."""

    name = NAME
    summary = "tau-bench v1 historical trajectories"

    def recognises(self, probe: Probe) -> bool:
        """A list of objects with a task, a reward and a trajectory."""
        return probe.kind == "list" and probe.has("task_id", "reward", "traj")

    def read(self, source: SourceFile, reading: Reading) -> Iterator[Item]:
        """Runs and rejects in file order. Raises SourceError when the document is no list."""
        with source.open() as stream:
            reader = JsonReader(stream, source.title)
            if not reader.next_is("["):
                raise SourceError(
                    f"Nothing imported: {source.title} is no tau-bench v1 file: it begins with no list. "
                    "Name another format, or leave the file out."
                )
            for position, raw in enumerate(reader.items()):
                yield attempt(
                    partial(_run, raw, source, reading),
                    raw=[raw],
                    position=position,
                    source_run_id=_source_run_id(raw),
                )
            reader.finish()


FORMAT = TauBenchV1()


def _source_run_id(raw: Json) -> str:
    return f"{raw.get('task_id')}-{raw.get('trial', 0)}" if isinstance(raw, dict) else ""


def _run(raw: Json, source: SourceFile, reading: Reading) -> ImportedRun:
    trial = msgspec.convert(raw, type=Trial)
    named = FILE_NAME.search(source.stem)
    model, domain = (named["model"], named["domain"]) if named else ("", "")
    draft = RunDraft(
        Identity(
            format_name=NAME,
            # Without an id of its own a run is its content: the same trial in two files is one run.
            run_id=content_id(NAME, raw),
            source_run_id=_source_run_id(raw),
            source_task_id=str(trial.task_id),
            source_file=source.name,
            source_agent=SOURCE_AGENT,
            source_domain=domain,
            model=model,
            carried_at=reading.imported_at,
        ),
        reading.places,
    )
    for message in trial.traj:
        _message(draft, message)
    draft.counted(
        Counts(
            user_messages=_said(trial, "user"),
            assistant_messages=_said(trial, "assistant"),
            tool_results=sum(message.role == "tool" for message in trial.traj),
            unstated=UNSTATED,
        )
    )
    draft.end("completed", other_side_cost_nano_usd=nano_usd(trial.info.user_cost))
    if trial.reward is not None:
        score = millionths(trial.reward)
        draft.verdict(Verdict(kind="task_reward", is_good=trial.reward == 1, score_micro=score))
    return draft.finish()


def _said(trial: Trial, role: str) -> int:
    """Messages of one side with text; a message that only calls a tool says nothing."""
    return sum(message.role == role and bool(message.content) for message in trial.traj)


def _message(draft: RunDraft, message: Message) -> None:
    if message.role == "tool":
        # The benchmark's environment reports every failure as text that begins with this word.
        is_error = (message.content or "").startswith("Error")
        draft.result(
            draft.open_call(message.tool_call_id),
            Result(
                outcome="failed" if is_error else "succeeded",
                error_class="unclassified" if is_error else None,
                text=message.content,
            ),
        )
        return
    if message.content:
        draft.say(message.role, message.content)
    for call in message.tool_calls or ():
        draft.call(call.function.name, call.function.arguments, call_id=call.id)
