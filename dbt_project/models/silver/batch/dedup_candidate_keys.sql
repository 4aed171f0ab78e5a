-- The consumed lines of other hours that have to be deduplicated again because of the batch. This model scans
-- the whole history, so it reads as few columns as possible; dedup_candidates then reads only the hours found
-- here. Empty during a rebuild.
{{ require_whole_batch() }}
{%- set events = silver_relation('events') -%}
{%- set event_duplicates = silver_relation('event_duplicates') -%}
{%- set dedup_results = silver_relation('dedup_results') %}
{%- if batch_is_rebuild() %}

select
    cast(null as bigint) as project_id,
    cast(null as timestamp) as export_hour,
    cast(null as varchar) as uuid
where false
{%- else %}

with known_rows as {{ inlined() }} (
    {%- for relation, is_unconsumed, is_first_copy in [
        (events, 'false', 'true'),
        (event_duplicates, 'false', "reason = 'insert_id_7d'"),
        (dedup_results, 'true', "reason = 'insert_id_7d'"),
    ] %}
    select
        project_id,
        export_hour,
        uuid,
        device_id,
        insert_id,
        {{ is_unconsumed }} as is_unconsumed,
        {{ is_first_copy }} as is_first_copy
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- The lines of the batch, the lines that it replaces, and the lines that an interrupted batch may have changed.
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

-- The only scan of the whole history. It filters by single columns, which is faster; projects and devices are
-- compared afterwards. Snowflake gets a select for each, because it cannot use a semi-join for a condition under `or`;
-- DuckDB gets one select, because it then scans the tables once.
{%- set by_uuid = 'uuid in (select changed_rows.uuid from changed_rows)' %}
{%- set by_insert_id = 'insert_id in (select changed_insert_ids.insert_id from changed_insert_ids)' %}
{%- set conditions = [by_uuid ~ ' or ' ~ by_insert_id] if target.type == 'duckdb' else [by_uuid, by_insert_id] %}
found_rows as (
    {%- for is_found in conditions %}
    select
        project_id,
        export_hour,
        uuid,
        device_id,
        insert_id,
        is_first_copy
    from known_rows
    where {{ is_found }}
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

copies_by_uuid as (
    select
        project_id,
        export_hour,
        uuid,
        device_id,
        insert_id
    from found_rows
    where (project_id, uuid) in (select changed_rows.project_id, changed_rows.uuid from changed_rows)
),

-- Rule 1 is applied again to these, so any of their lines may become the first copy that rule 2 compares.
affected_insert_ids as (
    select project_id, device_id, insert_id
    from changed_rows
    where insert_id is not null
    union
    select project_id, device_id, insert_id
    from copies_by_uuid
    where insert_id is not null
),

-- Usually empty, because the lines of one event share an insert_id. No table is then read for them.
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
        is_first_copy
    from found_rows
    union all
    select
        project_id,
        uuid,
        device_id,
        insert_id,
        is_first_copy
    from known_rows
    where insert_id in (select further_insert_ids.insert_id from further_insert_ids)
),

repeats_by_insert_id as (
    select
        rows_by_insert_id.project_id,
        rows_by_insert_id.uuid
    from rows_by_insert_id
    inner join affected_insert_ids
        on
            rows_by_insert_id.project_id = affected_insert_ids.project_id
            and rows_by_insert_id.insert_id = affected_insert_ids.insert_id
            and rows_by_insert_id.device_id is not distinct from affected_insert_ids.device_id
    where rows_by_insert_id.is_first_copy
),

-- Usually empty as well.
further_uuids as (
    select project_id, uuid from repeats_by_insert_id
    except
    select project_id, uuid from changed_rows
),

candidate_lines as (
    select
        project_id,
        export_hour,
        uuid
    from copies_by_uuid
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
from candidate_lines
where not ({{ in_batch() }})
{%- endif %}
