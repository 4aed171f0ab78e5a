-- The exported lines that this run deduplicates: the lines of the batch's hours, and the lines of other hours
-- that dedup_candidate_keys lists. It has only the columns that deduplication, merges and touched keys need, and
-- is a table because parsing the lines is the expensive part.
--
-- Lines of other hours come from silver.events and silver.event_duplicates, which together hold every consumed
-- line, and from the dedup_results of an interrupted batch.
{{ require_whole_batch() }}
{%- set line = 'project_id, export_hour, source_object, source_line' -%}
{%- set facts = 'uuid, insert_id, device_id, user_id, amplitude_id, merged_amplitude_id, event_time, event_date, server_upload_time' %}
{%- set events = silver_relation('events') -%}
{%- set event_duplicates = silver_relation('event_duplicates') -%}
{%- set dedup_results = silver_relation('dedup_results') %}

with batch_rows as (
    select
        {{ line }},
        {{ facts }}
    from {{ ref('exported_events') }}
    where {{ in_batch() }}
)
{%- if batch_is_rebuild() %}

select
    {{ line }},
    {{ facts }},
    true as is_in_batch,
    false as is_event,
    false as is_duplicate,
    cast(null as varchar) as known_kept_uuid,
    cast(null as varchar) as known_reason
from batch_rows
{%- else %},

known_rows as {{ inlined() }} (
    select
        {{ line }},
        {{ facts }},
        cast(null as varchar) as kept_uuid,
        cast(null as varchar) as reason,
        true as is_event,
        false as is_duplicate
    from {{ events }}
    union all
    select
        {{ line }},
        {{ facts }},
        kept_uuid,
        reason,
        false as is_event,
        true as is_duplicate
    from {{ event_duplicates }}
    union all
    select
        {{ line }},
        {{ facts }},
        kept_uuid,
        reason,
        false as is_event,
        false as is_duplicate
    from {{ dedup_results }}
),

other_rows as (
    select
        {{ line }},
        {{ facts }},
        kept_uuid,
        reason,
        is_event,
        is_duplicate
    from known_rows
    where
        {{ in_hours([ref('dedup_candidate_keys')]) }}
        and (project_id, export_hour, uuid) in (
            select
                dedup_candidate_keys.project_id,
                dedup_candidate_keys.export_hour,
                dedup_candidate_keys.uuid
            from {{ ref('dedup_candidate_keys') }} as dedup_candidate_keys
        )
)

select
    {{ line }},
    {{ facts }},
    true as is_in_batch,
    false as is_event,
    false as is_duplicate,
    cast(null as varchar) as known_kept_uuid,
    cast(null as varchar) as known_reason
from batch_rows
union all
-- After an interrupted batch, a line can be in more than one of the three tables.
select
    {{ line }},
    {{ facts }},
    false as is_in_batch,
    max(case when is_event then 1 else 0 end) = 1 as is_event,
    max(case when is_duplicate then 1 else 0 end) = 1 as is_duplicate,
    max(case when is_duplicate then kept_uuid end) as known_kept_uuid,
    max(case when is_duplicate then reason end) as known_reason
from other_rows
group by
    {{ line }},
    {{ facts }}
{%- endif %}
