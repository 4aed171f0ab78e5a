-- How many events of each project's newest week were uploaded more than a day late.
with newest as (
    select project_id, max(export_hour) as export_hour
    from gold.rpt_data_quality
    group by project_id
)

select
    hours.project_id,
    sum(hours.silver_events) as events,
    sum(hours.late_events) as late_events,
    max(hours.lag_p95_seconds) as slowest_lag_p95_seconds
from gold.rpt_data_quality as hours
inner join newest on hours.project_id = newest.project_id
where hours.export_hour > newest.export_hour - interval '7 days'
group by hours.project_id
