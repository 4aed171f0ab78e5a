-- Sessions that began in the range. Those longer than a day are left out, as in Amplitude's averages.
select
    count(*) as sessions,
    sum(case when is_bounce then 1 else 0 end) as bounces,
    median(length_seconds) as median_seconds,
    avg(length_seconds) as mean_seconds
from gold.fct_sessions
where
    project_id = {project_id}
    and session_date between date '{first_date}' and date '{last_date}'
    and not is_longer_than_a_day
