with

catalogue as (
    select * from {{ ref('stg_events__catalogue') }}
    where template_id is not null
),

versions as (
    select * from catalogue
    where event_type = 'template_declared'
    qualify row_number() over (
        partition by template_id, template_version, is_demo order by occurred_at nulls last, event_id
    ) = 1
),

newest as (
    select * from catalogue
    qualify row_number() over (
        partition by template_id, is_demo order by occurred_at desc nulls last, event_id desc
    ) = 1
)

select
    versions.template_id,
    versions.template_version,
    newest.event_type = 'template_declared'
    and newest.template_version = versions.template_version as is_declared,
    versions.occurred_at as declared_at,
    case when newest.event_type = 'template_removed' then newest.occurred_at end as removed_at,
    versions.is_demo
from versions
inner join newest on newest.template_id = versions.template_id and newest.is_demo = versions.is_demo
