select
    event_date,
    coalesce(currency, '') as currency,
    sum(revenue) as revenue,
    count(*) as revenue_events
from gold.fct_revenue
where
    project_id = {project_id}
    and event_date between date '{first_date}' and date '{last_date}'
group by
    event_date,
    coalesce(currency, '')
order by
    event_date asc,
    currency asc
