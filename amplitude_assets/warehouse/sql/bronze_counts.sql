-- Counts each hour of the ledger in bronze only, before dbt has built silver.
select
    ledger.export_hour,
    ledger.lines,
    ledger.rejected_lines,
    count(events.export_hour) as bronze_rows,
    null as silver_events,
    null as duplicates
from bronze.export_hours as ledger
left join bronze.raw_events as events
    on ledger.project_id = events.project_id and ledger.export_hour = events.export_hour
where ledger.project_id = $project_id and ledger.export_hour between $first_hour and $last_hour
group by all
order by ledger.export_hour;
