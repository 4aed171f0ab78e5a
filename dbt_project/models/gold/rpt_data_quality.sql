{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    on_schema_change='append_new_columns',
    meta={'touched': {'touched_hours': ['project_id', 'export_hour']}},
) }}

{%- set touched %}{{ where_touched(ref('touched_hours'), ['project_id', 'export_hour']) }}{% endset %}

with export_hours as (
    select
        project_id,
        export_hour,
        status,
        lines,
        rejected_lines,
        loaded_at
    from {{ source('bronze', 'export_hours') }}
    {{ touched }}
),

bronze_rows as (
    select
        project_id,
        export_hour,
        count(*) as bronze_rows
    from {{ source('bronze', 'raw_events') }}
    {{ touched }}
    group by
        project_id,
        export_hour
),

silver_events as (
    select
        project_id,
        export_hour,
        count(*) as silver_events,
        sum(case when is_late then 1 else 0 end) as late_events,
        sum(case when is_redated then 1 else 0 end) as redated_events,
        percentile_cont(0.5) within group (
            order by {{ seconds_between('event_time', 'server_upload_time') }}
        ) as lag_p50_seconds,
        percentile_cont(0.95) within group (
            order by {{ seconds_between('event_time', 'server_upload_time') }}
        ) as lag_p95_seconds
    from {{ ref('events') }}
    {{ touched }}
    group by
        project_id,
        export_hour
),

duplicates as (
    select
        project_id,
        export_hour,
        count(*) as duplicates
    from {{ ref('event_duplicates') }}
    {{ touched }}
    group by
        project_id,
        export_hour
),

counted as (
    select
        export_hours.project_id,
        export_hours.export_hour,
        export_hours.status,
        export_hours.lines,
        coalesce(bronze_rows.bronze_rows, 0) as bronze_rows,
        export_hours.rejected_lines,
        coalesce(silver_events.silver_events, 0) as silver_events,
        coalesce(duplicates.duplicates, 0) as duplicates,
        coalesce(silver_events.late_events, 0) as late_events,
        coalesce(silver_events.redated_events, 0) as redated_events,
        silver_events.lag_p50_seconds,
        silver_events.lag_p95_seconds,
        export_hours.loaded_at
    from export_hours
    left join bronze_rows
        on
            export_hours.project_id = bronze_rows.project_id
            and export_hours.export_hour = bronze_rows.export_hour
    left join silver_events
        on
            export_hours.project_id = silver_events.project_id
            and export_hours.export_hour = silver_events.export_hour
    left join duplicates
        on
            export_hours.project_id = duplicates.project_id
            and export_hours.export_hour = duplicates.export_hour
)

select
    project_id,
    export_hour,
    status,
    lines,
    bronze_rows,
    rejected_lines,
    silver_events,
    duplicates,
    lines = bronze_rows + rejected_lines and bronze_rows = silver_events + duplicates as is_reconciled,
    cast(late_events as bigint) as late_events,
    cast(redated_events as bigint) as redated_events,
    cast(lag_p50_seconds as double) as lag_p50_seconds,
    cast(lag_p95_seconds as double) as lag_p95_seconds,
    loaded_at
from counted
