-- The lower bound of each class identifies it; the page adds the names.
select
    case
        when length_seconds < 10 then 0
        when length_seconds < 60 then 10
        when length_seconds < 180 then 60
        when length_seconds < 600 then 180
        when length_seconds < 1800 then 600
        when length_seconds < 3600 then 1800
        else 3600
    end as from_seconds,
    count(*) as sessions
from gold.fct_sessions
where
    project_id = {project_id}
    and session_date between date '{first_date}' and date '{last_date}'
    and not is_longer_than_a_day
group by from_seconds
order by from_seconds asc
