-- Deletes the rows in bronze of the hours in `incoming_hours`. It keeps the ledger row of an hour
-- that a concurrent load has committed and that must not be replaced: `hours_left` finds it.
delete from bronze.raw_events
where project_id = $project_id and export_hour in (select export_hour from incoming_hours);

delete from bronze.rejected_lines
where project_id = $project_id and export_hour in (select export_hour from incoming_hours);

delete from bronze.export_hours
using incoming_hours
where
    bronze.export_hours.project_id = $project_id
    and bronze.export_hours.export_hour = incoming_hours.export_hour
    and bronze.export_hours.fetched_at <= incoming_hours.fetched_at
    and (
        incoming_hours.is_confirmed
        or bronze.export_hours.lines - bronze.export_hours.rejected_lines <= incoming_hours.events
    );
