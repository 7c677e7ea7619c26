{# Made from registry.yaml at each build; see ingest/importers/alias_rows.py. #}
with

source as (
    select * from {{ source('log', 'events') }}
),

aliases as (
    select
        rule_id,
        seq as position,

        -- the run's own words; null fits any
        source_agent,
        source_domain,
        token_id,
        requested_model,
        source_file,

        -- where such runs belong
        team_id,
        agent_id
    from source
    where event_type = 'alias_declared'
)

select * from aliases
