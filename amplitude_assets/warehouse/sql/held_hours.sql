-- The hours in bronze, with what decides whether a delivery differs and may replace one.
-- `is_whole` is false for an hour that has lost rows, so that loading it again repairs it.
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
    ledger.digest,
    ledger.lines - ledger.rejected_lines as events,
    ledger.fetched_at,
    coalesce(counted.bronze_rows, 0) = ledger.lines - ledger.rejected_lines as is_whole,
    coalesce(ledger.events_in_question, 0) as events_in_question,
    ledger.in_question_since
from bronze.export_hours as ledger
left join counted
    on ledger.export_hour = counted.export_hour
where ledger.project_id = $project_id;
