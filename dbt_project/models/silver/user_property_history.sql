-- What was known of a user, and from when to when: a row begins with each event whose user properties
-- differ from those of the event before. Made from events and not from snapshots, so it can be made again.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with events as (
    select
        project_id,
        user_key,
        uuid,
        event_time,
        user_properties
    from {{ ref('events') }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

-- One state a moment: of several events at the same time the last by uuid speaks.
states as (
    select
        project_id,
        user_key,
        uuid,
        event_time,
        user_properties
    from events
    where {{ json_is_object('user_properties') }}
    qualify row_number() over (partition by user_key, event_time order by uuid desc) = 1
),

-- Most events repeat the text of the one before. Comparing text first saves taking it apart.
rewritten_states as (
    select
        project_id,
        user_key,
        uuid,
        event_time,
        user_properties,
        {{ json_canonical('user_properties') }} as canonical_properties
    from states
    qualify
        cast(user_properties as varchar) is distinct from lag(cast(user_properties as varchar)) over (
            partition by user_key order by event_time
        )
),

changes as (
    select
        project_id,
        user_key,
        uuid,
        event_time,
        user_properties
    from rewritten_states
    qualify
        canonical_properties is distinct from lag(canonical_properties) over (
            partition by user_key order by event_time
        )
)

select
    user_key,
    event_time as valid_from,
    lead(event_time) over (partition by user_key order by event_time) as valid_to,
    lead(event_time) over (partition by user_key order by event_time) is null as is_current,
    project_id,
    uuid,
    user_properties
from changes
