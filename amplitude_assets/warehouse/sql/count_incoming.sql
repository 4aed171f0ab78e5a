-- Counts the rows in bronze of each hour in `incoming_hours`.
with event_counts as (
    select export_hour, count(*) as events
    from bronze.raw_events
    where project_id = $project_id and export_hour in (select export_hour from incoming_hours)
    group by export_hour
),

rejected_counts as (
    select export_hour, count(*) as rejected_lines
    from bronze.rejected_lines
    where project_id = $project_id and export_hour in (select export_hour from incoming_hours)
    group by export_hour
)

select
    incoming_hours.export_hour,
    coalesce(event_counts.events, 0) as events,
    coalesce(rejected_counts.rejected_lines, 0) as rejected_lines
from incoming_hours
left join event_counts using (export_hour)
left join rejected_counts using (export_hour);
