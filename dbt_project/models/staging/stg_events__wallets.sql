with

source as (
    select * from {{ ref('stg_events_few') }}
),

wallets as (
    select
        -- identity
        event_id,
        event_type,
        run_id,
        team_id,
        agent_id,
        agent_version,
        actor_id,
        wallet_id,
        person_id,
        turn_index,
        attempt,

        -- wallet
        wallet_kind,
        wallet_window,
        is_unlimited,
        reason,

        -- measures
        cap_nano_usd,
        swept_nano_usd,
        window_start_at,
        window_end_at,
        expires_at,

        -- provenance
        recorded_via,
        is_demo,
        writer_id,
        seq,

        -- time
        occurred_at,
        recorded_at
    from source
    where event_type in (
        'budget_set',
        'budget_raised',
        'hold_swept'
    )
)

select * from wallets
