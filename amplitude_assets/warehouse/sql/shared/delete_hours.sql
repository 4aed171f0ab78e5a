-- Takes out everything that bronze holds of the hours in `incoming_hours`.
delete from bronze.raw_events
where project_id = $project_id and export_hour in (select export_hour from incoming_hours);

delete from bronze.rejected_lines
where project_id = $project_id and export_hour in (select export_hour from incoming_hours);

delete from bronze.export_hours
where project_id = $project_id and export_hour in (select export_hour from incoming_hours);
