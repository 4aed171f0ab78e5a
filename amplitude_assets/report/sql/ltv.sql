-- Totals over all cohorts whose day is over.
select
    day_number,
    sum(cohort_users) as cohort_users,
    sum(cumulative_revenue) as cumulative_revenue,
    sum(paying_users) as paying_users
from gold.agg_ltv
where
    project_id = {project_id}
    and cohort_date between date '{first_date}' and date '{last_date}'
    and is_complete
group by day_number
order by day_number asc
