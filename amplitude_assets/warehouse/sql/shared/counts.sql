-- Counts each hour of the ledger in bronze and silver.
with ledger as (
    select export_hour, lines, rejected_lines
    from bronze.export_hours
    where project_id = $project_id and export_hour between $first_hour and $last_hour
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
    coalesce(silver_counts.silver_events, 0) as silver_events,
    coalesce(duplicate_counts.duplicates, 0) as duplicates
from ledger
left join bronze_counts using (export_hour)
left join silver_counts using (export_hour)
left join duplicate_counts using (export_hour)
order by ledger.export_hour;
