select
    activity_date,
    dau,
    wau_rolling,
    mau_rolling,
    new_users
from gold.agg_active_users_daily
where
    project_id = {project_id}
    and activity_date between date '{first_date}' and date '{last_date}'
order by activity_date asc
