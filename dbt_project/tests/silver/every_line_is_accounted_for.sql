-- For every consumed load, rows in bronze = events + recorded duplicates. A build also checks its own batch. An hour
-- that has been loaded again since is checked by the next build.
{%- set load_batch = ref('load_batch') %}
{%- set touched_hours = ref('touched_hours') %}
{%- set is_build = flags.WHICH == 'build' %}
with built_hours as (
    select
        project_id,
        export_hour,
        load_id
    from {{ ref('consumed_hours') }}
    where not {{ keys_are_in(['project_id', 'export_hour'], load_batch if is_build else touched_hours) }}
    {%- if is_build %}
    union all
    select
        project_id,
        export_hour,
        load_id
    from {{ load_batch }}
    {%- endif %}
),

ledger as (
    select
        project_id,
        export_hour,
        load_id
    from {{ source('bronze', 'export_hours') }}
),

bronze_rows as (
    select
        project_id,
        export_hour,
        count(*) as line_count
    from {{ source('bronze', 'raw_events') }}
    group by
        project_id,
        export_hour
),

silver_rows as (
    select
        project_id,
        export_hour,
        count(*) as line_count
    from {{ ref('events') }}
    group by
        project_id,
        export_hour
),

duplicate_rows as (
    select
        project_id,
        export_hour,
        count(*) as line_count
    from {{ ref('event_duplicates') }}
    group by
        project_id,
        export_hour
)

select
    built_hours.project_id,
    built_hours.export_hour,
    coalesce(bronze_rows.line_count, 0) as bronze_rows,
    coalesce(silver_rows.line_count, 0) as silver_events,
    coalesce(duplicate_rows.line_count, 0) as duplicates
from built_hours
left join ledger
    on
        built_hours.project_id = ledger.project_id
        and built_hours.export_hour = ledger.export_hour
left join bronze_rows
    on
        built_hours.project_id = bronze_rows.project_id
        and built_hours.export_hour = bronze_rows.export_hour
left join silver_rows
    on
        built_hours.project_id = silver_rows.project_id
        and built_hours.export_hour = silver_rows.export_hour
left join duplicate_rows
    on
        built_hours.project_id = duplicate_rows.project_id
        and built_hours.export_hour = duplicate_rows.export_hour
where
    built_hours.load_id is not distinct from ledger.load_id
    and coalesce(bronze_rows.line_count, 0)
    <> coalesce(silver_rows.line_count, 0) + coalesce(duplicate_rows.line_count, 0)
