"""The columns of the event contract: the only place where one is named, typed and explained.

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
REVIEW_DECISIONS = ("keep", "refresh", "promote", "retire", "postpone")
TRIAL_ARMS = ("old", "new")
TRIAL_VERDICTS = ("improved", "worse", "no difference seen", "not enough data")
STOP_SCOPES = ("run", "agent", "company")
SENSITIVITIES = ("public", "internal", "confidential", "personal")
DECIDER_KINDS = ("person", "policy", "unknown")
INCIDENT_CLASSES = ("widespread", "death", "serious", "other")
REPORTED_TO = ("provider", "authority")
SEVERITIES = ("critical", "high", "medium")
RISK_KINDS = (
    "secret_in_text", "personal_data_in_text", "injection_followed", "injection_seen", "repeated_call",
    "runaway_tools", "unusual_tool", "cost_anomaly", "latency_anomaly", "denied_attempts",
    "unregistered_agent", "configuration_drift",
)  # fmt: skip
REPORT_KINDS = ("usage", "cost", "invoice")
QUERY_OUTCOMES = ("answered", "refused", "failed", "stopped")


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
    _bool("is_approval_needed", "True where a person has to agree first: a second person with the version, an approver with the call."),
    _bool("is_grant_needed", "True where the tool is used only under a grant of use_tool."),
    _text("knowledge_id", "Knowledge source of registry.yaml."),
    _text("server_id", "Tool server of registry.yaml."),
    _text("cron", "When a schedule fires, as five cron fields."),
    _text("time_zone", "IANA time zone in which the schedule is read; null where it is the company's."),
    _bool("is_paused", "True for a schedule that does not fire."),
    _text("review_period", "Quarter under review, for example 2026Q3."),
    _text("review_decision", "What was decided in the review.", REVIEW_DECISIONS),
    _text("review_proposal", "What the rules proposed: retire, refresh, promote, keep, not_enough_data."),
    _bool("is_confirmation_needed", "True where a second person has to confirm before the decision takes effect."),
    _time("effective_at", "When a decision takes effect, where that is later than it was made: the day an agent is retired."),
    _text("trial_id", "One trial of a refreshed agent: agent and review, for example triage-agent/2026Q3."),
    _text("trial_arm", "Which side of the trial: the version before it, or the one that is tried.", TRIAL_ARMS),
    _int("share_percent", "Share of the runs, from 1 to 100, that a trial gives to the new version; 100 replaces the old one."),
    _int("old_version", "Version that a new one is judged against."),
    _time("judge_at", "When the verdict on a new version is due."),
    _text("trial_verdict", "What the measures of a trial say of the new version.", TRIAL_VERDICTS),
    # outcomes and people after the run
    _text("outcome_kind", "Kind of verdict: task_reward, user_rating, user_confirmation, judge, security (good: no attack succeeded), score."),
    _text("outcome_name", "Name of the verdict or score at its source."),
    _bool("is_good", "Verdict of the source on the run: good or not."),
    _int("score_micro", "Score of the verdict in millionths (1.0 = 1000000)."),
    _text("intervention_kind", "What a person did to a finished run.", INTERVENTION_KINDS),
    # access and exports
    _text("export_id", "One export."),
    _text("export_format", "csv, parquet, xlsx, jsonl or pdf."),
    _int("row_count", "Rows exported, read, answered, found, sealed or removed."),
    _text("content_sha256", "SHA256 of the manifest, report or file, in hex."),
    _text("filter_text", "Filter and scope of an export, as canonical JSON."),
    _text("query_id", "One query in SQL by a person."),
    _text("query_text", "What a person asked: SQL, or words that texts were searched for."),
    _text("query_outcome", "What became of the query; stopped at a limit of time, memory or size.", QUERY_OUTCOMES),
    # compliance
    _text("check_id", "Compliance check, for example HITL-02."),
    _text("check_month", "Month under check, for example 2026-10."),
    _text("severity", "How bad a failure of the check is.", SEVERITIES),
    _text("finding_id", "One finding of a check: check and object."),
    _text("waiver_id", "One waiver."),
    _text("case_id", "One case: check and the month that opened it."),
    _time("due_at", "When the case has to be closed, or the attestation was due."),
    _text("case_evidence", "What shows that a case is done: a ticket, a document, an event id."),
    _bool("is_second_signature", "True where the pack was signed before, by somebody else."),
    # risk between months
    _text("risk_kind", "What a risk check between months found, see docs/risk.md.", RISK_KINDS),
    _text("evidence_ids", "What a finding rests on: ids of runs, tool calls (run:call_index), texts (payload ids) and agents, separated by semicolons."),
    _text("text_places", "Where something stands in texts, as payload id, kind and characters from-to, separated by semicolons; never the text."),
    _int("rule_version", "Version of the parameters that a finding was made with."),
    _int("new_finding_count", "Findings that were not there before."),
    _int("unread_text_count", "Texts that should have been read and could not be: erased, or encrypted with a key that is not at hand."),
    _text("grant_id", "One grant of content to a person, for a time."),
    _text("requirement_id", "Requirement of the EU AI Act binder, for example 26-7, see docs/compliance.md."),
    # assurance
    _text("incident_id", "One incident, from the moment it was identified until the agent was released again."),
    _text("incident_class", "Which clock of EU AI Act Article 73 runs: widespread 2 days, death 10 days, serious 15 days, other none.", INCIDENT_CLASSES),
    _time("identified_at", "When the risk or the incident was identified, as a person states."),
    _text("reported_to", "Who was told of the incident.", REPORTED_TO),
    _text("request_id", "One request of a person to erase texts about them."),
    _time("received_at", "When the request came in, as a person states."),
    # alerts
    _text("alert_id", "One alert of registry.yaml."),
    _text("alert_incident_id", "One time that an alert was raised, until it ended."),
    _text("metric_id", "Metric that the alert looks at, as docs/metrics.md names it."),
    _int("observed_micro", "What the metric (or its change, or forecast) was, in millionths of its unit; null when there was no data."),
    _int("bound_micro", "What it was held against, in millionths of the same unit."),
    # providers
    _text("report_id", "One import of a provider's export, by its content: the same export has the same id."),
    _text("report_kind", "What the export states: tokens used, costs, or an invoice.", REPORT_KINDS),
    _text("provider_account", "Account at the provider that the export is of, as named at the import."),
    _time("usage_start_at", "Start of the provider's bucket, of the export, or of the invoiced period."),
    _time("usage_end_at", "End (exclusive) of the provider's bucket, of the export, or of the invoiced period."),
    _text("usage_item", "What of the model, or beside models, the provider counts or charges in this line: a kind of token, a tool; null for all of it."),
    _int("request_count", "Requests as the provider counts them; null when it does not say."),
    _int("billed_cost_nano_usd", "Cost as the provider states it, in nano-USD, rounded half even; negative for a credit."),
    _text("invoice_id", "Number of the invoice; null where the export gives none."),
    _int("rejected_row_count", "Lines of the export that could not be read; its days then prove nothing."),
    # restatements
    _text("restatement_id", "One pricing of past calls at other list prices."),
    _text("charge_date", "Day of the charges in the company's time zone, for example 2026-10-31; of a restatement the first day it covers."),
    _int("call_count", "Model calls of the day, team, agent and model."),
    _int("compared_call_count", "Those of them whose cost is known both as recorded and restated."),
    _int("newly_priced_call_count", "Those of them without a recorded list cost that have a price now."),
    _int("recorded_cost_nano_usd", "Recorded list cost of the compared calls, in nano-USD; null when there are none."),
    _int("restated_cost_nano_usd", "Restated list cost of the compared calls, in nano-USD; null when there are none."),
    _int("newly_priced_cost_nano_usd", "Restated list cost of the newly priced calls, in nano-USD; null when there are none."),
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

# fmt: on

FIELDS: tuple[Field, ...] = ENVELOPE + COLUMNS
FIELD_BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
ENVELOPE_NAMES: frozenset[str] = frozenset(field.name for field in ENVELOPE)
WRITER_FILLED: frozenset[str] = frozenset({"writer_id", "seq", "recorded_at", "recorded_via", "is_demo"})
