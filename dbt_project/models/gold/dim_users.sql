{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with users as (
    select
        user_key,
        project_id,
        amplitude_id,
        user_id,
        first_user_id,
        new_at,
        first_seen_at,
        last_seen_at,
        events,
        active_events,
        is_paying,
        devices,
        first_platform,
        first_country,
        start_version,
        platform,
        version_name,
        language,
        country
    from {{ ref('users') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

sessions as (
    select
        user_key,
        count(*) as sessions
    from {{ ref('fct_sessions') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
    group by user_key
),

revenue as (
    select
        user_key,
        sum(revenue) as revenue
    from {{ ref('fct_revenue') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
    group by user_key
)

select
    users.user_key,
    users.project_id,
    users.amplitude_id,
    users.user_id,
    users.first_user_id,
    users.new_at,
    {{ to_project_date('users.new_at') }} as new_date,
    users.first_seen_at,
    users.last_seen_at,
    users.events,
    users.active_events,
    coalesce(sessions.sessions, 0) as sessions,
    cast(coalesce(revenue.revenue, 0) as decimal(38, 9)) as revenue,
    users.is_paying,
    users.devices,
    users.first_platform,
    users.first_country,
    users.start_version,
    users.platform,
    users.version_name,
    users.language,
    users.country
from users
left join sessions on users.user_key = sessions.user_key
left join revenue on users.user_key = revenue.user_key
