-- The ledger's rows for a range of hours, both ends included.
select
    export_hour,
    status,
    objects,
    bytes,
    lines,
    rejected_lines,
    digest,
    load_id,
    fetched_at,
    loaded_at
from bronze.export_hours
where project_id = $project_id and export_hour between $first_hour and $last_hour
order by export_hour;
