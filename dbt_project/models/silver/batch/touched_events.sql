-- The events of the users and devices that the batch touches, old and new. What is kept by user or device is
-- made again from these, so that silver.events is looked through once for all of it. Empty when everything is
-- rebuilt: then it is made from silver.events itself.
select
    project_id,
    export_hour,
    uuid,
    user_key,
    amplitude_id,
    user_id,
    device_id,
    session_key,
    session_id,
    event_type,
    event_time,
    event_date,
    client_event_time,
    platform,
    os_name,
    os_version,
    device_family,
    device_type,
    device_carrier,
    language,
    country,
    region,
    city,
    version_name,
    start_version,
    paying,
    user_properties_hash
from {{ ref('events') }}
{%- set of_user = keys_are_in(['user_key'], ref('touched_users')) %}
{%- set of_device = keys_are_in(['project_id', 'device_id'], ref('touched_devices')) %}
where
{%- if batch_is_rebuild() %}
    false
{%- else %}
    {{ found_first(ref('events'), of_user ~ ' or ' ~ of_device) }}
{%- endif %}
