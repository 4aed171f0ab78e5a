-- Users, aggregated from all their events.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_users': ['user_key']}},
) }}

with events as (
    select
        project_id,
        user_key,
        amplitude_id,
        user_id,
        device_id,
        session_key,
        event_type,
        event_time,
        platform,
        country,
        region,
        city,
        language,
        version_name,
        start_version,
        paying,
        {{ moment_key('event_time', 'uuid') }} as moment
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_users'), ['user_key']) }}
),

inactive_event_types as (
    select event_type from {{ ref('inactive_event_types') }}
),

merged_ids as (
    select
        project_id,
        amplitude_id,
        surviving_amplitude_id
    from {{ ref('merged_ids') }}
)

select
    events.user_key,
    events.project_id,
    max(coalesce(merged_ids.surviving_amplitude_id, events.amplitude_id)) as amplitude_id,
    {{ last_value_of('events.user_id', 'events.moment') }} as user_id,
    {{ first_value_of('events.user_id', 'events.moment') }} as first_user_id,
    min(events.event_time) as new_at,
    min(events.event_time) as first_seen_at,
    max(events.event_time) as last_seen_at,
    count(*) as events,
    count(case when inactive_event_types.event_type is null then 1 end) as active_events,
    count(distinct case when inactive_event_types.event_type is null then events.session_key end) as sessions,
    count(distinct events.amplitude_id) as amplitude_ids,
    count(distinct events.user_id) as user_ids,
    count(distinct events.device_id) as devices,
    coalesce(max(case when events.paying then 1 end) = 1, false) as is_paying,
    {{ first_value_of('events.start_version', 'events.moment') }} as start_version,
    {{ first_value_of('events.platform', 'events.moment') }} as first_platform,
    {{ first_value_of('events.country', 'events.moment') }} as first_country,
    {{ last_value_of('events.platform', 'events.moment') }} as platform,
    {{ last_value_of('events.version_name', 'events.moment') }} as version_name,
    {{ last_value_of('events.language', 'events.moment') }} as language,
    {{ last_value_of('events.country', 'events.moment') }} as country,
    {{ last_value_of('events.region', 'events.moment') }} as region,
    {{ last_value_of('events.city', 'events.moment') }} as city
from events
left join inactive_event_types on events.event_type = inactive_event_types.event_type
left join merged_ids
    on
        events.project_id = merged_ids.project_id
        and events.amplitude_id = merged_ids.amplitude_id
group by
    events.user_key,
    events.project_id
