{# Made from ingest/events.py and ingest/event_fields.py by `python -m ingest.contract --write`. Do not edit. #}

{% macro contract_words_of(field) %}
{{ return({
    "content_capture": ["off", "hashed", "on"],
    "trigger_kind": ["person", "schedule", "delegate", "api", "import"],
    "pause_reason": ["approval", "budget", "unknown_outcome", "delegate"],
    "end_state": ["completed", "failed", "stopped_budget", "cancelled", "expired_waiting", "lost"],
    "tool_effect": ["read", "write", "consequential"],
    "called_by": ["agent", "user"],
    "tool_outcome": ["succeeded", "failed", "refused", "denied", "unknown"],
    "tool_error_class": ["invalid_args", "upstream", "timeout", "crash", "unclassified"],
    "sensitivity": ["public", "internal", "confidential", "personal"],
    "decision": ["approved", "approved_changed", "rejected"],
    "decider_kind": ["person", "policy", "unknown"],
    "wallet_kind": ["team", "agent", "run"],
    "wallet_window": ["day", "month", "total"],
    "stop_scope": ["run", "agent", "company"],
    "risk_class": ["minimal", "limited", "high"],
    "status": ["draft", "review", "live", "watch", "suspended", "retired"],
    "grant_effect": ["allow", "deny"],
    "review_decision": ["keep", "refresh", "promote", "retire", "postpone"],
    "trial_arm": ["old", "new"],
    "trial_verdict": ["improved", "worse", "no difference seen", "not enough data"],
    "intervention_kind": ["corrected", "rerun", "took_over", "interrupted"],
    "query_outcome": ["answered", "refused", "failed", "stopped"],
    "severity": ["critical", "high", "medium"],
    "risk_kind": ["secret_in_text", "personal_data_in_text", "injection_followed", "injection_seen", "repeated_call", "runaway_tools", "unusual_tool", "cost_anomaly", "latency_anomaly", "denied_attempts", "unregistered_agent", "configuration_drift"],
    "incident_class": ["widespread", "death", "serious", "other"],
    "reported_to": ["provider", "authority"],
    "report_kind": ["usage", "cost", "invoice"],
}[field]) }}
{% endmacro %}
