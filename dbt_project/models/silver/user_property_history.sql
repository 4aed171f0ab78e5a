-- User properties and the time range in which they apply. Each event whose user properties differ from those of
-- the previous event starts a row. Built from events instead of dbt snapshots, so that it can be rebuilt.
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
        export_hour,
        user_properties_hash
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

-- One state per point in time: of several events at the same time, the last by uuid is used.
states as (
    select *
    from events
    where user_properties_hash is not null
    qualify row_number() over (partition by user_key, event_time order by uuid desc) = 1
),

-- Most events repeat the text of the previous event. Only the properties of the others are read.
rewritten_states as (
    select *
    from states
    qualify
        user_properties_hash is distinct from lag(user_properties_hash) over (
            partition by user_key order by event_time
        )
),
{%- if is_incremental() %}

-- Most of these are in this table already, which leaves few hours of events to scan.
known_states as (
    select
        rewritten_states.*,
        history.user_properties
    from rewritten_states
    inner join {{ this }} as history
        on
            rewritten_states.user_key = history.user_key
            and rewritten_states.event_time = history.valid_from
            and rewritten_states.uuid = history.uuid
            and rewritten_states.user_properties_hash = history.user_properties_hash
),

new_states as (
    select rewritten_states.*
    from rewritten_states
    left join known_states
        on
            rewritten_states.user_key = known_states.user_key
            and rewritten_states.event_time = known_states.event_time
    where known_states.user_key is null
),
{%- endif %}

read_states as (
    select
        new_states.*,
        events.user_properties
    from {{ 'new_states' if is_incremental() else 'rewritten_states as new_states' }}
    inner join {{ ref('events') }} as events
        on
            new_states.project_id = events.project_id
            and new_states.export_hour = events.export_hour
            and new_states.uuid = events.uuid
    {%- if is_incremental() %}
    union all
    select * from known_states
    {%- endif %}
),

canonical_states as (
    select
        *,
        {{ json_canonical('user_properties') }} as canonical_properties
    from read_states
),

changes as (
    select *
    from canonical_states
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
    user_properties,
    user_properties_hash
from changes
