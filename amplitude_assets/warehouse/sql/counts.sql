-- Counts each hour of the ledger in bronze and silver. Silver's counts are null until dbt has consumed the
-- load that the ledger names, and while a batch that changes the hour is not finished.
with ledger as (
    select export_hour, lines, rejected_lines, load_id
    from bronze.export_hours
    where project_id = $project_id and export_hour between $first_hour and $last_hour
),

consumed as (
    select export_hour, load_id
    from silver.consumed_hours
    where
        project_id = $project_id
        and export_hour between $first_hour and $last_hour
        and (project_id, export_hour) not in (select project_id, export_hour from silver.touched_hours)
),

bronze_counts as (
    select export_hour, count(*) as bronze_rows
    from bronze.raw_events
    where project_id = $project_id and export_hour between $first_hour and $last_hour
    group by export_hour
),

silver_counts as (
    select export_hour, count(*) as silver_events
    from silver.events
    where project_id = $project_id and export_hour between $first_hour and $last_hour
    group by export_hour
),

duplicate_counts as (
    select export_hour, count(*) as duplicates
    from silver.event_duplicates
    where project_id = $project_id and export_hour between $first_hour and $last_hour
    group by export_hour
)

select
    ledger.export_hour,
    ledger.lines,
    ledger.rejected_lines,
    coalesce(bronze_counts.bronze_rows, 0) as bronze_rows,
    case when consumed.export_hour is not null then coalesce(silver_counts.silver_events, 0) end as silver_events,
    case when consumed.export_hour is not null then coalesce(duplicate_counts.duplicates, 0) end as duplicates
from ledger
left join consumed using (export_hour, load_id)
left join bronze_counts using (export_hour)
left join silver_counts using (export_hour)
left join duplicate_counts using (export_hour)
order by ledger.export_hour;
