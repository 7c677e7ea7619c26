with

registry as (
    select * from {{ ref('int_registry_applied') }}
    where event_type = 'agent_version_declared'
)

select
    agent_id,
    agent_version,
    version_hash,
    team_id,
    agent_name,
    occurred_at as declared_at,
    author_id,
    owner_id,
    deputy_id,
    risk_class,
    risk_reasons,
    risk_assessor_id,
    risk_review_by as risk_review_by_at,
    requested_model as model_name,
    purpose,
    template_id,
    template_version,
    diverged_fields,
    applies_to_demo as is_demo
from registry
qualify row_number() over (
    partition by agent_id, agent_version, applies_to_demo order by occurred_at nulls last, event_id
) = 1
