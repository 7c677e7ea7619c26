"""The history of agents: what changed when, and by whom where the log names them."""

from __future__ import annotations

from app.questions.asking import Ask, Question


def _agent_history(ask: Ask) -> str:
    own = ask.where()
    return f"""
with stretches as (
    select *,
        lag(status) over (partition by agent_id order by valid_from_at nulls first) as status_before,
        lag(owner_id) over (partition by agent_id order by valid_from_at nulls first) as owner_before,
        lag(deputy_id) over (partition by agent_id order by valid_from_at nulls first) as deputy_before,
        lag(valid_from_at) over (partition by agent_id order by valid_from_at nulls first) as before_at
    from dim_agent_history
    where {own}
),
changes as (
    select agent_id, team_id, declared_at as happened_at, 'version ' || agent_version || ' declared' as what,
        diverged_fields as detail, author_id as person_id
    from dim_agent_versions where {own}
    union all
    select agent_id, team_id, approved_at, 'version ' || agent_version || ' approved', null, approved_by
    from dim_agent_versions where {own} and approved_at is not null
    union all
    select agent_id, team_id, in_force_at, 'version ' || agent_version || ' in force', null, null
    from dim_agent_versions where {own} and in_force_at is not null
    union all
    select agent_id, team_id, valid_from_at, 'status ' || coalesce(status_before, 'none') || ' to ' || status,
        status_reason, null
    from stretches where status is distinct from status_before and status is not null
    union all
    select agent_id, team_id, valid_from_at, 'owner changed', 'now ' || coalesce(owner_id, 'nobody')
        || ', deputy ' || coalesce(deputy_id, 'nobody'), null
    from stretches
    where before_at is not null
        and (owner_id is distinct from owner_before or deputy_id is distinct from deputy_before)
    union all
    select agent_id, team_id, occurred_at, replace(event_type, '_', ' '), reason,
        coalesce(recorded_by, person_id)
    from fct_assurance where {own} and event_type <> 'version_approved'
    union all
    select agent_id, team_id, ordered_at, case when is_drill then 'stop drill' else 'stopped' end,
        reason, ordered_by
    from fct_stops where {own}
    union all
    select agent_id, team_id, lifted_at, 'started again', null, lifted_by
    from fct_stops where {own} and lifted_at is not null
)
select agent_id, team_id, happened_at, what, detail, person_id
from changes
order by happened_at desc nulls last, agent_id, what
"""


QUESTIONS = (
    Question(
        name="agent_history",
        meaning="Everything that was decided or recorded about an agent, newest first: versions, approvals, "
        "status, owners, assurance and incidents, stops; by whom where the log names a person.",
        write=_agent_history,
    ),
)
