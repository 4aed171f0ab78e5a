select
    period_start,
    active_days,
    users,
    cumulative_share
from gold.agg_stickiness
where
    project_id = {project_id}
    and period = 'week'
    and period_start between date '{first_week}' and date '{last_date}'
order by
    period_start asc,
    active_days asc
