-- Returns the hours of `incoming_hours` that are still in the ledger after `delete_hours`.
select export_hour
from bronze.export_hours
where project_id = $project_id and export_hour in (select export_hour from incoming_hours);
