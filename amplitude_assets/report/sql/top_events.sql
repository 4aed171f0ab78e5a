select
    event_type,
    sum(events) as events,
    sum(case when activity_date = date '{complete_date}' then users else 0 end) as users_on_whole_date
from gold.agg_event_daily
where
    project_id = {project_id}
    and activity_date between date '{first_date}' and date '{last_date}'
group by event_type
order by
    events desc,
    event_type asc
limit 10
