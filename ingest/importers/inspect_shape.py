"""The shape of an Inspect log: what is read of it, and nothing else.

Source: UKGovernmentBEIS/inspect_ai, ``log/_log.py``, ``event/`` and ``model/_model_output.py``. Events are
kept as decoded JSON and given their shape one kind at a time: there are about twenty kinds, three are read.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=9e6)]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class Dataset(msgspec.Struct, frozen=True):
    """The samples that the evaluation was to run."""

    sample_ids: list[int | str] | None = None


class Config(msgspec.Struct, frozen=True):
    """How often each sample runs, and whether calls need an approval."""

    epochs: Annotated[int, msgspec.Meta(ge=1)] | None = None
    approval: object = None


class EvalSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which task was run with which model; ``eval_id``, ``run_id`` and ``created`` tell evaluations apart."""

    task: Name
    model: str
    created: str
    run_id: str = ""
    eval_id: str = ""
    task_id: str = ""
    dataset: Dataset = Dataset()
    config: Config = Config()


class Results(msgspec.Struct, frozen=True):
    """What the header claims about the samples."""

    total_samples: Count | None = None


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The log without its samples."""

    eval: EvalSpec
    results: Results | None = None

    @property
    def expected(self) -> int | None:
        """Samples that the log should hold: those the results claim, else those that were to run."""
        if self.results and self.results.total_samples is not None:
            return self.results.total_samples
        ids = self.eval.dataset.sample_ids
        return None if ids is None else len(ids) * (self.eval.config.epochs or 1)


class ModelUsage(msgspec.Struct, frozen=True):
    """Tokens of one call, or of a sample; Inspect leaves out a kind of which there were none."""

    input_tokens: Count
    output_tokens: Count
    total_tokens: Count | None = None
    input_tokens_cache_read: Count | None = None
    input_tokens_cache_write: Count | None = None
    reasoning_tokens: Count | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """A call as the model asked for it."""

    function: Name
    id: str = ""
    arguments: object = None


class CallError(msgspec.Struct, frozen=True):
    """Why a tool call failed."""

    type: str = "unknown"
    message: str = ""


class Message(msgspec.Struct, frozen=True):
    """One line of the conversation; ``content`` is text or a list of parts."""

    role: str
    content: object = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    error: CallError | None = None


class Choice(msgspec.Struct, frozen=True):
    """One answer of the model."""

    message: Message
    stop_reason: str | None = None


class Output(msgspec.Struct, frozen=True):
    """What the model returned."""

    model: str = ""
    choices: list[Choice] = []
    usage: ModelUsage | None = None
    time: Seconds | None = None
    error: str | None = None


class ModelEvent(msgspec.Struct, frozen=True):
    """A model call."""

    timestamp: Name
    model: str
    output: Output
    completed: str | None = None
    error: str | None = None


class ToolEvent(msgspec.Struct, frozen=True):
    """A tool call and its end."""

    timestamp: Name
    function: Name
    id: str = ""
    arguments: object = None
    result: object = None
    error: CallError | None = None
    failed: bool | None = None
    completed: str | None = None


class ApprovalEvent(msgspec.Struct, frozen=True):
    """A decision on a tool call: approve, modify, reject, escalate or terminate."""

    timestamp: Name
    call: ToolCall
    approver: str
    decision: str
    modified: ToolCall | None = None
    explanation: str | None = None


class Score(msgspec.Struct, frozen=True):
    """One score; ``value`` is C, I, P, N, a number, or something of the scorer's own."""

    value: object = None


class Limit(msgspec.Struct, frozen=True):
    """The limit that ended a sample."""

    type: str
    reason: str | None = None


class Sample(msgspec.Struct, frozen=True):
    """One sample in one epoch: one run."""

    id: int | str
    epoch: int
    uuid: str | None = None
    messages: list[Message] = []
    events: list[dict[str, object]] = []
    attachments: dict[str, str] = {}
    scores: dict[str, Score] | None = None
    model_usage: dict[str, ModelUsage] | None = None
    total_time: Seconds | None = None
    started_at: str | None = None
    completed_at: str | None = None
    limit: Limit | None = None
    error: object = None

    @property
    def source_run_id(self) -> str:
        """Inspect's own file name for the sample."""
        return f"{self.id}_epoch_{self.epoch}"
