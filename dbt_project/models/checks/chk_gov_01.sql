{# Each agent that is at work has an owner who is declared, a purpose, a risk class and a review of it that is not overdue. #}
with

people as (
    select person_id, is_demo from {{ ref('dim_people') }}
    where is_declared
),

agents as (
    select
        inventory.*,
        people.person_id is not null as is_owner_there
    from {{ ref('int_check_inventory') }} as inventory
    left join people on people.person_id = inventory.owner_id and people.is_demo = inventory.is_demo
    where inventory.status not in ('draft', 'review', 'retired')
)

select
{{ check_row(
    month='month_start_date', kind='agent', object='agent_id',
    violation="not is_owner_there or coalesce(purpose, '') = '' or risk_class is null or coalesce(risk_review_by, declared_at + interval '12' month) < month_end_at",
    detail="case when not is_owner_there then 'nobody who is declared owns it' when coalesce(purpose, '') = '' then 'no purpose' when risk_class is null then 'no risk class' else 'the review of its risk class is overdue' end",
    agent='agent_id', team='team_id', person='owner_id',
) }}
from agents
