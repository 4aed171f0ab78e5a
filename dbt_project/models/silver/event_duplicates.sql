-- Every exported line that deduplication dropped, and the event that was kept instead.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {
        'load_batch': ['project_id', 'export_hour'],
        'dedup_results': ['project_id', 'export_hour', 'source_object', 'source_line'],
    }},
) }}
{{ require_whole_batch() }}
-- depends_on: {{ ref('load_batch') }}

select
    project_id,
    export_hour,
    source_object,
    source_line,
    uuid,
    kept_uuid,
    reason,
    insert_id,
    device_id,
    user_id,
    amplitude_id,
    merged_amplitude_id,
    event_time,
    event_date,
    server_upload_time
from {{ ref('dedup_results') }}
where reason is not null
