-- The exported lines whose place in silver is judged in this run: the lines of the batch's hours, and
-- those of judged_uuids, the lines of other hours whose verdict may depend on them. Only the columns that
-- verdicts, merges and touched keys need; a table, because parsing is what costs.
--
-- Lines that were consumed before come from silver.events and silver.event_duplicates, which hold every
-- consumed line between them, and from the verdicts of a batch that was not consumed to its end.
{{ require_whole_batch() }}
{%- set line = 'project_id, export_hour, source_object, source_line' -%}
{%- set facts = 'uuid, insert_id, device_id, user_id, amplitude_id, merged_amplitude_id, event_time, event_date, server_upload_time' %}
{%- set events = silver_relation('events') -%}
{%- set event_duplicates = silver_relation('event_duplicates') -%}
{%- set event_verdicts = silver_relation('event_verdicts') %}

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
    from {{ event_verdicts }}
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
        {{ in_hours([ref('judged_uuids')]) }}
        and (project_id, export_hour, uuid) in (
            select
                judged_uuids.project_id,
                judged_uuids.export_hour,
                judged_uuids.uuid
            from {{ ref('judged_uuids') }} as judged_uuids
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
-- A line can be known from more than one place when the last batch stopped half-way.
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
