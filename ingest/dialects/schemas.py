"""The columns of what outside spans mean: runs, turns, tool calls, verdicts and approvals, as Arrow schemas.

The columns have the names and units of the event contract (``ingest/events.py``), so that outside and native
rows meet without translation. Two of them are fixed here: ``input_tokens`` holds the cached tokens
(``is_cache_in_input`` is true throughout) and ``output_tokens`` holds the reasoning tokens. Columns are only
added, never renamed or given another meaning; ``mapping_version`` says which alias table made the row.
"""

from __future__ import annotations

import pyarrow as pa

_TIME = pa.timestamp("us", tz="UTC")

_SHARED: tuple[tuple[str, pa.DataType], ...] = (
    ("run_id", pa.string()),  # otel-<trace id>, for a delegated run with its span id behind it
    ("team_id", pa.string()),  # team of the token that sent it
    ("agent_id", pa.string()),  # name by which the agent calls itself, else its service, else its root span
    ("recorded_via", pa.string()),
    ("is_demo", pa.bool_()),
    ("mapping_version", pa.string()),
)
_USAGE: tuple[tuple[str, pa.DataType], ...] = (
    ("input_tokens", pa.int64()),  # all input, cached tokens inside
    ("output_tokens", pa.int64()),  # all output, reasoning inside
    ("cache_read_tokens", pa.int64()),
    ("cache_write_tokens", pa.int64()),
    ("cache_write_1h_tokens", pa.int64()),  # the part of cache_write_tokens that is kept for an hour
    ("reasoning_tokens", pa.int64()),
    ("is_cache_in_input", pa.bool_()),  # true
)
RUN_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("parent_run_id", pa.string()),
        ("root_run_id", pa.string()),
        ("is_delegated", pa.bool_()),
        ("conversation_id", pa.string()),
        ("actor_id", pa.string()),  # the person the sender names
        ("trace_id", pa.string()),
        ("token_id", pa.string()),
        ("source_agent", pa.string()),  # agent name as stated, null when none is
        ("source_domain", pa.string()),  # service name
        ("source_name", pa.string()),  # name of the run's own span
        ("dialect", pa.string()),
        ("requested_at", _TIME),  # start of the run's span, else of its first span
        ("ended_at", _TIME),  # end of the run's own span; null while that is missing
        ("last_seen_at", _TIME),  # last time in any span of the run
        ("end_state", pa.string()),  # completed, failed; null while ended_at is
        ("error_type", pa.string()),
        ("machine_ns", pa.int64()),  # duration of the run's own span
        *_USAGE,  # of the run as a whole, only where no turn of it is known
        ("reported_cost_nano_usd", pa.int64()),  # as the run's own span states it, likewise
        ("turn_count", pa.int64()),
        ("tool_call_count", pa.int64()),
        ("retrieval_count", pa.int64()),
        ("span_count", pa.int64()),
        ("is_log_only", pa.bool_()),  # told by log records alone, which never say that a run is over
    ]
)
TURN_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("turn_index", pa.int64()),
        ("attempt", pa.int64()),  # 1: senders do not tell retries apart
        ("provider_name", pa.string()),
        ("requested_model", pa.string()),
        ("served_model", pa.string()),
        ("response_id", pa.string()),
        ("requested_at", _TIME),
        ("finished_at", _TIME),
        *_USAGE,
        ("reported_cost_nano_usd", pa.int64()),
        ("finish_reason", pa.string()),
        ("error_type", pa.string()),
        ("duration_ns", pa.int64()),
        ("payload_id", pa.string()),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("dialect", pa.string()),
    ]
)
TOOL_CALL_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("call_index", pa.int64()),
        ("turn_index", pa.int64()),
        ("tool_call_id", pa.string()),
        ("tool_name", pa.string()),
        ("called_by", pa.string()),  # agent
        ("requested_at", _TIME),
        ("finished_at", _TIME),
        ("tool_outcome", pa.string()),  # succeeded, failed; denied or refused where a decision says so
        ("tool_error_class", pa.string()),  # unclassified for a failed call
        ("error_type", pa.string()),
        ("duration_ns", pa.int64()),
        ("payload_id", pa.string()),  # arguments and result
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("dialect", pa.string()),
    ]
)
VERDICT_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("outcome_kind", pa.string()),
        ("outcome_name", pa.string()),
        ("is_good", pa.bool_()),
        ("score_micro", pa.int64()),
        ("said_at", _TIME),
        ("part", pa.string()),  # what tells the verdicts of a run apart
    ]
)
APPROVAL_SCHEMA = pa.schema(
    [
        *_SHARED,
        ("approval_id", pa.string()),
        ("call_index", pa.int64()),
        ("tool_name", pa.string()),
        ("decision", pa.string()),
        ("source_decision", pa.string()),
        ("decider_kind", pa.string()),
        ("person_id", pa.string()),
        ("said_at", _TIME),
    ]
)
