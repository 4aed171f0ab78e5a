{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

select
    session_key,
    project_id,
    user_key,
    session_id,
    session_date,
    started_at,
    ended_at,
    length_seconds,
    events,
    is_bounce,
    length_seconds > 86400 as is_longer_than_a_day,
    entry_event_type,
    exit_event_type
from {{ ref('sessions') }}
{{ where_touched(ref('touched_users'), ['user_key']) }}
