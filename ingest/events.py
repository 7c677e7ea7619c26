"""The event types of the contract: what each means, and which columns it must and may carry.

The Parquet schema, the dbt source YAML and ``docs/events.md`` are made from these and from
:mod:`ingest.event_fields` by :mod:`ingest.contract`. Changes are additive only: a column or an event type,
once released, keeps its name, its type and its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EventType:
    """One event type: its family, meaning, and the columns it must and may carry beside the envelope."""

    name: str
    family: str
    meaning: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


# fmt: off

_TURN = ("turn_index", "attempt", "provider_name", "requested_model")
_CALL = ("call_index", "tool_name")
_APPROVAL = ("approval_id",)
_SOURCE = ("source_file", "source_run_id", "source_task_id", "source_agent", "source_domain", "is_time_stated")
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "is_cache_in_input")


def _event(name: str, family: str, meaning: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> EventType:
    return EventType(name=name, family=family, meaning=meaning, required=required, optional=optional)


EVENT_TYPES: tuple[EventType, ...] = (
    _event("run_requested", "runs", "Somebody or something asked for a run; the payload is the task. Imported runs name their model here too: a source may give no turns.", ("run_id", "agent_id", "trigger_kind"), ("role_id", "version_hash", "trial_id", "trial_arm", "provider_name", "requested_model", *_SOURCE)),
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
    _event("tool_call_requested", "tool_calls", "The model asked for a tool call: the intent, durable before any effect; the payload is the arguments.", ("run_id", "agent_id", *_CALL), ("tool_call_id", "tool_effect", "called_by", "arguments_digest", "turn_index", "is_approval_needed")),
    _event("tool_call_finished", "tool_calls", "The tool call ended, or was refused or denied unexecuted; the payload is the result.", ("run_id", "agent_id", *_CALL, "tool_outcome"), ("tool_call_id", "called_by", "tool_error_class", "error_type", "duration_ns", "refusal_rule", "arguments_digest", "approval_id", "reason", "delegate_run_id", "content_sha256")),
    _event("knowledge_retrieved", "knowledge", "A passage of a document was found for a run, or for a person; the payload is its text, the rule is the grant that allowed it.", ("actor_id", "knowledge_source", "document", "chunk_sha256", "chunk_rank", "rule_id", "sensitivity"), ("call_index",)),
    _event("knowledge_refused", "knowledge", "A run, or a person, was refused a knowledge source.", ("actor_id", "knowledge_source", "refusal_rule", "reason"), ("call_index", "sensitivity")),
    _event("approval_requested", "approvals", "A tool call waits for a person.", (*_APPROVAL, "run_id", "agent_id", *_CALL, "arguments_digest", "approval_rule", "approver_role", "expires_at"), ("money_at_stake_nano_usd",)),
    _event("approval_shown", "approvals", "The request was on a person's screen; time to decide counts from here.", (*_APPROVAL, "run_id", "agent_id", "person_id"), ("arguments_digest",)),
    _event("approval_decided", "approvals", "A person decided; the payload is the changed arguments, if any.", (*_APPROVAL, "run_id", "agent_id", "person_id", "decision", "approved_digest"), ("reason", "arguments_digest", "tool_name", "batch_id", "is_confirmation_needed")),
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
    _event("alert_raised", "alerts", "A metric passed the bound of its alert, or there was no data and the alert says to tell so; the reason is its sentence.", ("alert_id", "alert_incident_id", "metric_id", "reason"), ("observed_micro", "bound_micro", "notice_id")),
    _event("alert_acknowledged", "alerts", "A person has seen the raised alert and looks after it.", ("alert_id", "alert_incident_id", "person_id"), ("reason",)),
    _event("alert_resolved", "alerts", "The alert ended: the metric has been within its bound for as long as the alert waits, or it is no longer declared.", ("alert_id", "alert_incident_id", "reason"), ("observed_micro", "bound_micro")),
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
    _event("alert_declared", "registry", "An alert on a metric as declared, new or changed; the payload is its declaration.", ("alert_id", "metric_id")),
    _event("alert_removed", "registry", "An alert is no longer declared.", ("alert_id",)),
    _event("oversight_declared", "registry", "The company's rules over versions and decisions, as declared; the payload is the declaration.", ()),
    _event("status_changed", "lifecycle", "An agent's status was decided.", ("agent_id", "status"), ("reason", "person_id")),
    _event("review_decided", "lifecycle", "A person decided what becomes of an agent after a review; the payload is the snapshot of numbers and rules it was decided on.", ("agent_id", "review_period", "review_decision", "person_id", "reason"), ("review_proposal", "rule_id", "is_confirmation_needed", "effective_at")),
    _event("review_confirmed", "lifecycle", "A second person confirmed the decision of a review, which takes effect from here.", ("agent_id", "review_period", "review_decision", "person_id"), ("reason",)),
    _event("review_withdrawn", "lifecycle", "A decision of a review that waited for a second person was taken back.", ("agent_id", "review_period", "review_decision", "person_id", "reason")),
    _event("refresh_opened", "lifecycle", "A decision to refresh opened a task on the agent; the payload is its evidence: classes of failures and the worst runs.", ("agent_id", "review_period", "trial_id", "person_id", "reason"), ("old_version",)),
    _event("trial_started", "lifecycle", "From here the version in force gets a share of the agent's runs, the old version the rest, until the verdict.", ("agent_id", "trial_id", "person_id", "old_version", "share_percent", "judge_at"), ("reason",)),
    _event("refresh_closed", "lifecycle", "A refresh ended: with a verdict, or rolled back before; the payload is the verdict on each measure with its interval.", ("agent_id", "trial_id", "person_id", "reason"), ("trial_verdict", "trial_arm", "old_version")),
    _event("attested", "lifecycle", "An owner attested an agent.", ("agent_id", "person_id"), ("reason",)),
    _event("attestation_reminded", "lifecycle", "Those who answer for an agent were reminded to attest it; once per round.", ("agent_id", "due_at"), ("told_ids", "risk_class")),
    _event("attestation_lapsed", "lifecycle", "An attestation is overdue and its grace is over; where the company's rules say so, new runs are refused from here.", ("agent_id", "due_at"), ("told_ids", "risk_class")),
    _event("schedule_fired", "schedules", "A schedule slot asked for a run, or a person did so for it (then without a slot).", ("rule_id", "agent_id"), ("run_id", "slot_at", "lateness_ns", "is_late", "person_id")),
    _event("schedule_missed", "schedules", "A schedule slot passed without a run: nobody was there in time, or the run was refused (then with its rule).", ("rule_id", "agent_id"), ("reason", "slot_at", "refusal_rule", "run_id")),
    _event("stop_ordered", "stops", "A person ordered a run, an agent or everything to stop.", ("stop_id", "stop_scope", "person_id", "reason"), ("agent_id", "run_id", "is_drill")),
    _event("stop_lifted", "stops", "A person let an agent, or everything, start again.", ("stop_id", "stop_scope", "person_id", "reason"), ("agent_id", "is_drill")),
    _event("stop_drill", "stops", "A drill stopped this run: how long it took.", ("stop_id", "agent_id", "run_id", "halt_ns", "person_id")),
    _event("outcome_recorded", "outcomes", "A verdict on a run from its source, a user or a judge.", ("run_id", "outcome_kind"), ("outcome_name", "is_good", "score_micro", "reason", "person_id")),
    _event("intervention_recorded", "outcomes", "A person corrected, re-ran, took over or interrupted a run; who is unknown where an outside source does not say.", ("run_id", "agent_id", "intervention_kind"), ("person_id", "reason")),
    _event("report_signed", "compliance", "A person signed the evidence pack of a month: content_sha256 is of its manifest, the reason is what they state.", ("check_month", "content_sha256", "person_id", "reason", "is_second_signature"), ("is_confirmation_needed",)),
    _event("waiver_granted", "compliance", "A person accepted what a check finds, or one finding of it, from a month on until a time.", ("waiver_id", "check_id", "check_month", "person_id", "reason", "expires_at"), ("finding_id",)),
    _event("waiver_withdrawn", "compliance", "A waiver was taken back; it counts for no month any more.", ("waiver_id", "check_id", "person_id", "reason"), ("finding_id",)),
    _event("case_opened", "compliance", "A check failed and somebody has to see to it until due_at; the rule that set the time is kept with it.", ("case_id", "check_id", "check_month", "severity", "due_at", "rule_id"), ("person_id", "reason")),
    _event("case_continued", "compliance", "The check of an open case failed in a later month, too; its deadline stays.", ("case_id", "check_id", "check_month"), ("reason",)),
    _event("case_noted", "compliance", "A person wrote into a case, or gave it another owner.", ("case_id", "check_id", "actor_id", "reason"), ("case_evidence", "person_id")),
    _event("case_closed", "compliance", "A person closed a case, with a justification and what shows it.", ("case_id", "check_id", "actor_id", "reason"), ("case_evidence",)),
    _event("binder_made", "compliance", "The EU AI Act binder of a month was made: content_sha256 is of its manifest, row_count how many of its requirements have a gap.", ("check_month", "content_sha256", "row_count"), ("person_id",)),
    _event("requirement_attested", "compliance", "A person states how a requirement of the binder is met that no check can answer, for a month, or from it on until expires_at.", ("requirement_id", "check_month", "person_id", "reason"), ("expires_at",)),
    _event("risk_found", "risk", "A check between months found something; told once for each finding.", ("finding_id", "risk_kind", "severity", "reason", "evidence_ids", "rule_version"), ("person_id", "tool_name", "text_places")),
    _event("risk_settled", "risk", "A person looked at a finding and says what it was.", ("finding_id", "person_id", "reason"), ("risk_kind",)),
    _event("risk_scanned", "risk", "The checks between months looked at runs; the payload says per check how many objects it looked at.", ("new_finding_count", "rule_version"), ("row_count", "unread_text_count", "reason")),
    _event("training_recorded", "assurance", "A person was trained to oversee an agent, a team's agents, or all of them; valid until expires_at.", ("person_id", "expires_at"), ("reason",)),
    _event("version_evaluated", "assurance", "An agent version was evaluated before it went live: is_good says whether it passed.", ("agent_id", "agent_version", "version_hash", "person_id", "is_good", "reason")),
    _event("seeded_case_recorded", "assurance", "A case with a planted error was put before a reviewer (person_id): is_good says whether it was caught.", ("person_id", "is_good"), ("approval_id", "reason")),
    _event("incident_opened", "assurance", "A risk or an incident of an agent was identified; its use stops until it is closed.", ("incident_id", "agent_id", "incident_class", "identified_at", "person_id", "reason")),
    _event("incident_reported", "assurance", "The provider or the authority was told of the incident.", ("incident_id", "reported_to", "person_id"), ("reason",)),
    _event("incident_closed", "assurance", "The incident is over and the agent may be used again.", ("incident_id", "person_id", "reason")),
    _event("restore_drilled", "assurance", "The off-host copy of the log was restored and verified: is_good says whether its roots are equal.", ("person_id", "is_good", "reason"), ("content_sha256",)),
    _event("erasure_requested", "assurance", "Somebody asked for their texts to be erased.", ("request_id", "received_at", "person_id"), ("reason",)),
    _event("erasure_answered", "assurance", "The request was carried out, or refused with a reason, and the person answered.", ("request_id", "person_id", "reason")),
    _event("recovery_explained", "assurance", "A person explains why a writer had to be recovered.", ("recovered_writer_id", "person_id", "reason")),
    _event("absence_attested", "assurance", "A person states that there was nothing to look at for a check in a month, for example no incident.", ("check_id", "check_month", "person_id", "reason")),
    _event("export_created", "access", "Rows left the product; the manifest is hashed.", ("export_id", "export_format", "row_count", "content_sha256", "person_id"), ("filter_text", "scope", "grant_id")),
    _event("payload_read", "access", "A person read payload texts, under a grant where it is named.", ("person_id", "run_id"), ("agent_id", "row_count", "grant_id")),
    _event("content_granted", "access", "A person (person_id) may read texts until expires_at, of a run, of an agent, or of all that they may see; the actor decided it.", ("grant_id", "person_id", "actor_id", "reason", "expires_at"), ("agent_id", "run_id")),
    _event("content_grant_ended", "access", "A grant of texts was taken back before its time.", ("grant_id", "person_id", "actor_id", "reason")),
    _event("texts_searched", "access", "A person searched texts of runs; the rows are the runs found that they may read.", ("person_id", "query_text"), ("role_id", "row_count")),
    _event("query_asked", "access", "A person asked the tables in SQL, over the rows they may see; told before it runs.", ("query_id", "person_id", "query_text"), ("role_id", "scope")),
    _event("query_ended", "access", "A query of a person ended.", ("query_id", "person_id", "query_outcome"), ("row_count", "duration_ns")),
    _event("action_refused", "access", "A person was refused something other than a run: a decision, an export, a change.", ("person_id", "action", "refusal_rule", "reason"), ("agent_id", "run_id", "approval_id", "role_id")),
    _event("signed_in", "access", "A person opened the pages.", ("person_id",), ("role_id",)),
    _event("writer_opened", "log", "A process opened its chain.", ("process_name",)),
    _event("writer_closed", "log", "A process closed its chain.", ("declared_count",)),
    _event("clock_set", "log", "The clock of a writing process was set back or ahead while it ran; the reason says by how much. recorded_at does not go back.", ("reason",)),
    _event("log_recovered", "log", "The chain of a dead writer was recovered; the reason names it.", ("reason", "torn_bytes", "declared_count"), ("process_name", "recovered_writer_id")),
    _event("payload_erased", "log", "Payload texts were erased on request.", ("row_count", "reason"), ("person_id", "run_id")),
    _event("source_scanned", "outside", "An import read one source to its end: how many runs it was said to hold, and how many it held.", ("source_file", "content_sha256", "found_run_count"), ("expected_run_count", "rejected_run_count", "warnings")),
    _event("provider_usage_reported", "providers", "A model provider states what was used or charged in one bucket of time. It counts once the import that it belongs to is told of.", ("report_id", "report_kind", "provider_name", "provider_account", "usage_start_at", "usage_end_at"), ("served_model", "usage_item", "request_count", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "is_cache_in_input", "billed_cost_nano_usd", "invoice_id")),
    _event("provider_report_imported", "providers", "An export of a provider was taken in whole: for its account and its days it takes the place of earlier ones.", ("report_id", "report_kind", "provider_name", "provider_account", "usage_start_at", "usage_end_at", "row_count"), ("rejected_row_count", "source_file")),
    _event("cost_restated", "restatements", "What the model calls of one day, paying team, agent and model would have cost at other list prices, beside what was recorded. It counts once its restatement is told of.", ("restatement_id", "charge_date", "call_count", "compared_call_count", "newly_priced_call_count"), ("provider_name", "served_model", "price_version", "recorded_cost_nano_usd", "restated_cost_nano_usd", "newly_priced_cost_nano_usd")),
    _event("restatement_made", "restatements", "A person had the calls since a day priced again: for these days it takes the place of earlier restatements. What was recorded stays.", ("restatement_id", "charge_date", "person_id", "reason", "row_count")),
    _event("token_created", "access", "A token was made for senders of a team's outside agents.", ("token_id", "team_id", "content_capture"), ("reason", "person_id")),
    _event("token_revoked", "access", "A sender's token was revoked.", ("token_id", "team_id"), ("reason", "person_id")),
    _event("otel_span", "outside", "Spans of an agent built elsewhere that came together, as they arrived; the payload is their texts.", ("span_json",), ("span_count", "source_agent", "source_domain", "token_id")),
    _event("otel_log", "outside", "Log records of an agent built elsewhere that came together, as they arrived; the payload is their texts.", ("span_json",), ("span_count", "source_agent", "source_domain", "token_id")),
)

# fmt: on

TYPE_BY_NAME: dict[str, EventType] = {event_type.name: event_type for event_type in EVENT_TYPES}
