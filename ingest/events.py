"""The event contract: the only place where an event column is named, typed and explained.

The Parquet schema, the dbt source YAML and ``docs/events.md`` are made from these tables by
:mod:`ingest.contract`. Changes are additive only: a column or an event type, once released, keeps its
name, its type and its meaning.

Kinds: ``text`` (UTF-8), ``int`` (64 bit, below 2^53), ``bool``, ``time`` (UTC, microseconds). There are no
floats: money is integer nano-USD, durations are integer nanoseconds or milliseconds, so that the
canonical body of an event is one sequence of bytes on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "int", "bool", "time"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One event column: its name, kind, meaning, and for closed sets the allowed words."""

    name: str
    kind: Kind
    meaning: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EventType:
    """One event type: its family, meaning, and the columns it must and may carry beside the envelope."""

    name: str
    family: str
    meaning: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


TRIGGER_KINDS = ("person", "schedule", "delegate", "api", "import")
END_STATES = ("completed", "failed", "stopped_budget", "cancelled", "expired_waiting", "lost")
PAUSE_REASONS = ("approval", "budget", "unknown_outcome", "delegate")
TOOL_EFFECTS = ("read", "write", "consequential")
TOOL_OUTCOMES = ("succeeded", "failed", "refused", "denied", "unknown")
TOOL_ERROR_CLASSES = ("invalid_args", "upstream", "timeout", "crash", "unclassified")
DECISIONS = ("approved", "approved_changed", "rejected")
RISK_CLASSES = ("minimal", "limited", "high")
STATUSES = ("draft", "review", "live", "watch", "suspended", "retired")
WALLET_KINDS = ("team", "agent", "run")
WALLET_WINDOWS = ("day", "month", "total")
INTERVENTION_KINDS = ("corrected", "rerun", "took_over", "interrupted")
CALLERS = ("agent", "user")
CONTENT_CAPTURES = ("off", "hashed", "on")
GRANT_EFFECTS = ("allow", "deny")
SENSITIVITIES = ("public", "internal", "confidential", "personal")
STOP_SCOPES = ("run", "agent", "company")
SENSITIVITIES = ("public", "internal", "confidential", "personal")
DECIDER_KINDS = ("person", "policy", "unknown")


def _text(name: str, meaning: str, values: tuple[str, ...] = ()) -> Field:
    return Field(name=name, kind="text", meaning=meaning, values=values)


def _int(name: str, meaning: str) -> Field:
    return Field(name=name, kind="int", meaning=meaning)


def _bool(name: str, meaning: str) -> Field:
    return Field(name=name, kind="bool", meaning=meaning)


def _time(name: str, meaning: str) -> Field:
    return Field(name=name, kind="time", meaning=meaning)


# fmt: off
# One row per line: these are tables, and a reader compares rows.
ENVELOPE: tuple[Field, ...] = (
    _text("event_id", "UUIDv7 of the event; for imported events derived from the source's ids, so that a second import repeats it."),
    _text("event_type", "What happened, as a past participle; the list is in docs/events.md."),
    _time("occurred_at", "When it happened, as the source of the event says."),
    _time("recorded_at", "When the log took it in."),
    _text("writer_id", "The process that wrote it: one chain of hashes per writer."),
    _int("seq", "Position in the writer's chain, from 0 without gaps."),
    _text("recorded_via", "The way in: runner, app, registry, demo, log, import:<format>, otlp."),
    _bool("is_demo", "True for generated demonstration data; never mixed with real rows."),
    _text("team_id", "Team that owns the agent, or that the event is about."),
    _text("agent_id", "Registered agent, or the name by which an outside agent called itself."),
    _int("agent_version", "Version number of the agent, from 1; null for outside agents."),
    _text("run_id", "One execution of an agent, from trigger to terminal state."),
    _text("parent_run_id", "The run that delegated to this one."),
    _text("conversation_id", "Conversation that several runs belong to (OTel gen_ai.conversation.id)."),
    _text("actor_id", "The person responsible; in delegated and scheduled runs still a human."),
    _text("payload_id", "The text that belongs to this event, kept in the payload store."),
    _text("payload_commit", "SHA256(salt || content) of that text, in hex: the log proves the text without holding it."),
    _int("payload_bytes", "Length of that text in UTF-8 bytes."),
    _int("masked_count", "Secrets (keys, tokens, passwords) that were masked in the event's text before it was hashed; null when none."),
    _text("content_capture", "What becomes of prompt, answer, argument and result texts: of a sender's token, or why the text of this event is not in the payload store; null when it is, or when the event has none.", CONTENT_CAPTURES),
)

COLUMNS: tuple[Field, ...] = (
    # runs
    _text("trigger_kind", "What started the run.", TRIGGER_KINDS),
    _text("role_id", "Role under which the access rule was decided, or which was granted or revoked."),
    _text("version_hash", "SHA256 of the agent version's whole specification, in hex."),
    _text("refusal_rule", "Id of the rule that refused the request."),
    _text("reason", "Why, in words a person wrote or reads; never prompt or answer text."),
    _text("pause_reason", "What a paused run waits for.", PAUSE_REASONS),
    _text("end_state", "Terminal state of the run.", END_STATES),
    _text("error_type", "Class of the error (OTel error.type)."),
    _int("machine_ns", "Active machine time of the run in nanoseconds, without waits for people and queue; the source's own figure for outside runs."),
    _int("declared_event_count", "Events that the recorder says this run has, this one included."),
    _int("reported_cost_nano_usd", "Cost as the source states it, in nano-USD; null when it says nothing."),
    _int("other_side_cost_nano_usd", "Cost of the simulated user or counterpart as the source states it, in nano-USD."),
    _text("source_file", "File an imported run came from, without folders."),
    _text("source_run_id", "Id of the run at its source."),
    _text("source_agent", "Agent name at the source, before mapping."),
    _text("source_domain", "Domain, task suite or service the source gives for the run."),
    _text("source_task_id", "Id of the task at the source; repeated trials of one task share it."),
    _bool("is_time_stated", "False where the source gives no time for the run: its events then carry a time of the file's header, or the time of the import. At the end of a run it speaks of the end alone."),
    _text("source_end_reason", "The source's own word for how the run ended."),
    # turns
    _int("turn_index", "Model turn within the run, from 0."),
    _int("attempt", "Attempt at this turn, from 1; each retry is its own pair of events."),
    _text("provider_name", "Model provider (OTel gen_ai.provider.name)."),
    _text("requested_model", "Model asked for (OTel gen_ai.request.model)."),
    _text("served_model", "Model that answered (OTel gen_ai.response.model)."),
    _int("max_output_tokens", "Upper bound of output tokens sent with the request."),
    _int("hold_nano_usd", "Worst case at list price held in every wallet of the run, in nano-USD."),
    _int("input_tokens", "Input tokens as the provider reports them; null when it reports none."),
    _int("output_tokens", "Output tokens as the provider reports them; null when it reports none."),
    _int("cache_read_tokens", "Input tokens served from the provider's cache."),
    _int("cache_write_tokens", "Input tokens written to the provider's cache."),
    _int("reasoning_tokens", "Output tokens spent on reasoning."),
    _int("total_tokens", "Sum of tokens as the source states it; null when it states none."),
    _bool("is_cache_in_input", "True where cached tokens are counted inside input_tokens, false where beside them."),
    _int("list_cost_nano_usd", "Cost at list price in nano-USD; null when price or usage is unknown, never 0 for unknown."),
    _text("price_version", "Version of the price table that list_cost_nano_usd was computed with."),
    _text("finish_reason", "Why the model stopped (OTel gen_ai.response.finish_reasons)."),
    _int("duration_ns", "Duration of the turn or tool call in nanoseconds."),
    _text("message_role", "Who wrote the text of a message: user, assistant, system; tool for a result that belongs to no call."),
    _int("turn_count", "Model calls of the run as the source counts them."),
    _int("user_message_count", "Messages of the user in the source's record of the conversation."),
    _int("assistant_message_count", "Messages of the assistant in the source's record of the conversation."),
    _int("tool_result_count", "Tool results in the source's record of the conversation."),
    _text("unstated_counts", "What this source cannot state, separated by semicolons: turns, tool_errors, other_side_calls, approvals, machine_time. They are unknown, not 0."),
    # tool calls
    _int("call_index", "Tool call within the run, from 0; tool_call_id may repeat within a run, this does not."),
    _text("tool_call_id", "The model's id of the call (OTel gen_ai.tool.call.id); not unique."),
    _text("tool_name", "Tool called or ruled on (OTel gen_ai.tool.name)."),
    _text("tool_effect", "What the tool can do to the world.", TOOL_EFFECTS),
    _text("called_by", "Which side called the tool: the agent, or the (simulated) user.", CALLERS),
    _text("arguments_digest", "SHA256 of the canonical validated arguments, in hex."),
    _text("tool_outcome", "How the call ended; refused and denied calls were not executed.", TOOL_OUTCOMES),
    _text("tool_error_class", "Class of a failed call.", TOOL_ERROR_CLASSES),
    _text("delegate_run_id", "The run that an agent's call of another agent started."),
    _text("schema_sha256", "SHA256 of the description and argument schema that a tool server showed, in hex."),
    # knowledge
    _text("knowledge_source", "Knowledge source, as registry.yaml names it."),
    _text("sensitivity", "How sensitive the documents of the knowledge source are.", SENSITIVITIES),
    _text("document", "Path of the document below the folder of its source."),
    _text("chunk_sha256", "SHA256 of the retrieved passage, in hex."),
    _int("chunk_rank", "Place of the passage among those of its search, from 1."),
    # approvals
    _text("approval_id", "One request for a person's decision on one tool call."),
    _text("approval_rule", "Id of the approval rule that asked, or which was set."),
    _text("approver_role", "Role whose holders may decide."),
    _time("expires_at", "When the request, raise, grant or waiver lapses."),
    _text("decision", "What the person decided.", DECISIONS),
    _text("approved_digest", "Digest of the arguments as approved; differs from arguments_digest when they were changed."),
    _text("decider_kind", "Who decided an approval that an outside source tells of; null for decisions made here, which persons make.", DECIDER_KINDS),
    _text("source_decision", "The source's own word for the decision."),
    _int("money_at_stake_nano_usd", "Worst-case money the call can move, in nano-USD, where the rule names the argument."),
    # wallets
    _text("wallet_id", "One wallet: kind, owner and window, for example team:support:month."),
    _text("wallet_kind", "Whose wallet.", WALLET_KINDS),
    _text("wallet_window", "How long one window of the wallet lasts.", WALLET_WINDOWS),
    _int("cap_nano_usd", "Cap of one window in nano-USD; null only together with is_unlimited."),
    _bool("is_unlimited", "True when the wallet is unlimited on purpose; the reason column says why."),
    _int("swept_nano_usd", "Amount of an expired hold that was swept: cost unknown, neither 0 nor spend."),
    _time("window_start_at", "Start of the wallet window, in UTC."),
    _time("window_end_at", "End of the wallet window (exclusive), in UTC."),
    _int("spent_nano_usd", "What a wallet window had spent when the event happened, in nano-USD."),
    _int("threshold_percent", "Share of the cap that was passed: 50, 80 or 100. 100 also when what is left is too little for a call that was refused."),
    _time("projected_at", "When the wallet will be empty if it is spent at the speed of its window so far."),
    _text("raise_id", "One temporary raise of a wallet's cap."),
    _int("raise_nano_usd", "By how much the raise lifts the cap, in nano-USD."),
    # notices
    _text("notice_id", "One notice: it goes to the workspace's notices file and to every notification of registry.yaml that wants its kind."),
    _text("notice_kind", "What the notice is about, for example wallet-threshold or approval-waiting."),
    _text("notification_id", "Where a notice goes: id of the notification in registry.yaml, or file for the workspace's notices file; never its URL."),
    # schedules
    _time("slot_at", "The moment for which the schedule had planned the run, in UTC."),
    _int("lateness_ns", "How long after its slot the schedule fired, in nanoseconds."),
    _bool("is_late", "The slot fired after its grace was over, by the schedule's misfire policy."),
    # stops and reminders
    _text("stop_id", "One order to stop: of a run, of an agent, or of the whole company."),
    _text("stop_scope", "What the order stops.", STOP_SCOPES),
    _bool("is_drill", "The order was given to try the stop control."),
    _int("halt_ns", "From the order to stop until the run had ended, in nanoseconds."),
    _text("batch_id", "Decisions that a person made in one go share it; each was judged by itself."),
    _text("told_ids", "People and roles that were told, separated by semicolons."),
    # registry and lifecycle
    _text("agent_name", "Name of the agent as people see it."),
    _text("team_name", "Name of the team as people see it."),
    _text("cost_center", "Cost centre the team is charged to."),
    _text("purpose", "What the agent is for."),
    _text("owner_id", "Person who answers for the agent, or manages the team."),
    _text("deputy_id", "Person who stands in for the owner."),
    _text("author_id", "Person who wrote this version."),
    _text("risk_class", "Risk class of the agent.", RISK_CLASSES),
    _text("risk_reasons", "Reason codes for the risk class, separated by semicolons."),
    _text("risk_assessor_id", "Person who assessed the risk class."),
    _time("risk_review_by", "Date by which the risk class must be reviewed."),
    _text("template_id", "Template the agent was made from; null when custom."),
    _int("template_version", "Version of that template."),
    _text("diverged_fields", "Fields in which the agent differs from its template, separated by semicolons."),
    _text("status", "Lifecycle status of the agent.", STATUSES),
    _text("person_id", "Person the event is about."),
    _text("person_name", "Name of the person, where the directory gives one."),
    _text("scope", "How far a role reaches: own, team, all."),
    _text("action", "Action that a rule or grant is about."),
    _text("grant_effect", "Whether the grant allows or denies; deny wins.", GRANT_EFFECTS),
    _text("rule_id", "Id of the rule, grant or schedule."),
    _text("expected_use", "When the agent is expected to be used, for example a season."),
    _bool("is_approval_needed", "True where a second person has to approve the version before it is in force."),
    _bool("is_grant_needed", "True where the tool is used only under a grant of use_tool."),
    _text("knowledge_id", "Knowledge source of registry.yaml."),
    _text("server_id", "Tool server of registry.yaml."),
    _text("cron", "When a schedule fires, as five cron fields."),
    _text("time_zone", "IANA time zone in which the schedule is read; null where it is the company's."),
    _bool("is_paused", "True for a schedule that does not fire."),
    # outcomes and people after the run
    _text("outcome_kind", "Kind of verdict: task_reward, user_rating, user_confirmation, judge, security (good: no attack succeeded), score."),
    _text("outcome_name", "Name of the verdict or score at its source."),
    _bool("is_good", "Verdict of the source on the run: good or not."),
    _int("score_micro", "Score of the verdict in millionths (1.0 = 1000000)."),
    _text("intervention_kind", "What a person did to a finished run.", INTERVENTION_KINDS),
    # access and exports
    _text("export_id", "One export."),
    _text("export_format", "csv, parquet, xlsx, jsonl or pdf."),
    _int("row_count", "Rows exported, read, sealed or removed."),
    _text("content_sha256", "SHA256 of the manifest, report or file, in hex."),
    _text("filter_text", "Filter and scope of an export, as canonical JSON."),
    # log
    _text("process_name", "What the writing process is: command name and host, without personal data."),
    _text("recovered_writer_id", "Dead writer whose chain was recovered."),
    _int("torn_bytes", "Bytes after the longest valid prefix that recovery set aside."),
    _int("declared_count", "Events a closed or recovered writer has, this one included."),
    # outside
    _int("expected_run_count", "Runs that the source says it holds; null when it does not say."),
    _int("found_run_count", "Runs that were found in the source."),
    _int("rejected_run_count", "Runs of the source that could not be read and went to quarantine."),
    _text("warnings", "What is suspicious about the source, as codes separated by semicolons."),
    _text("span_json", "OTel spans or log records of one trace as they arrived in one request, as canonical JSON: parts with their records, resource and scope; texts that are kept apart are null. Also one record by itself."),
    _int("span_count", "Spans or log records in span_json; null for one record by itself."),
    _text("token_id", "Sender's token: which one sent it, was made or revoked; never the token itself."),
)

_TURN = ("turn_index", "attempt", "provider_name", "requested_model")
_CALL = ("call_index", "tool_name")
_APPROVAL = ("approval_id",)
_SOURCE = ("source_file", "source_run_id", "source_task_id", "source_agent", "source_domain", "is_time_stated")
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "is_cache_in_input")


def _event(name: str, family: str, meaning: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> EventType:
    return EventType(name=name, family=family, meaning=meaning, required=required, optional=optional)


EVENT_TYPES: tuple[EventType, ...] = (
    _event("run_requested", "runs", "Somebody or something asked for a run; the payload is the task. Imported runs name their model here too: a source may give no turns.", ("run_id", "agent_id", "trigger_kind"), ("role_id", "version_hash", "provider_name", "requested_model", *_SOURCE)),
    _event("run_refused", "runs", "The request was stopped before the run started.", ("run_id", "agent_id", "refusal_rule", "reason"), ("trigger_kind", "role_id", "wallet_id")),
    _event("run_started", "runs", "A worker began the run.", ("run_id", "agent_id"), ("version_hash",)),
    _event("run_paused", "runs", "The run waits; it is data, no process holds it.", ("run_id", "agent_id", "pause_reason")),
    _event("run_resumed", "runs", "A worker took the paused or interrupted run up again.", ("run_id", "agent_id"), ("reason",)),
    _event("run_ended", "runs", "The run reached a terminal state; the payload is the final answer.", ("run_id", "agent_id", "end_state"), ("error_type", "machine_ns", "declared_event_count", "reported_cost_nano_usd", "other_side_cost_nano_usd", "source_end_reason", "reason", "is_time_stated", "stop_id", "halt_ns")),
    _event("message_recorded", "runs", "A message of the conversation that is no model turn (a user's line); the payload is its text.", ("run_id", "agent_id", "message_role")),
    _event("run_counted", "runs", "What the source's own record of an imported run adds up to; where a record grew, the newest counts.", ("run_id", "agent_id"), ("turn_count", "user_message_count", "assistant_message_count", "tool_result_count", "total_tokens", *_TOKENS, "reported_cost_nano_usd", "unstated_counts")),
    _event("turn_requested", "turns", "A model call is about to be made and its worst case is held.", ("run_id", "agent_id", *_TURN), ("max_output_tokens", "hold_nano_usd")),
    _event("turn_finished", "turns", "The model call ended; the payload is the answer text.", ("run_id", "agent_id", *_TURN), ("served_model", *_TOKENS, "list_cost_nano_usd", "price_version", "reported_cost_nano_usd", "finish_reason", "duration_ns", "error_type", "hold_nano_usd")),
    _event("model_skipped", "turns", "A model of the agent's chain was passed over without a call: it cannot be called from here, or has no price under a cap.", ("run_id", "agent_id", "turn_index", "provider_name", "requested_model", "refusal_rule", "reason"), ("attempt", "wallet_id")),
    _event("tool_call_requested", "tool_calls", "The model asked for a tool call: the intent, durable before any effect; the payload is the arguments.", ("run_id", "agent_id", *_CALL), ("tool_call_id", "tool_effect", "called_by", "arguments_digest", "turn_index")),
    _event("tool_call_finished", "tool_calls", "The tool call ended, or was refused or denied unexecuted; the payload is the result.", ("run_id", "agent_id", *_CALL, "tool_outcome"), ("tool_call_id", "called_by", "tool_error_class", "error_type", "duration_ns", "refusal_rule", "arguments_digest", "approval_id", "reason", "delegate_run_id", "content_sha256")),
    _event("knowledge_retrieved", "knowledge", "A passage of a document was found for a run, or for a person; the payload is its text, the rule is the grant that allowed it.", ("actor_id", "knowledge_source", "document", "chunk_sha256", "chunk_rank", "rule_id", "sensitivity"), ("call_index",)),
    _event("knowledge_refused", "knowledge", "A run, or a person, was refused a knowledge source.", ("actor_id", "knowledge_source", "refusal_rule", "reason"), ("call_index", "sensitivity")),
    _event("approval_requested", "approvals", "A tool call waits for a person.", (*_APPROVAL, "run_id", "agent_id", *_CALL, "arguments_digest", "approval_rule", "approver_role", "expires_at"), ("money_at_stake_nano_usd",)),
    _event("approval_shown", "approvals", "The request was on a person's screen; time to decide counts from here.", (*_APPROVAL, "run_id", "agent_id", "person_id"), ("arguments_digest",)),
    _event("approval_decided", "approvals", "A person decided; the payload is the changed arguments, if any.", (*_APPROVAL, "run_id", "agent_id", "person_id", "decision", "approved_digest"), ("reason", "arguments_digest", "tool_name", "batch_id")),
    _event("approval_reminded", "approvals", "Those who may decide were reminded; once per request.", (*_APPROVAL, "run_id", "agent_id"), ("tool_name", "told_ids", "expires_at")),
    _event("approval_escalated", "approvals", "The request is near its end: more people were told; once per request.", (*_APPROVAL, "run_id", "agent_id"), ("tool_name", "told_ids", "expires_at")),
    _event("approval_expired", "approvals", "Nobody decided in time, or the run was stopped before (then with a reason); counts as refused.", (*_APPROVAL, "run_id", "agent_id"), ("tool_name", "reason")),
    _event("approval_reported", "approvals", "An outside source tells of an approval: asked for, and decided where a decision is given.", (*_APPROVAL, "run_id", "agent_id"), ("call_index", "tool_name", "arguments_digest", "approved_digest", "approval_rule", "approver_role", "decision", "source_decision", "decider_kind", "person_id", "reason")),
    _event("approval_consumed", "approvals", "The approval was used, once, for the call it was bound to.", (*_APPROVAL, "run_id", "agent_id", "arguments_digest"), ("call_index", "tool_name")),
    _event("budget_set", "wallets", "A wallet's cap was declared.", ("wallet_id", "wallet_kind", "wallet_window", "is_unlimited"), ("cap_nano_usd", "reason", "window_start_at", "window_end_at")),
    _event("budget_raised", "wallets", "A wallet's cap was raised for a time.", ("wallet_id", "cap_nano_usd", "expires_at", "person_id", "reason"), ("wallet_kind", "wallet_window", "raise_id", "raise_nano_usd")),
    _event("budget_raise_requested", "wallets", "A person asked for a temporary raise of a cap.", ("wallet_id", "raise_id", "raise_nano_usd", "expires_at", "person_id", "reason"), ("wallet_kind", "wallet_window")),
    _event("budget_raise_rejected", "wallets", "A person rejected a raise.", ("wallet_id", "raise_id", "raise_nano_usd", "person_id", "reason"), ("wallet_kind", "wallet_window")),
    _event("budget_raise_expired", "wallets", "A raise ended by its time: the cap is what it was before. Where more is spent, nothing new is held.", ("wallet_id", "raise_id", "raise_nano_usd", "cap_nano_usd", "spent_nano_usd"), ("wallet_kind", "wallet_window")),
    _event("budget_threshold_passed", "wallets", "A wallet window passed a share of its cap, once per window and share.", ("wallet_id", "threshold_percent", "cap_nano_usd", "spent_nano_usd"), ("wallet_kind", "wallet_window", "window_start_at", "window_end_at", "reason")),
    _event("budget_exhaustion_projected", "wallets", "At the speed so far the wallet will be empty before its window ends; told once per window.", ("wallet_id", "projected_at", "cap_nano_usd", "spent_nano_usd"), ("wallet_kind", "wallet_window", "window_start_at", "window_end_at")),
    _event("notice_raised", "notices", "Something that people should hear of; the reason is its title.", ("notice_id", "notice_kind", "reason"), ("approval_id", "wallet_id", "rule_id")),
    _event("notice_sent", "notices", "A notice was taken by the place it was sent to.", ("notice_id", "notice_kind", "notification_id", "attempt")),
    _event("notice_failed", "notices", "A notice was not taken; given up where expires_at is null, else tried again then.", ("notice_id", "notice_kind", "notification_id", "attempt", "reason"), ("expires_at",)),
    _event("hold_swept", "wallets", "An expired hold was swept: its cost is unknown.", ("wallet_id", "run_id", "swept_nano_usd"), ("turn_index", "attempt")),
    _event("team_declared", "registry", "A team as declared.", ("team_id", "team_name"), ("owner_id", "cost_center")),
    _event("person_declared", "registry", "A person and a role as declared.", ("person_id", "role_id", "scope"), ("person_name",)),
    _event("agent_version_declared", "registry", "A frozen agent version; the payload is its specification.", ("agent_id", "team_id", "agent_version", "version_hash", "agent_name", "purpose", "risk_class"), ("owner_id", "deputy_id", "author_id", "risk_reasons", "risk_assessor_id", "risk_review_by", "template_id", "template_version", "diverged_fields", "requested_model", "provider_name", "expected_use", "max_output_tokens", "is_approval_needed", "reason")),
    _event("version_approved", "registry", "A second person approved an agent version, which is in force from here.", ("agent_id", "agent_version", "version_hash", "person_id"), ("reason",)),
    _event("tool_rule_set", "registry", "A tool of an agent version and its approval rule.", ("agent_id", "agent_version", "tool_name", "tool_effect"), ("approval_rule", "approver_role")),
    _event("role_granted", "registry", "A role may do an action (or may not, where grant_effect is deny) on an agent, a team's agents, or in its scope, with one tool or one knowledge source where it names one.", ("role_id", "action", "rule_id"), ("agent_id", "team_id", "tool_name", "knowledge_id", "scope", "grant_effect", "reason")),
    _event("role_revoked", "registry", "A grant was taken back.", ("role_id", "action", "rule_id"), ("agent_id", "team_id", "tool_name", "knowledge_id", "reason")),
    _event("alias_declared", "registry", "A name by which outside agents call themselves, and where their runs belong. The builder makes it from registry.yaml, in the file's order, so that a new alias also finds older runs; it is no event of the log.", ("rule_id",), ("source_agent", "source_domain", "token_id", "requested_model", "source_file")),
    _event("content_capture_set", "registry", "What becomes of the texts of an agent's or a team's runs was declared, where it is not on or has changed.", ("content_capture",)),
    _event("tool_schema_recorded", "registry", "What a tool server shows of a tool was recorded; a version that uses it stays with it. The payload is description and argument schema.", ("tool_name", "schema_sha256"), ("agent_id", "agent_version", "person_id")),
    _event("owner_changed", "registry", "An agent has a new owner or deputy; without owner_id nobody answers for it.", ("agent_id",), ("owner_id", "deputy_id", "reason")),
    _event("person_removed", "registry", "A person is no longer declared and may do nothing.", ("person_id",), ("reason",)),
    _event("tool_declared", "registry", "A tool as declared; the payload is its declaration.", ("tool_name", "tool_effect", "is_grant_needed")),
    _event("tool_removed", "registry", "A tool is no longer declared.", ("tool_name",)),
    _event("knowledge_declared", "registry", "A knowledge source as declared; the payload is its declaration.", ("knowledge_id", "sensitivity"), ("owner_id",)),
    _event("knowledge_removed", "registry", "A knowledge source is no longer declared.", ("knowledge_id",)),
    _event("mcp_server_declared", "registry", "A tool server as declared; the payload is its declaration.", ("server_id",)),
    _event("mcp_server_removed", "registry", "A tool server is no longer declared.", ("server_id",)),
    _event("template_declared", "registry", "A template as declared; the payload is its declaration.", ("template_id", "template_version")),
    _event("template_removed", "registry", "A template is no longer declared.", ("template_id",)),
    _event("schedule_declared", "registry", "A schedule as declared, new or changed; it runs as person_id. The payload is its declaration.", ("rule_id", "agent_id", "person_id", "cron", "is_paused"), ("time_zone", "reason")),
    _event("schedule_removed", "registry", "A schedule is no longer declared.", ("rule_id", "agent_id"), ("reason",)),
    _event("notification_declared", "registry", "A place where notices go, as declared; its URL may hold a secret and is not told.", ("notification_id",)),
    _event("notification_removed", "registry", "A place where notices went is no longer declared.", ("notification_id",)),
    _event("oversight_declared", "registry", "The company's rules over versions and decisions, as declared; the payload is the declaration.", ()),
    _event("status_changed", "lifecycle", "An agent's status was decided.", ("agent_id", "status"), ("reason", "person_id")),
    _event("review_decided", "lifecycle", "A lifecycle review was decided.", ("agent_id", "decision"), ("reason", "person_id")),
    _event("attested", "lifecycle", "An owner attested an agent.", ("agent_id", "person_id"), ("reason",)),
    _event("schedule_fired", "schedules", "A schedule slot asked for a run, or a person did so for it (then without a slot).", ("rule_id", "agent_id"), ("run_id", "slot_at", "lateness_ns", "is_late", "person_id")),
    _event("schedule_missed", "schedules", "A schedule slot passed without a run: nobody was there in time, or the run was refused (then with its rule).", ("rule_id", "agent_id"), ("reason", "slot_at", "refusal_rule", "run_id")),
    _event("stop_ordered", "stops", "A person ordered a run, an agent or everything to stop.", ("stop_id", "stop_scope", "person_id", "reason"), ("agent_id", "run_id", "is_drill")),
    _event("stop_lifted", "stops", "A person let an agent, or everything, start again.", ("stop_id", "stop_scope", "person_id", "reason"), ("agent_id", "is_drill")),
    _event("stop_drill", "stops", "A drill stopped this run: how long it took.", ("stop_id", "agent_id", "run_id", "halt_ns", "person_id")),
    _event("outcome_recorded", "outcomes", "A verdict on a run from its source, a user or a judge.", ("run_id", "outcome_kind"), ("outcome_name", "is_good", "score_micro", "reason", "person_id")),
    _event("intervention_recorded", "outcomes", "A person corrected, re-ran, took over or interrupted a run; who is unknown where an outside source does not say.", ("run_id", "agent_id", "intervention_kind"), ("person_id", "reason")),
    _event("export_created", "access", "Rows left the product; the manifest is hashed.", ("export_id", "export_format", "row_count", "content_sha256", "person_id"), ("filter_text", "scope")),
    _event("payload_read", "access", "A person read payload texts.", ("person_id", "run_id"), ("agent_id", "row_count")),
    _event("action_refused", "access", "A person was refused something other than a run: a decision, an export, a change.", ("person_id", "action", "refusal_rule", "reason"), ("agent_id", "run_id", "approval_id", "role_id")),
    _event("signed_in", "access", "A person opened the pages.", ("person_id",), ("role_id",)),
    _event("writer_opened", "log", "A process opened its chain.", ("process_name",)),
    _event("writer_closed", "log", "A process closed its chain.", ("declared_count",)),
    _event("clock_set", "log", "The clock of a writing process was set back or ahead while it ran; the reason says by how much. recorded_at does not go back.", ("reason",)),
    _event("log_recovered", "log", "The chain of a dead writer was recovered; the reason names it.", ("reason", "torn_bytes", "declared_count"), ("process_name", "recovered_writer_id")),
    _event("payload_erased", "log", "Payload texts were erased on request.", ("row_count", "reason"), ("person_id", "run_id")),
    _event("source_scanned", "outside", "An import read one source to its end: how many runs it was said to hold, and how many it held.", ("source_file", "content_sha256", "found_run_count"), ("expected_run_count", "rejected_run_count", "warnings")),
    _event("token_created", "access", "A token was made for senders of a team's outside agents.", ("token_id", "team_id", "content_capture"), ("reason", "person_id")),
    _event("token_revoked", "access", "A sender's token was revoked.", ("token_id", "team_id"), ("reason", "person_id")),
    _event("otel_span", "outside", "Spans of an agent built elsewhere that came together, as they arrived; the payload is their texts.", ("span_json",), ("span_count", "source_agent", "source_domain", "token_id")),
    _event("otel_log", "outside", "Log records of an agent built elsewhere that came together, as they arrived; the payload is their texts.", ("span_json",), ("span_count", "source_agent", "source_domain", "token_id")),
)

# fmt: on

FIELDS: tuple[Field, ...] = ENVELOPE + COLUMNS
FIELD_BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
TYPE_BY_NAME: dict[str, EventType] = {event_type.name: event_type for event_type in EVENT_TYPES}
ENVELOPE_NAMES: frozenset[str] = frozenset(field.name for field in ENVELOPE)
WRITER_FILLED: frozenset[str] = frozenset({"writer_id", "seq", "recorded_at", "recorded_via", "is_demo"})
