-- All events, old and new, of the touched users and devices. The models per user or device rebuild their rows
-- from these, so that silver.events is scanned once for all of them. Empty during a rebuild, when those models
-- read silver.events itself.
--
-- Snowflake gets a select for users and one for devices, because it cannot use a semi-join for a condition under `or`.
-- DuckDB gets one select, because it then scans the table once.
{%- set of_user = keys_are_in(['user_key'], ref('touched_users')) %}
{%- set of_device = keys_are_in(['project_id', 'device_id'], ref('touched_devices')) %}
{%- if batch_is_rebuild() %}
{%- set conditions = ['false'] %}
{%- elif target.type == 'duckdb' %}
{%- set conditions = [found_first(ref('events'), of_user ~ ' or ' ~ of_device)] %}
{%- else %}
{%- set conditions = [of_user, of_device] %}
{%- endif %}
{%- for is_touched in conditions %}
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
where {{ is_touched }}
{{ 'union' if not loop.last }}
{%- endfor %}
