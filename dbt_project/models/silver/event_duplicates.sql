-- Every exported line that is not an event of its own, and the event that stands for it.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched': {
        'load_batch': ['project_id', 'export_hour'],
        'event_verdicts': ['project_id', 'export_hour', 'source_object', 'source_line'],
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
from {{ ref('event_verdicts') }}
where reason is not null
