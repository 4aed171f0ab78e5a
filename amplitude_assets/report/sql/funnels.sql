select
    funnel,
    step,
    event_type,
    users,
    conversion_from_start,
    conversion_from_previous,
    median_seconds_from_previous
from gold.agg_funnel
where project_id = {project_id}
order by
    funnel asc,
    step asc
