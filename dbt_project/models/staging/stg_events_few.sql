{#
  Events of all types but those that runs are full of: the families of the others are many, and each would look
  for its few rows in the whole log. What they say is told in columns; the canonical text of an event is not needed.
#}
with

source as (
    select * from {{ ref('stg_events_once') }}
)

select * except (body, hash)
from source
where event_type not in (
    'run_requested', 'run_refused', 'run_started', 'run_paused', 'run_resumed', 'run_ended', 'run_counted',
    'message_recorded', 'turn_requested', 'turn_finished', 'tool_call_requested', 'tool_call_finished',
    'approval_requested', 'approval_shown', 'approval_decided', 'approval_expired', 'approval_consumed',
    'approval_reported', 'outcome_recorded', 'intervention_recorded', 'knowledge_retrieved', 'knowledge_refused',
    'cost_restated', 'restatement_made', 'otel_span', 'otel_log'
)
