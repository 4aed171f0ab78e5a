-- The hours that the last run of the models took in, oldest first.
with newest_hours as (
    select
        quality.export_hour,
        quality.silver_events,
        quality.duplicates,
        quality.late_events,
        quality.lag_p50_seconds,
        quality.lag_p95_seconds
    from gold.rpt_data_quality as quality
    inner join silver.load_batch as taken
        on
            quality.project_id = taken.project_id
            and quality.export_hour = taken.export_hour
    where quality.project_id = {project_id}
    order by quality.export_hour desc
    limit 1000
)

select *
from newest_hours
order by export_hour asc
