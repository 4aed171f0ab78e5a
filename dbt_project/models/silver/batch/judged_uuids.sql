-- Which consumed lines of other hours are judged again, found with as few columns of the whole history as
-- can be: what judged_rows reads then are their hours. Empty when everything is rebuilt.
{{ require_whole_batch() }}
{%- set events = silver_relation('events') -%}
{%- set event_duplicates = silver_relation('event_duplicates') -%}
{%- set event_verdicts = silver_relation('event_verdicts') %}
{%- if batch_is_rebuild() %}

select
    cast(null as bigint) as project_id,
    cast(null as timestamp) as export_hour,
    cast(null as varchar) as uuid
where false
{%- else %}

with known_rows as {{ inlined() }} (
    {%- for relation, is_unconsumed, speaks_for_insert_id in [
        (events, 'false', 'true'),
        (event_duplicates, 'false', "reason = 'insert_id_7d'"),
        (event_verdicts, 'true', "reason = 'insert_id_7d'"),
    ] %}
    select
        project_id,
        export_hour,
        uuid,
        device_id,
        insert_id,
        {{ is_unconsumed }} as is_unconsumed,
        {{ speaks_for_insert_id }} as speaks_for_insert_id
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- The lines of the batch, what it replaces, and what a batch that stopped half-way may have changed.
changed_rows as (
    select
        project_id,
        uuid,
        device_id,
        insert_id
    from {{ ref('exported_events') }}
    where {{ in_batch() }}
    union
    select
        project_id,
        uuid,
        device_id,
        insert_id
    from known_rows
    where ({{ in_batch() }}) or is_unconsumed
),

changed_insert_ids as (
    select insert_id
    from changed_rows
    where insert_id is not null
),

-- The one look through the whole history. Projects and devices are compared later: one column is found sooner.
found_rows as (
    select
        project_id,
        export_hour,
        uuid,
        device_id,
        insert_id,
        speaks_for_insert_id
    from known_rows
    where
        uuid in (select changed_rows.uuid from changed_rows)
        or insert_id in (select changed_insert_ids.insert_id from changed_insert_ids)
),

rivals_by_uuid as (
    select
        project_id,
        export_hour,
        uuid,
        device_id,
        insert_id
    from found_rows
    where (project_id, uuid) in (select changed_rows.project_id, changed_rows.uuid from changed_rows)
),

-- Rule 1 is judged again for these, so any of their lines may now speak for its insert_id.
affected_insert_ids as (
    select project_id, device_id, insert_id
    from changed_rows
    where insert_id is not null
    union
    select project_id, device_id, insert_id
    from rivals_by_uuid
    where insert_id is not null
),

-- Mostly none, since the lines of one event have one insert_id. Then no table is read for them.
further_insert_ids as (
    select insert_id from affected_insert_ids
    except
    select insert_id from changed_insert_ids
),

rows_by_insert_id as (
    select
        project_id,
        uuid,
        device_id,
        insert_id,
        speaks_for_insert_id
    from found_rows
    union all
    select
        project_id,
        uuid,
        device_id,
        insert_id,
        speaks_for_insert_id
    from known_rows
    where insert_id in (select further_insert_ids.insert_id from further_insert_ids)
),

rivals_by_insert_id as (
    select
        rows_by_insert_id.project_id,
        rows_by_insert_id.uuid
    from rows_by_insert_id
    inner join affected_insert_ids
        on
            rows_by_insert_id.project_id = affected_insert_ids.project_id
            and rows_by_insert_id.insert_id = affected_insert_ids.insert_id
            and rows_by_insert_id.device_id is not distinct from affected_insert_ids.device_id
    where rows_by_insert_id.speaks_for_insert_id
),

-- Mostly none, too.
further_uuids as (
    select project_id, uuid from rivals_by_insert_id
    except
    select project_id, uuid from changed_rows
),

judged_lines as (
    select
        project_id,
        export_hour,
        uuid
    from rivals_by_uuid
    union
    select
        project_id,
        export_hour,
        uuid
    from known_rows
    where (project_id, uuid) in (select further_uuids.project_id, further_uuids.uuid from further_uuids)
)

select
    project_id,
    export_hour,
    uuid
from judged_lines
where not ({{ in_batch() }})
{%- endif %}
