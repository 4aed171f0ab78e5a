-- Deduplicated events with their user.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {
        'load_batch': ['project_id', 'export_hour'],
        'dedup_results': ['project_id', 'export_hour', 'source_object', 'source_line'],
        'rekeyed_ids': ['project_id', 'amplitude_id'],
    }},
) }}
{{ require_whole_batch() }}
-- promoted_properties() reads its seed:
-- depends_on: {{ ref('promoted_properties') }}
-- The touched keys must be computed from the old rows before this model deletes them:
-- depends_on: {{ ref('touched_users') }}, {{ ref('touched_user_dates') }}, {{ ref('touched_hours') }}, {{ ref('touched_devices') }}
{%- set columns %}
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
        client_event_time,
        client_upload_time,
        server_received_time,
        server_upload_time,
        processed_time,
        event_date,
        is_late,
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
        location_key,
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
{%- endset %}

with load_batch as (
    select
        project_id,
        export_hour
    from {{ ref('load_batch') }}
),

verdicts as (
    select
        project_id,
        export_hour,
        source_object,
        source_line,
        is_in_batch,
        reason
    from {{ ref('dedup_results') }}
),

merged_ids as (
    select
        project_id,
        amplitude_id,
        surviving_amplitude_id
    from {{ ref('merged_ids') }}
),

rekeyed_ids as (
    select
        project_id,
        amplitude_id
    from {{ ref('rekeyed_ids') }}
),

exported_events as (
    select {{- columns }}
    from {{ ref('exported_events') }}
    where {{ in_hours([ref('load_batch'), ref('dedup_results')]) }}
),

-- The lines of the batch that deduplication keeps, and the lines of other hours that become events again.
new_events as (
    select exported_events.*
    from exported_events
    left join load_batch
        on
            exported_events.project_id = load_batch.project_id
            and exported_events.export_hour = load_batch.export_hour
    left join verdicts
        on
            exported_events.project_id = verdicts.project_id
            and exported_events.export_hour = verdicts.export_hour
            and exported_events.source_object = verdicts.source_object
            and exported_events.source_line = verdicts.source_line
    where
        case
            when verdicts.project_id is null then load_batch.project_id is not null
            else verdicts.reason is null
        end
),

{%- if is_incremental() %}

known_events as {{ inlined() }} (
    select {{- columns }}
    from {{ this }}
),

-- Events that are kept, but now belong to another user.
rekeyed_events as (
    select known_events.*
    from known_events
    inner join rekeyed_ids
        on
            known_events.project_id = rekeyed_ids.project_id
            and known_events.amplitude_id = rekeyed_ids.amplitude_id
    left join load_batch
        on
            known_events.project_id = load_batch.project_id
            and known_events.export_hour = load_batch.export_hour
    left join verdicts
        on
            known_events.project_id = verdicts.project_id
            and known_events.export_hour = verdicts.export_hour
            and known_events.source_object = verdicts.source_object
            and known_events.source_line = verdicts.source_line
    where load_batch.project_id is null and verdicts.project_id is null
),
{%- endif %}

written_events as (
    select * from new_events
    {%- if is_incremental() %}
    union all
    select * from rekeyed_events
    {%- endif %}
),

keyed_events as (
    select
        written_events.*,
        {{ user_key(
            'written_events.project_id',
            'coalesce(merged_ids.surviving_amplitude_id, written_events.amplitude_id)',
            'written_events.user_id',
            'written_events.device_id',
        ) }} as user_key
    from written_events
    left join merged_ids
        on
            written_events.project_id = merged_ids.project_id
            and written_events.amplitude_id = merged_ids.amplitude_id
)

select
    uuid,
    project_id,
    user_key,
    amplitude_id,
    user_id,
    device_id,
    user_key || '-' || cast(session_id as varchar) as session_key,
    session_id,
    event_id,
    insert_id,
    event_type,
    event_time,
    event_date,
    client_event_time,
    client_upload_time,
    server_received_time,
    server_upload_time,
    processed_time,
    is_late,
    is_redated,
    platform,
    os_name,
    os_version,
    device_family,
    device_type,
    device_carrier,
    language,
    location_key,
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
    {{ json_object_hash('user_properties') }} as user_properties_hash,
    groups,
    group_properties,
    merged_amplitude_id,
    {%- for property in promoted_properties() %}
    {{ promoted_value(property) }} as {{ property.column_name }},
    {%- endfor %}
    export_hour,
    source_object,
    source_line,
    load_id,
    loaded_at
from keyed_events
