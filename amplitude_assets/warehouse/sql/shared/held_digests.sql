-- What bronze holds whole, by the ledger's own count: enough to see whether an hour has changed.
-- An hour that lost lines is not among them, so loading it again makes it good.
with counted as (
    select
        export_hour,
        count(*) as bronze_rows
    from bronze.raw_events
    where project_id = $project_id
    group by export_hour
)

select
    ledger.export_hour,
    ledger.status,
    ledger.digest
from bronze.export_hours as ledger
left join counted
    on ledger.export_hour = counted.export_hour
where
    ledger.project_id = $project_id
    and coalesce(counted.bronze_rows, 0) = ledger.lines - ledger.rejected_lines;
