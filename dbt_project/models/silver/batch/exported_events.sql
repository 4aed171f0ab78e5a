-- The staging view between bronze and silver: selects the columns and fills those that must not be NULL.
{{ config(materialized='view') }}

with bronze_events as (
    select * from {{ ref('bronze_events') }}
),

completed as (
    select
        project_id,
        export_hour,
        source_object,
        source_line,
        load_id,
        loaded_at,
        coalesce(
            {{ identifier('uuid') }},
            {{ surrogate_key([
                'project_id', 'device_id', 'user_id', 'event_id', 'event_type',
                epoch_us('client_event_time'), 'session_id',
            ]) }}
        ) as uuid,
        {{ identifier('insert_id') }} as insert_id,
        event_id,
        {{ identifier('amplitude_id') }} as amplitude_id,
        {{ identifier('user_id') }} as user_id,
        {{ identifier('device_id') }} as device_id,
        {{ identifier('session_id') }} as session_id,
        coalesce(event_type, '(none)') as event_type,
        coalesce(
            {{ plausible_time('event_time') }},
            {{ plausible_time('client_event_time') }},
            {{ plausible_time('server_upload_time') }},
            export_hour
        ) as event_time,
        {{ plausible_time('client_event_time') }} as client_event_time,
        event_time is not null and {{ plausible_time('event_time') }} is null as is_redated,
        client_upload_time,
        server_received_time,
        coalesce(server_upload_time, export_hour) as server_upload_time,
        processed_time,
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
        dma,
        location_lat,
        location_lng,
        ip_address,
        library,
        version_name,
        start_version,
        paying,
        event_properties,
        user_properties,
        groups,
        group_properties,
        {{ identifier(to_integer(json_text('data', 'merged_amplitude_id'))) }} as merged_amplitude_id
    from bronze_events
)

select
    project_id,
    export_hour,
    source_object,
    source_line,
    load_id,
    loaded_at,
    uuid,
    insert_id,
    event_id,
    amplitude_id,
    user_id,
    device_id,
    session_id,
    event_type,
    event_time,
    coalesce(client_event_time, event_time) as client_event_time,
    client_upload_time,
    server_received_time,
    server_upload_time,
    processed_time,
    {{ to_project_date('event_time') }} as event_date,
    event_time < server_upload_time - interval '24 hours' as is_late,
    is_redated,
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
    dma,
    case
        when coalesce(country, region, city, dma) is not null
            then {{ surrogate_key(['project_id', 'country', 'region', 'city', 'dma']) }}
    end as location_key,
    location_lat,
    location_lng,
    ip_address,
    library,
    version_name,
    start_version,
    paying,
    event_properties,
    user_properties,
    groups,
    group_properties,
    merged_amplitude_id
from completed
