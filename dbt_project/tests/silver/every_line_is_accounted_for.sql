-- Of every hour that was consumed, the rows in bronze are its events and its recorded duplicates.
with built_hours as (
    select
        project_id,
        export_hour
    from {{ ref('consumed_hours') }}
    union
    select
        project_id,
        export_hour
    from {{ ref('load_batch') }}
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
    coalesce(bronze_rows.line_count, 0)
    <> coalesce(silver_rows.line_count, 0) + coalesce(duplicate_rows.line_count, 0)
