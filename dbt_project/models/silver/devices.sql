-- Devices, with their latest known attributes.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {'touched_devices': ['project_id', 'device_id']}},
) }}

with events as (
    select
        project_id,
        device_id,
        user_key,
        event_time,
        platform,
        os_name,
        os_version,
        device_family,
        device_type,
        device_carrier,
        version_name,
        {{ moment_key('event_time', 'uuid') }} as moment
    from {{ events_of_touched_keys() }}
    {{ where_touched(ref('touched_devices'), ['project_id', 'device_id']) }}
)

select
    {{ surrogate_key(['project_id', 'device_id']) }} as device_key,
    project_id,
    device_id,
    {{ last_value_of('platform') }} as platform,
    {{ last_value_of('os_name') }} as os_name,
    {{ last_value_of('os_version') }} as os_version,
    {{ last_value_of('device_family') }} as device_family,
    {{ last_value_of('device_type') }} as device_type,
    {{ last_value_of('device_carrier') }} as device_carrier,
    {{ last_value_of('version_name') }} as version_name,
    min(event_time) as first_seen_at,
    max(event_time) as last_seen_at,
    count(*) as events,
    count(distinct user_key) as users
from events
where device_id is not null
group by
    project_id,
    device_id
