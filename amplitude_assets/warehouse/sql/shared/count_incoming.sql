-- Counts what bronze holds of each hour in `incoming_hours`.
select
    hours.export_hour,
    (
        select count(*) from bronze.raw_events as events
        where events.project_id = $project_id and events.export_hour = hours.export_hour
    ) as events,
    (
        select count(*) from bronze.rejected_lines as rejected
        where rejected.project_id = $project_id and rejected.export_hour = hours.export_hour
    ) as rejected_lines
from incoming_hours as hours;
