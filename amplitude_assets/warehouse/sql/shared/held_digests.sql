-- What the ledger holds of each hour of a project: enough to see whether it has changed.
select
    export_hour,
    status,
    digest
from bronze.export_hours
where project_id = $project_id;
