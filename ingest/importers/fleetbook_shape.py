"""Our own run format, for everybody whose tool no importer reads: one JSON object per line is one run.

These classes are the format: reader, validator and ``docs/run.schema.json`` are made from them. Unknown keys
are errors, so that a mistyped one is not lost. What is left out is unknown, never 0.

``python -m ingest.importers.fleetbook_shape --write`` makes the schema again; ``--check`` fails when it is
stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

SCHEMA = "fleetbook.run/1"

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Milliseconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=9e9)]
Usd: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=9e6)]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Time: TypeAlias = Annotated[str, msgspec.Meta(description="ISO 8601; without a zone it is in --time-zone.")]
Unstated: TypeAlias = Literal["turns", "tool_errors", "other_side_calls", "approvals", "machine_time"]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all objects of the format."""


class MessageStep(Record, frozen=True, tag_field="type", tag="message"):
    """A message that is no model turn: a user's line, a system prompt."""

    role: Literal["user", "assistant", "system"]
    text: str | None = None
    at: Time | None = None


class TurnStep(Record, frozen=True, tag_field="type", tag="turn"):
    """One call of a model. Costs are of this call alone, never running totals."""

    text: str | None = None
    model: Name | None = None
    served_model: Name | None = None
    requested_at: Time | None = None
    finished_at: Time | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    is_cache_in_input: bool | None = None
    cost_usd: Usd | None = None
    duration_ms: Milliseconds | None = None
    finish_reason: str | None = None
    error_type: str | None = None


class Approval(Record, frozen=True):
    """A person's decision on a call; without ``decision`` it waits."""

    decision: Literal["approved", "approved_changed", "rejected"] | None = None
    decided_by: Literal["person", "policy", "unknown"] | None = None
    person: Name | None = None
    rule: str | None = None
    reason: str | None = None
    asked_at: Time | None = None
    decided_at: Time | None = None
    changed_arguments: object = None


class ToolCallStep(Record, frozen=True, tag_field="type", tag="tool_call"):
    """One tool call. ``outcome`` is left out while it runs; refused and denied calls were not executed."""

    name: Name
    arguments: object = None
    call_id: str | None = None
    called_by: Literal["agent", "user"] = "agent"
    effect: Literal["read", "write", "consequential"] | None = None
    requested_at: Time | None = None
    finished_at: Time | None = None
    outcome: Literal["succeeded", "failed", "refused", "denied", "unknown"] | None = None
    error_class: Literal["invalid_args", "upstream", "timeout", "crash", "unclassified"] | None = None
    error_type: str | None = None
    result: str | None = None
    duration_ms: Milliseconds | None = None
    approval: Approval | None = None


class End(Record, frozen=True):
    """How the run ended; left out while it goes on."""

    state: Literal["completed", "failed", "stopped_budget", "cancelled", "expired_waiting", "lost"]
    at: Time | None = None
    answer: str | None = None
    error_type: str | None = None
    reason: str | None = None
    machine_ms: Milliseconds | None = None
    cost_usd: Usd | None = None
    other_side_cost_usd: Usd | None = None


class Verdict(Record, frozen=True):
    """A verdict on the run. ``is_good`` is left out where a score does not say whether high is good."""

    kind: Literal["task_reward", "user_rating", "user_confirmation", "judge", "security", "score"]
    name: str | None = None
    is_good: bool | None = None
    score: Annotated[float, msgspec.Meta(ge=-9e9, le=9e9)] | None = None
    at: Time | None = None
    person: Name | None = None
    reason: str | None = None


class Intervention(Record, frozen=True):
    """What a person did to the run."""

    kind: Literal["corrected", "rerun", "took_over", "interrupted"]
    at: Time | None = None
    person: Name | None = None


class Totals(Record, frozen=True):
    """Totals of the run, where its turns are not known one by one."""

    turns: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    total_tokens: Count | None = None


Step: TypeAlias = MessageStep | TurnStep | ToolCallStep


class Run(Record, frozen=True):
    """One run of an agent, from trigger to end. ``run_id`` is its id in your system, unique per agent."""

    schema: Literal["fleetbook.run/1"]
    run_id: Name
    agent: Name
    domain: str | None = None
    task_id: str | None = None
    model: Name | None = None
    provider: Name | None = None
    conversation_id: Name | None = None
    parent_run_id: Name | None = None
    started_at: Time | None = None
    steps: list[Step] = []
    end: End | None = None
    totals: Totals | None = None
    verdicts: list[Verdict] = []
    interventions: list[Intervention] = []
    unstated: list[Unstated] = []


def _anything(kind: type) -> dict[str, object]:
    """The schema of arguments: any JSON."""
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "Any JSON."}


def json_schema() -> str:
    """The JSON Schema (2020-12) of one line, as text with a line end."""
    schema = msgspec.json.schema(Run, schema_hook=_anything)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A Fleetbook run"}
    return json.dumps({**head, **schema}, indent=1) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """``--write`` makes the schema in docs again, ``--check`` compares it; exit code 1 when it is stale."""
    name = "python -m ingest.importers.fleetbook_shape"
    parser = argparse.ArgumentParser(prog=name, description=main.__doc__)
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true", help="make the schema again")
    group.add_argument("--check", action="store_true", help="fail when the schema is stale")
    path = Path(__file__).resolve().parents[2] / "docs" / "run.schema.json"
    if parser.parse_args(arguments).write:
        path.write_text(json_schema(), encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == json_schema():
        return 0
    print(
        f"Stale copy: {path} differs from ingest/importers/fleetbook_shape.py. "
        "Run `python -m ingest.importers.fleetbook_shape --write`.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
