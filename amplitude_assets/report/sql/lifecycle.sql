select
    period_start,
    new_users,
    current_users,
    resurrected_users,
    dormant_users
from gold.agg_lifecycle
where
    project_id = {project_id}
    and period = '{period}'
    and period_start between date '{first_date}' and date '{last_date}'
order by period_start asc
